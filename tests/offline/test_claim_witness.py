"""The measuring critic and the miniature as witnesses of single claims."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from langchain_core.messages import HumanMessage

from aurelia_core.claims import Claim, score_verdicts
from aurelia_core.media import ClipStore
from aurelia_core.models.media_request import MediaRequest
from aurelia_core.models.requests import ArbiterRequest, ClaimCheckRequest, ClaimsRequest
from aurelia_core.settings import Settings
from aurelia_offline.agents.chat import MeasuringChat
from aurelia_offline.critic.caption_parser import parse_caption
from aurelia_offline.critic.caption_text import unknown_words
from aurelia_offline.critic.claim_witness import check_claims, measure_claim, read_claims
from aurelia_offline.critic.evaluate import measure_evidence
from aurelia_offline.critic.plain_claims import plain_claim
from aurelia_offline.study import miniature_critic
from aurelia_offline.world.scene import parse_scene, write_scene
from aurelia_offline.world.stage import StageQuestion, question_text
from benchmarks.offline.claim_wordings import worded_claims
from benchmarks.offline.critic_scenes import facts_of
from benchmarks.offline.strict_pairs import pairs_of_scene
from benchmarks.offline.truthful import FPS, make, plain


@pytest.fixture(scope="module")
def checked(duet: Path, session_store: ClipStore) -> Any:
    """Checks claims about the duet: verdicts in order."""
    media = MediaRequest(clip=session_store.admit(duet))

    def check(*texts: str) -> list[dict[str, Any]]:
        claims = [Claim(text=text, kind="other", modality="both", window=None) for text in texts]
        request = ClaimCheckRequest(media=media, duration=2.0, has_audio=True, claims=claims)
        found: list[dict[str, Any]] = check_claims(request, session_store)["checks"]
        return found

    return check


def test_a_claim_and_its_copy_with_one_fact_changed(checked: Any) -> None:
    pairs = [
        ("Two sounds are heard.", "Three sounds are heard."),
        ("A tone of 440 Hz sounds from 0.2 to 0.7 s.", "A tone of 700 Hz sounds from 0.2 to 0.7 s."),
        ("The first sound is louder than all others.", "The second sound is louder than all others."),
        ("A red circle moves on the left.", "A red circle moves on the right."),
        ("The background is black.", "The background is green."),
        ("There is no cut.", "There are two cuts."),
        ("Starting at 1.2 s, a tone goes on until 1.8 s.", "Starting at 0.4 s, a tone goes on until 1.8 s."),
        ("Note, 0:00.2 to 0:00.7.", "Static, 0:00.2 to 0:00.7."),
        ("The pitch of the tone that is heard at 0.2 s was measured as 440 Hz.", "Tone at 0:00.2, roughly 700 Hz."),
        ("It is the first sound that drowns out all the rest.", "Loudest of the lot: the second sound."),
        ("Cuts: 0.", "They cut to another shot twice."),
    ]
    for true, false in pairs:
        verdicts = [one["verdict"] for one in checked(true, false)]
        assert (true, *verdicts) == (true, "supported", "contradicted")


def test_what_cannot_be_measured_or_read_is_not_told(checked: Any) -> None:
    found = checked("A woman smiles.", "A red circle grumbles.", "A sound is heard that a tuba makes.")
    found += checked("How often is there a cut? The right answer is two.", "At 1.0 s everything is red for good.")
    assert [one["verdict"] for one in found] == ["cannot_tell"] * 5
    assert "'grumbles'" in found[1]["reason"]


def test_a_finding_says_what_the_clip_has_and_where(checked: Any) -> None:
    (found,) = checked("A tone of 700 Hz sounds from 0.2 to 0.7 s.")
    assert found["margin"] == -1.0
    assert "440 Hz" in found["reason"]
    assert 0.1 <= found["window"]["start"] < found["window"]["end"] <= 0.8


def test_a_caption_is_taken_apart_into_each_claim_once_and_its_unread_parts() -> None:
    caption = "Two sounds are heard: a tone at 0.2 s, then a click at 1.2 s. A woman smiles. Two sounds are heard."
    claims = read_claims(ClaimsRequest(caption=caption))["claims"]
    assert [claim["kind"] for claim in claims] == ["sound_count", "sound", "sound", "order", "other"]
    assert claims[1]["window"] == {"start": 0.2, "end": 0.5}
    assert {claim["modality"] for claim in claims[:4]} == {"audio"}


@pytest.mark.parametrize(
    ("text", "kinds"),
    [
        ("None of the others is as loud as the third sound.", ["rank"]),
        ("First one hears a hiss, later a click.", ["sound", "sound", "order"]),
        ("Before the click there is a hiss.", ["sound", "sound", "order"]),
        ("A beep is heard; it starts at 0.9 s and ends at 1.6 s.", ["sound"]),
        ("For a moment everything is white at 5.7 s.", ["flash"]),
        ("It is the second sound that stands out as the loudest.", ["rank"]),
    ],
)
def test_one_statement_in_other_words(text: str, kinds: list[str]) -> None:
    assert [claim.kind for claim in parse_caption(text).claims] == kinds


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        (
            "A ball of red hops on the left; start 1.2 s, finish 3.4 s.",
            "a red circle moves on the left from 1.2 s to 3.4 s",
        ),
        (
            "On the left is a red circle. It is never at rest between 1.2 and 3.4 s.",
            "a red circle moves on the left from 1.2 s to 3.4 s",
        ),
        ("The hum came on at 1.2 s and didn't leave off until 3.4 s.", "a tone can be heard from 1.2 s to 3.4 s"),
        ("Ending at 3.4 s, a white-noise burst had begun at 1.2 s.", "a noise can be heard from 1.2 s to 3.4 s"),
        ("Right there, with 2.0 seconds gone, a click breaks the silence.", "a click can be heard at 2.0 s"),
        ("Every other sound is quieter than the second.", "the loudest sound is the 2nd one"),
        ("The click has to wait until the hiss is over.", "a noise is heard, followed by a click"),
        ("Sounds and movements are asynchronous, as they never meet.", "the sounds and the movements do not coincide"),
        ("The film goes on without a single cut.", "there are no cuts"),
        ("Looking on, I find nothing but silence from 1.2 to 3.4 s.", "it is silent from 1.2 s to 3.4 s"),
        ("At the outset the field is red.", "the background is red at the start"),
    ],
)
def test_a_claim_in_other_words_is_said_in_plain_ones(text: str, plain: str) -> None:
    assert plain_claim(text) == plain


@pytest.mark.parametrize(
    "text",
    [
        "The hum pauses from 1.2 to 3.4 seconds.",
        "The red circle on the left stops moving between 1.2 and 3.4 s.",
        "The red circle hardly moves on the left from 1.2 to 3.4 s.",
        "It is quiet before 1.2 s and after 3.4 s.",
        "A tone stops at 1.2 s.",
        "A tone at 0.5 s lasts 0.7 s.",
        "All the others are louder than the second sound.",
        "The second sound is almost the loudest.",
        "Most sounds coincide with a movement.",
    ],
)
def test_what_only_looks_like_a_plain_claim_is_left_to_the_clauses(text: str) -> None:
    assert plain_claim(text) is None


def test_orders_in_any_form_name_the_earlier_first() -> None:
    for text in ("Before the click there is a hiss.", "A hiss is succeeded by a click.", "The click follows the hiss."):
        order = [claim for claim in parse_caption(text).claims if claim.kind == "order"]
        assert [(set(one.about.voices), set(one.other.voices if one.other else ())) for one in order] == [
            ({"noise"}, {"click"})
        ]


def test_words_that_the_reader_does_not_know() -> None:
    assert unknown_words("The 2nd tone at 1.5 s grumbles loudly, with 440 Hz.") == ["grumbles"]


def test_every_pair_of_the_benchmark_differs_in_one_sentence() -> None:
    facts = facts_of(97001)
    pairs = pairs_of_scene(97001, facts, 3)
    true = {claim.text for claim in worded_claims(facts, 3)}
    assert len(pairs) > 5
    assert all(pair.true in true and pair.false not in true for pair in pairs)


def test_the_measuring_arbiter_chooses_the_answer_that_it_measures(duet: Path, session_store: ClipStore) -> None:
    request = ArbiterRequest(
        media=MediaRequest(clip=session_store.admit(duet)),
        duration=2.0,
        has_audio=True,
        question="Which sound is the loudest?",
        choices=["first", "second"],
        answers=["Step 1: listen. Answer: second", "The first."],
    )
    message = HumanMessage("", additional_kwargs={"request": request.fields()})
    reply = json.loads(MeasuringChat(store=session_store).invoke([message]).text)
    assert reply["answer"] == 2


def test_the_miniature_is_asked_a_short_question_a_claim_and_a_second_one_before_it_contradicts() -> None:
    claims = miniature_critic.turn_claims("bell at one, then nothing at two, then drum at nowhere, then reed at four")
    asked: list[str] = []

    def ask(question: StageQuestion) -> str:
        asked.append(question_text(question))
        said = {
            "What is odd in this clip?": "nothing",
            "Which instrument is the instrument after the bell?": "flute",
            "Which instrument is the instrument before the drum?": "flute",
            "How many instruments sound before the bell?": "1",
            "How many instruments sound before the reed?": "3",
            "At which spot is the bell?": "one",
            "At which spot is the reed?": "two",
        }
        return said.get(asked[-1], "drum")

    verdicts = [miniature_critic.ask_about_claim(claim, ask)["verdict"] for claim in claims]
    assert asked[:3] == [
        "Which instrument is the first instrument?",
        "How many instruments sound before the bell?",
        "At which spot is the bell?",
    ]
    assert verdicts == [
        "contradicted", "supported", "contradicted", "supported", "contradicted", "cannot_tell", "contradicted",
    ]  # fmt: skip
    assert score_verdicts(verdicts) == 2


def test_the_miniature_scores_the_share_of_turns_that_agree() -> None:
    own = "bell at one, then flute at two, then drum at three, then reed at four"
    told = "bell at one, then flute at three, then drum at two, then reed at four"
    found = miniature_critic.compare_turns(told, own)
    assert (found["score"], [window["start"] for window in found["windows"]]) == (5, [1.0, 2.0])
    assert miniature_critic.compare_turns("A bell rings.", own)["score"] is None


def test_an_answer_that_is_no_choice_contradicts_nothing() -> None:
    (claim,) = miniature_critic.turn_claims("bell at nowhere")[1:]
    assert miniature_critic.ask_about_claim(claim, lambda asked: "yam")["verdict"] == "cannot_tell"
    assert miniature_critic.ask_about_claim(claim, lambda asked: "nothing")["verdict"] == "contradicted"


def test_a_short_beep_may_be_called_a_click_and_a_click_is_no_tone(tmp_path: Path) -> None:
    sounds = [
        {"start": 0.8, "end": 0.85, "voice": "click", "level": -15},
        {"start": 1.6, "end": 2.1, "voice": "tone", "pitch": 440, "level": -18},
        {"start": 3.0, "end": 3.06, "voice": "tone", "pitch": 900, "level": -18},
    ]
    write_scene(parse_scene({"seconds": 4.0, "sounds": sounds}), tmp_path / "clip.mp4")
    store = ClipStore(Settings(home=tmp_path / "home", allow_any_file=True))
    clip = store.admit(tmp_path / "clip.mp4")
    evidence = measure_evidence(clip, [], clip["duration"], store)
    verdicts = {
        "A click is heard at 0.8 s.": "supported",
        "A click is heard at 0.8 s, then a click at 3.0 s.": "supported",
        "A click is heard at 1.6 s.": "contradicted",
        "A tone is heard at 0.8 s.": "contradicted",
        "At 3.0 s a click is heard.": "supported",
    }
    assert {text: measure_claim(text, evidence)["verdict"] for text in verdicts} == verdicts


def test_two_moments_are_no_span() -> None:
    assert plain_claim("A click at 0.5 s, then a click at 2 s.") is None
    assert plain_claim("A click from 0.5 s to 2 s.") == "a click can be heard from 0.5 s to 2 s"
    assert "more until" not in parse_caption("A click at 2.5 s, 14 more until 9.6 s.").claims[0].clause


def test_a_background_that_dissolves_into_another_is_not_supported_for_all_of_the_time() -> None:
    images = plain(6.0, (10, 10, 10))
    for number in range(3 * FPS, len(images)):
        share = min(1.0, (number - 3 * FPS) / (1.5 * FPS))
        images[number] = np.asarray([10, 10, 10]) * (1 - share) + np.asarray([235, 225, 190]) * share
    store = make(None, images)
    clip = store.reference("dissolve")
    evidence = measure_evidence(clip, [], 6.0, store)
    assert not evidence.video.cuts
    text = "The background is black."
    assert measure_claim(text, evidence)["verdict"] == "cannot_tell"
    still = make(None, plain(6.0, (10, 10, 10)))
    assert measure_claim(text, measure_evidence(still.reference("still"), [], 6.0, still))["verdict"] == "supported"
