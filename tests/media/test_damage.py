"""Damaged files are refused with what is wrong and where; files that play are not."""

import re

import pytest

from aurelia_core.errors import MediaError
from tests.media.makers import film

FRONT = {"options": {"movflags": "faststart"}}
WHOLE = {
    "mp4": film("front.mp4", **FRONT),
    "mov": film("front.mov", sound="pcm_s16le", **FRONT),
    "mkv": film("whole.mkv", sound="flac"),
    "webm": film("whole.webm", "libvpx", "libopus"),
    "avi": film("whole.avi", "mpeg4", "libmp3lame"),
    "m4a": film("front.m4a", None, "aac", **FRONT),
    "wav": film("whole.wav", None, "pcm_s16le"),
    "flac": film("whole.flac", None, "flac"),
    "mp3": film("whole.mp3", None, "libmp3lame"),
    "ogg": film("whole.ogg", None, "libopus"),
    "aiff": film("whole.aiff", None, "pcm_s16be"),
    "caf": film("whole.caf", None, "pcm_s16be"),
    "wmv": film("whole.wmv", "wmv2", "wmav2", rate=44100, layout="stereo"),
    "flv": film("whole.flv"),
}
"""Containers that announce what they hold; ts, mpg, aac and amr do not, so a cut is no loss that can be seen."""
ANNOUNCE_NOTHING = {
    "ts": film("whole.ts"),
    "mpg": film("whole.mpg", "mpeg1video", "mp2", codec={"bit_rate": 2_000_000}),
    "aac": film("whole.aac", None, "aac"),
    "amr": film("whole.amr", None, "libopencore_amrnb", rate=8000),
}


def cut(maker, folder, tmp_path, share):
    """The first part of a file."""
    path = maker(folder)
    made = tmp_path / path.name
    content = path.read_bytes()
    made.write_bytes(content[: int(len(content) * share)])
    return made


def refusal(store, path):
    """The message with which a file is refused."""
    with pytest.raises(MediaError) as caught:
        store.admit(path)
    message = str(caught.value)
    assert message.startswith(path.name)
    return message


@pytest.mark.parametrize("kind", WHOLE)
def test_a_file_that_is_cut_short(store, folder, tmp_path, kind):
    message = refusal(store, cut(WHOLE[kind], folder, tmp_path, 0.6))
    seconds = [float(found) for found in re.findall(r"(\d+\.\d) s", message)]
    assert "cut short" in message and seconds and min(seconds) < 2.9


@pytest.mark.parametrize("kind", ANNOUNCE_NOTHING)
def test_a_part_of_a_stream_is_what_it_holds(store, folder, tmp_path, kind):
    ref = store.admit(cut(ANNOUNCE_NOTHING[kind], folder, tmp_path, 0.6))
    assert 1.0 < ref["duration"] < 3.0


@pytest.mark.parametrize("kind", ["mp4", "mov", "m4a"])
def test_no_index(store, folder, tmp_path, kind):
    maker = film(f"back.{kind}", *((None, "aac") if kind == "m4a" else ()))
    assert "no index (moov)" in refusal(store, cut(maker, folder, tmp_path, 0.6))


@pytest.mark.parametrize("kind", ["mp4", "mkv", "avi"])
def test_zeros_in_the_middle_of_the_picture(store, folder, tmp_path, kind):
    path = WHOLE[kind](folder)
    content = bytearray(path.read_bytes())
    middle = len(content) // 2
    content[middle : middle + len(content) // 5] = bytes(len(content) // 5)
    made = tmp_path / path.name
    made.write_bytes(content)
    message = refusal(store, made)
    assert "picture" in message or "sound" in message or "cut short" in message
    assert re.search(r"\d\.\d+ s|\d+ frames", message)


@pytest.mark.parametrize("kind", [*WHOLE, *ANNOUNCE_NOTHING])
def test_whole_files_are_admitted(store, folder, kind):
    ref = store.admit({**WHOLE, **ANNOUNCE_NOTHING}[kind](folder))
    assert ref["duration"] == pytest.approx(3.0, abs=0.1)
