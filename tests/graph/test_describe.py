"""`unsupported_modality = "describe:MODEL"`: a model describes what others cannot take; once, and billed."""

import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from aurelia.cli.doctor import examine_machine
from aurelia.run.ask import score_caption
from aurelia_core.errors import InputError, ModelError
from aurelia_core.models.call_ledger import MAX_TRIES
from aurelia_core.settings import Settings
from state.context import Context, make_context
from tests.support.google_fixtures import SPEC
from tests.support.google_server import KEY as GOOGLE_KEY
from tests.support.google_server import Gemini, error
from tests.support.openai_fixtures import AGENTS
from tests.support.scripted import verdict

pytestmark = pytest.mark.enable_socket
HEARD = "0.20-0.70 s: a loud tone\n1.20-1.80 s: a soft, higher tone"
QUOTED = "\n".join(f"> {line}" for line in HEARD.splitlines())
DESCRIBED = {"unsupported_modality": f"describe:{SPEC}"}
SEEING = ("generator", "evaluator", "target")


async def test_one_description_serves_three_attempts_both_answers_and_the_next_question(
    gemini: Gemini, place: Any
) -> None:
    set_up = place(evaluator=[verdict(3), verdict(4), verdict(5)])
    result = await set_up.ask(max_iterations=3, **DESCRIBED)
    assert [role for role, _ in gemini.asked] == ["describer"]
    assert len(result["iterations"]) == 3 and (result["answer"], result["zero_shot_answer"]) == ("an answer",) * 2
    seeing = [sent for sent in set_up.server.sent if sent.role in SEEING]
    assert len(seeing) == 8 and set_up.server.refused == gemini.refused == []
    said = f"The sound cannot be given to you; this stands in its place. \n{QUOTED}"
    assert all(sent.text.count(said) == 1 and "Measured in the sound" not in sent.text for sent in seeing)
    assert all("a soft, higher tone" not in sent.text for sent in set_up.server.sent if sent.role not in SEEING)
    warned = f"openai:gpt-4o does not hear: it was given the description of the sound by {SPEC} instead."
    assert result["warnings"] == [warned]
    own = sum(len(set_up.server.by(role)) for role in AGENTS)
    assert result["usage"]["calls"] == own + 1
    assert result["usage"]["input_tokens"] > gemini.billed["input"] == 1000
    clip = set_up.desk.store.admit(set_up.clip)
    question: Any = {"video": clip["id"], "question": "How many sounds are there?"}
    from aurelia.run.ask import answer_question

    context = {**dict.fromkeys(AGENTS, "openai:gpt-4o"), "frames": 3, "max_iterations": 1, **DESCRIBED}
    asked = set_up.server.asked
    again = await answer_question(question, make_context(context), client=set_up.desk)
    assert len(gemini.asked) == 1
    assert again["usage"]["calls"] == set_up.server.asked - asked
    assert QUOTED in set_up.server.by("target")[-1].text


async def test_the_describer_is_shown_the_clip_and_told_what_to_write(gemini: Gemini, place: Any) -> None:
    set_up = place()
    await set_up.ask(max_iterations=1, **DESCRIBED)
    parts = gemini.asked[0][1]["contents"][0]["parts"]
    assert "inlineData" in parts[0] and parts[1]["text"].startswith("About the clip")
    assert "cannot hear it" in parts[-1]["text"] and "What is heard?" not in parts[-1]["text"]


async def test_the_same_head_stands_before_every_role(gemini: Gemini, place: Any) -> None:
    set_up = place(evaluator=[verdict(3), verdict(9)])
    await set_up.ask(**DESCRIBED)
    heads = set()
    for sent in (sent for sent in set_up.server.sent if sent.role in SEEING):
        about = next(n for n, part in enumerate(sent.parts) if part.get("text", "").startswith("About the clip"))
        heads.add(json.dumps(sent.parts[: about + 1]))
    assert len(heads) == 1 and QUOTED in json.loads(heads.pop())[-2]["text"]


