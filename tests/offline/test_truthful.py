"""The keyless profile states what is true, says what it does not know, and answers what can be measured."""

from collections.abc import Callable

import numpy as np
import pytest

from aurelia_core.signals.observation import DetectedSound, Motion
from aurelia_offline.agents import inventory
from aurelia_offline.answering.finding import motion_words, sound_words
from aurelia_offline.critic.evaluate import assess_caption, measure_evidence
from aurelia_offline.questions.question import parse_question
from benchmarks.offline.schedules import RATE, MemoryStore, play_all_roles
from benchmarks.offline.truthful import (
    KINDS,
    Clip,
    Figures,
    answer_at_once,
    ask,
    make,
    outcomes,
    plain,
    sound_track,
    tone,
)


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_what_is_stated_is_true_and_most_is_answered(kind: Callable[[np.random.Generator], Clip]) -> None:
    """`python -m benchmarks.offline.truthful` asks more than 300 questions."""
    found = list(outcomes(1, [kind]))
    assert [(one.asked.question, one.answer) for one in found if one.stated and not one.true] == []
    figures = Figures.of(found)
    assert figures.answered >= 0.7 * figures.answerable


def test_a_question_that_depends_on_a_missed_sound_stays_open_and_names_it() -> None:
    events = [(1.0, tone(330, 0.5, -25)), (6.0, tone(5600, 0.5, -14))]
    store = make(sound_track(10.0, events), plain(10.0))
    expected = "unknown: not everything was heard clearly yet: there is more to hear between 5.8 s"
    for question in ("How many sounds are there?", "When is the loudest sound?", "Is there a click?"):
        assert answer_at_once(store, "b9", question).startswith(expected)
    assert ask(store, "b9", "When is the loudest sound?") == "6.0 s"


def test_a_long_clip_says_what_was_not_looked_at() -> None:
    seconds = 200.0
    times = np.arange(200) * 1.0
    images = np.zeros((200, 90, 160, 3), np.uint8)
    images[1:] = np.random.default_rng(1).integers(0, 256, (90, 160, 3))
    store = MemoryStore(np.zeros(round(seconds * RATE), np.float32), times, images, seconds)
    found = play_all_roles(store, "c1", "How many cuts are there?")
    said = "unknown: only frames 14 s apart were looked at; what happens between them is not known"
    assert found["answers"][1] == said
    assert "move" not in found["caption"] and "cut" not in found["caption"]


def test_the_critic_does_not_judge_motion_between_frames_that_are_far_apart() -> None:
    images = np.zeros((20, 90, 160, 3), np.uint8)
    images[::2, 20:60, 20:60] = 255
    store = MemoryStore(None, np.arange(20) * 3.0, images, 60.0)
    evidence = measure_evidence(store.reference("c2"), [], 60.0, store)
    assert evidence.video.motions == () and evidence.video.cuts == () and not evidence.video.shows_motion
    for caption in ("Nothing moves.", "Something white moves at the left from 3.0 s to 9.0 s.", "There are two cuts."):
        assert assess_caption(caption, evidence)["score"] is None


@pytest.mark.parametrize(
    "question",
    [
        "Does the sound explode?",
        "Is there a buzzing sound?",
        "How many penguins are there?",
        "Does the picture wobble like a jellyfish?",
        "Is the first sound melancholic?",
        "Is there a loud sound?",
        "Is there a high tone?",
    ],
)
def test_a_word_that_is_not_understood_is_not_ignored(question: str) -> None:
    query = parse_question(question, [])
    assert query.ask == "unknowable" and query.reason.startswith("the question speaks of '")


@pytest.mark.parametrize(
    ("question", "ask", "domain"),
    [
        ("Does the picture fade to black?", "exists", "fade_out"),
        ("Does the clip fade in from black?", "exists", "fade_in"),
        ("Is there a fade?", "exists", "fade"),
        ("What colour is the picture at the end?", "background", "background"),
        ("Is the second half louder than the first half?", "compare", "sound"),
        ("Does the sound start before the third second?", "exists", "sound"),
    ],
)
def test_questions_about_fades_and_the_whole_picture(question: str, ask: str, domain: str) -> None:
    query = parse_question(question, [])
    assert (query.ask, query.pick.domain) == (ask, domain)


