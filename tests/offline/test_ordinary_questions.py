"""Ordinary questions about a clip: two tones, two squares that move one after the other, a white picture between."""

import pytest

from benchmarks.offline.schedules import MemoryStore
from benchmarks.offline.truthful import FPS, ask, bounce, make, plain, sound_track, tone


@pytest.fixture(scope="module")
def clip() -> MemoryStore:
    images = plain(10.0)
    images[4 * FPS : 5 * FPS] = 255
    bounce(bounce(images, [(0.5, 1.5)], 0.2, (220, 20, 20)), [(7.0, 9.0)], 0.8, (30, 60, 220))
    heard = sound_track(10.0, [(2.0, tone(440, 0.6, -30)), (6.0, tone(440, 0.8, -12))])
    return make(heard, images)


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("Is it louder in the first half or in the second half?", "in the second half"),
        ("Is the first half or the second half quieter?", "in the first half"),
        ("When is it quietest?", "unknown: several moments are about equally quiet"),
        ("Does anything move after the second sound?", "yes"),
        ("Does anything move before the first sound?", "yes"),
        ("Is the picture white at 4.5 seconds?", "yes"),
        ("Is the screen white at the end?", "no"),
        ("For how many seconds is there sound in total?", "1.4 s"),
    ],
)
def test_the_answer_is_that_of_the_question(clip: MemoryStore, question: str, answer: str) -> None:
    assert ask(clip, "ordinary", question) == answer


def test_the_one_quiet_part_is_told() -> None:
    heard = sound_track(6.0, [(0.0, tone(440, 2.0, -20)), (4.0, tone(440, 2.0, -20))])
    assert ask(make(heard, plain(6.0)), "quiet", "When is it quietest?") == "from 2.0 s to 4.0 s"