async def test_another_rollout_has_a_description_of_its_own(gemini: Gemini, place: Any) -> None:
    gemini.script["describer"] = ["a bell rings", "a horn blows"]
    set_up = place()
    for rollout in (0, 1):
        await set_up.ask(max_iterations=1, compare=False, rollout=rollout, **DESCRIBED)
    first, second = [sent.text for sent in set_up.server.by("target")]
    assert "a bell rings" in first and "a horn blows" in second and "a bell rings" not in second


async def test_models_of_one_provider_see_and_hear_for_each_other(place: Any) -> None:
    set_up = place(target=lambda body: "seen or heard")
    listener = "openai:gpt-4o-audio-preview"
    result = await set_up.ask(max_iterations=1, unsupported_modality=f"describe:{listener}")
    described = [sent for sent in set_up.server.sent if "You are the Describer" in sent.text]
    assert len(described) == 1
    assert len(described[0].of("input_audio")) == 1 and described[0].of("image_url") == []
    assert "cannot be given to you" not in described[0].text
    assert result["warnings"] == [
        f"openai:gpt-4o does not hear: it was given the description of the sound by {listener} instead."
    ]


async def test_what_a_model_cannot_see_is_described_too(gemini: Gemini, place: Any) -> None:
    gemini.script["describer"] = lambda number, body: ("heard it", "saw it")["see it" in json.dumps(body)]
    set_up = place()
    blind = "openai:gpt-4o-audio-preview"
    result = await set_up.ask(max_iterations=1, target=blind, **DESCRIBED)
    assert [role for role, _ in gemini.asked] == ["describer"] * 2
    target, evaluator = set_up.server.by("target")[0], set_up.server.by("evaluator")[0]
    assert "The picture cannot be given to you; this stands in its place. \n> saw it" in target.text
    assert len(target.of("input_audio")) == 1 and "heard it" not in target.text
    assert "heard it" in evaluator.text and "saw it" not in evaluator.text
    assert f"{blind} does not see: it was given the description of the picture by {SPEC} instead." in result["warnings"]


async def test_candidate_tracks_are_described_in_one_text(gemini: Gemini, place: Any, duet: Path) -> None:
    set_up = place()
    await set_up.ask(max_iterations=1, audio=[str(duet), str(duet)], **DESCRIBED)
    kinds = [
        part["inlineData"]["mimeType"] for part in gemini.asked[0][1]["contents"][0]["parts"] if "text" not in part
    ]
    assert kinds.count("audio/wav") == 2
    text = set_up.server.by("target")[0].text
    assert text.count(QUOTED) == 1 and "Candidate sound track" not in text


async def test_models_that_take_everything_need_no_description(gemini: Gemini, play: Any, duet: Path) -> None:
    result = await play(duet, max_iterations=1, **DESCRIBED)
    assert "describer" not in gemini.roles() and result["warnings"] == []


async def test_a_description_stays_with_its_run_when_it_is_stopped(gemini: Gemini, place: Any) -> None:
    from langgraph.checkpoint.memory import InMemorySaver

    from graph.build import build_graph

    set_up = place()
    graph = build_graph(client=set_up.desk, checkpointer=InMemorySaver())
    config: Any = {"configurable": {"thread_id": "one"}}
    context = make_context({**dict.fromkeys(AGENTS, "openai:gpt-4o"), "frames": 4, "max_iterations": 1, **DESCRIBED})
    question: Any = {"video": str(set_up.clip), "question": "What is heard?"}
    await graph.ainvoke(question, config, context=context, interrupt_after=["evaluator"])
    result = await graph.ainvoke(None, config, context=context)
    assert len(gemini.asked) == 1 and result["usage"]["calls"] == len(set_up.server.sent) + 1