@pytest.mark.parametrize(
    "question",
    [
        "Is the loudest sound at the beginning or at the end?",
        "Does the sound come from the left or from the right?",
        "Is there a louder sound after 3 s?",
        "Is the first sound on the left or right?",
        "Where is the loudest sound?",
        "What colour is the first sound?",
        "Is the sound the same throughout?",
        "Do sound and picture end at the same time?",
        "Is the sound continuous?",
        "Is the tone steady?",
        "Is there any colour in the picture?",
        "Is it dark at the beginning?",
        "Does it fade out at the end?",
        "What is in the middle of the picture?",
        "Is there any sound or movement?",
        "Is the first sound louder than the second half?",
    ],
)
def test_a_question_is_not_bent_into_the_nearest_one_that_is_measured(question: str) -> None:
    assert parse_question(question, []).ask == "unknowable"


def test_either_of_two_kinds_and_what_goes_on_from_before() -> None:
    images = plain(4.0)
    images[24:] = 255 - images[24:]
    images[:, 60:120, 20:60] = (220, 20, 20)
    for number in range(len(images)):
        images[number, 60:90, 150 + 2 * number : 180 + 2 * number] = (30, 60, 220)
    store = make(None, images)
    assert answer_at_once(store, "d1", "Is there a fade or a cut?") == "yes"
    assert answer_at_once(store, "d1", "Is there a fade or a flash?") == "no"
    assert answer_at_once(store, "d1", "Is anything moving in the last second?") == "yes"
    assert "blue" in answer_at_once(store, "d1", "What moves in the last second?")
    assert answer_at_once(store, "d1", "Is there red in the picture?") == "yes"
    assert answer_at_once(store, "d1", "Is there green in the picture?").startswith("unknown")


def test_equal_lengths_are_told_as_those_of_each_and_a_long_list_ends() -> None:
    clicks = make(sound_track(8.0, [(0.5 * (one + 1), tone(900, 0.2, -20)) for one in range(12)]), plain(8.0))
    assert ask(clicks, "d2", "How long does the sound last?").endswith(" s each")
    assert ask(clicks, "d2", "What is heard?").endswith("and 6 more until 6.2 s")


def test_the_third_second_is_a_time_and_a_half_is_compared_with_the_other() -> None:
    assert parse_question("Does the sound start before the third second?", []).pick.span == (2.0, 2.0)
    assert parse_question("Is there a beep in the 2nd second?", []).pick.span == (1.0, 2.0)
    halves = parse_question("Is the second half quieter?", [])
    assert halves.other is not None and (halves.pick.span, halves.other.span) == ((0.5, 1.0), (0.0, 0.5))


def test_two_events_are_compared_as_asked() -> None:
    order = parse_question("Is the high tone before or after the low tone?", [])
    assert (order.ask, order.pick.rank, order.other and order.other.rank) == ("order", "pitch+", "pitch-")
    chosen = parse_question("Which tone is higher, the first or the second?", [])
    assert (chosen.ask, chosen.prop, chosen.pick.nth, chosen.other and chosen.other.nth) == ("choose", "pitch+", 1, 2)
    assert chosen.pick.voice == "tone"


def test_words_for_people() -> None:
    rumble = DetectedSound(0.0, 8.0, -20.0, "noise", None, False, 0.1, 0.1, 60.0, 1.0, 50.0, 0.2)
    assert sound_words(rumble, []) == "a low rumble from 0.0 s to 8.0 s"
    brief = Motion(1.02, 1.04, 0.1, 0.5, 0.01, "red", 1.0)
    assert motion_words(brief) == "a red shape moves at the left at 1.0 s"


def test_a_coarse_look_does_not_deny_cuts() -> None:
    store = make(None, plain(60.0))
    from aurelia_core.signals.look import observe_clip

    seen = observe_clip(store, store.reference("d1"), None, [], 16, 48_000)
    assert inventory.describe_picture(seen) == ["The background is black."]
