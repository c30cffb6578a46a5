"""What the clip store shows and plays of every situation is what the file holds by its own time stamps."""

import numpy as np
import pytest

from aurelia_core.media import ClipStore
from aurelia_core.settings import Settings
from tests.media.makers import THIRDS, number_in, onsets_in, thirds_in
from tests.media.situations import ROWS

EVERYTHING = 10**6
SOUND_TOLERANCE = 0.005
"""Seconds."""


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("situations")


@pytest.fixture(scope="session")
def store(tmp_path_factory):
    return ClipStore(Settings(home=tmp_path_factory.mktemp("home"), allow_any_file=True))


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_a_situation(row, folder, store):
    ref = store.admit(row.make(folder))
    assert ref["duration"] == pytest.approx(row.duration, abs=0.08)
    assert any(row.note in note for note in [*store.track_notes(ref), ""])
    if row.beeps is None:
        assert not ref["has_audio"]
    else:
        (sound,) = store.audio(ref)
        assert onsets_in(sound.samples) == pytest.approx(row.beeps, abs=SOUND_TOLERANCE)
    if not row.numbers:
        assert ref["width"] is None
        return
    assert (ref["width"], ref["height"]) == row.size
    frames = store.frames(ref, [], EVERYTHING)
    check_frames(row, frames)


def check_frames(row, frames):
    """Every frame carries the number that the file holds at its time, and none is missing."""
    found = [number_in(image) for image in frames.images]
    truth = np.array(row.times)
    held = [row.numbers[int(np.argmin(np.abs(truth - time)))] for time in frames.times]
    assert found == held
    nearest = [float(np.abs(truth - time).min()) for time in frames.times]
    assert max(nearest) < 0.002
    # A frame for each twelfth of a second.
    ticks = np.arange(truth[0], truth[-1], 1 / 12)
    shown = {int(index) for index in np.searchsorted(truth, ticks + 0.003, side="right") - 1}
    assert {row.numbers[index] for index in shown} <= set(found)
    if row.colours:
        middle = thirds_in(frames.images[len(found) // 2])
        assert np.abs(np.array(middle) - THIRDS).max() < 25