async def test_a_caption_is_scored_with_the_description(gemini: Gemini, place: Any) -> None:
    set_up = place()
    clip = set_up.desk.store.admit(set_up.clip)
    context = Context(evaluator="openai:gpt-4o", unsupported_modality=DESCRIBED["unsupported_modality"])
    found = await score_caption(clip, [], "Two tones are heard.", context, set_up.desk)
    assert (found["score"], found["usage"]["calls"]) == (9, 2)
    assert QUOTED in set_up.server.sent[0].text


async def test_a_describer_that_fails_ends_the_run_before_the_loop_is_paid_for(gemini: Gemini, place: Any) -> None:
    gemini.faults["generate"] = [error(500, "INTERNAL", "An internal error has occurred.")] * 9
    set_up = place()
    with pytest.raises(
        ModelError, match="sound could not be described for the models that cannot take it: google_genai"
    ):
        await set_up.ask(**DESCRIBED)
    assert (gemini.calls["generate"], set_up.server.asked) == (MAX_TRIES, 0)


@pytest.mark.parametrize(
    ("describer", "said"),
    [
        ("offline:measure", 'set unsupported_modality = "evidence"'),
        ("openai:gpt-4o", "openai:gpt-4o cannot describe the sound because it does not accept sound"),
        ("nowhere:x", "There is no model 'nowhere:x'"),
        ("google_genai:gemini-0-none", "Google has no such model"),
    ],
)
async def test_a_describer_that_cannot_is_refused_before_anything_is_paid(
    gemini: Gemini, place: Any, describer: str, said: str
) -> None:
    set_up = place()
    with pytest.raises(InputError, match=said):
        await set_up.ask(unsupported_modality=f"describe:{describer}")
    assert set_up.server.asked == gemini.calls["generate"] == 0


async def test_a_wrong_key_of_the_describer_is_said_first(
    gemini: Gemini, place: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GOOGLE_API_KEY", "AIza-wrong")
    set_up = place()
    with pytest.raises(InputError, match="does not accept the key"):
        await set_up.ask(**DESCRIBED)
    assert (gemini.calls, set_up.server.asked) == ({"model": 1}, 0)


@pytest.mark.slow
def test_the_doctor_asks_for_the_describers_key(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    from aurelia import profiles

    known = profiles.read_profile
    monkeypatch.setattr(profiles, "read_profile", lambda name: {**known(name), **DESCRIBED})
    monkeypatch.delenv("GOOGLE_API_KEY", raising=False)
    monkeypatch.delenv("GEMINI_API_KEY", raising=False)
    found = {profile["name"]: profile["lacks"] for profile in examine_machine(settings)["profiles"]}
    assert found["offline"] == ["the variable GOOGLE_API_KEY or GEMINI_API_KEY"]


@pytest.mark.parametrize("value", ["describe", "describe:", "describe:gemini", "guess", "describe:google_genai:a b"])
def test_what_is_neither_word_nor_model_is_refused(value: str) -> None:
    with pytest.raises(InputError, match="unsupported_modality"):
        make_context({"unsupported_modality": value})


def test_the_form_shows_one_line_of_text_with_examples() -> None:
    shown = Context.model_json_schema()["properties"]["unsupported_modality"]
    assert shown["type"] == "string" and "describe:" in " ".join(shown["examples"])
    assert Context(unsupported_modality="evidence").describer is None
    assert Context(**DESCRIBED).describer == SPEC


async def test_the_ledger_keeps_the_description_and_no_key(gemini: Gemini, place: Any) -> None:
    set_up = place()
    await set_up.ask(max_iterations=1, **DESCRIBED)
    set_up.desk.close()
    with sqlite3.connect(set_up.ledger) as connection:
        rows = connection.execute("SELECT spec, reply FROM calls WHERE role = 'describer'").fetchall()
    connection.close()
    assert len(rows) == 1 and rows[0][0] == SPEC and "a soft, higher tone" in rows[0][1]
    assert GOOGLE_KEY.encode() not in set_up.ledger.read_bytes()
