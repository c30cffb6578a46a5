"""What the clip store shows and plays of every situation is what the file holds by its own time stamps."""

import av
import numpy as np
import pytest

from aurelia_core.media import ClipStore
from aurelia_core.settings import Settings
from tests.media.makers import THIRDS, ffmpeg_frames, ffmpeg_sound, number_in, onsets_in, thirds_in
from tests.media.situations import ROWS

EVERYTHING = 10**6
COVER = av.stream.Disposition.attached_pic
SOUND_TOLERANCE = 0.005
"""Seconds."""


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_a_situation(row, folder, store):
    ref = store.admit(row.make(folder))
    assert ref["duration"] == pytest.approx(row.duration, abs=0.08)
    assert row.note in " ".join(store.track_notes(ref))
    if row.beeps is None:
        assert not ref["has_audio"]
    else:
        (sound,) = store.audio(ref)
        assert onsets_in(sound.samples) == pytest.approx(row.beeps, abs=SOUND_TOLERANCE)
    if not row.numbers:
        assert ref["width"] is None
        return
    assert (ref["width"], ref["height"]) == row.size
    check_frames(row, store.frames(ref, [], EVERYTHING))
    # Single frames of another height are looked up in the file, not in the grid.
    for start in (0.6 * ref["duration"], 0.4 * ref["duration"]):
        (time,), (image,) = store.frames(ref, [{"start": start, "end": start + 0.05}], 1, height=ref["height"] - 2)
        nearest = int(np.argmin(np.abs(np.array(row.times) - time)))
        assert number_in(row.view(image)) == row.numbers[nearest]


@pytest.mark.parametrize(
    "row", [row for row in ROWS if "open groups" in row.name or "cut by" in row.name], ids=lambda row: row.name
)
def test_decord_is_used_only_where_it_shows_the_same(row, folder, tmp_path):
    store = ClipStore(Settings(home=tmp_path, allow_any_file=True), reader="decord")
    check_frames(row, store.frames(store.admit(row.make(folder)), [], EVERYTHING))


@pytest.mark.slow
@pytest.mark.parametrize("row", [row for row in ROWS if row.as_ffmpeg], ids=lambda row: row.name)
def test_the_ffmpeg_program_tells_the_same(row, folder):
    path = row.make(folder)
    with av.open(str(path)) as opened:
        pictures = [stream.index for stream in opened.streams.video if not stream.disposition & COVER]
        sounds = [stream.index for stream in opened.streams.audio]
    origin = np.inf
    if row.numbers:
        times, numbers = ffmpeg_frames(path, pictures[row.picture], row.size, row.view)
        origin = times[0]
    if row.beeps is not None:
        start, samples, rate = ffmpeg_sound(path, sounds[row.sound])
        if start < origin - 0.1:
            origin = start
        onsets = [onset + start - origin for onset in onsets_in(samples, rate)]
        assert onsets == pytest.approx(row.beeps, abs=SOUND_TOLERANCE)
    if row.numbers:
        assert numbers == list(row.numbers)
        assert np.array(times) - origin == pytest.approx(np.array(row.times), abs=0.002)


def check_frames(row, frames):
    """Every frame carries the number that the file holds at its time, and none is missing."""
    found = [number_in(row.view(image)) for image in frames.images]
    truth = np.array(row.times)
    held = [row.numbers[int(np.argmin(np.abs(truth - time)))] for time in frames.times]
    assert found == held
    nearest = [float(np.abs(truth - time).min()) for time in frames.times]
    assert max(nearest) < 0.002
    # A frame for each twelfth of a second.
    ticks = np.arange(0.0, truth[-1], 1 / 12)
    shown = {int(index) for index in np.maximum(np.searchsorted(truth, ticks + 1e-4, side="right") - 1, 0)}
    assert {row.numbers[index] for index in shown} <= set(found)
    seen = row.view(frames.images[len(found) // 2]).astype(int)
    assert np.abs(seen[10:40:2] - seen[11:41:2]).mean() < 10, "combed"
    if row.colours:
        middle = thirds_in(row.view(frames.images[len(found) // 2]))
        assert np.abs(np.array(middle) - THIRDS).max() < 25
