"""The small valid clips that mutants are made from: one of each container, with a mark planted in what they say."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from tests.support import clips

MARK = "QZXJ"
"""Stands in every text of the clips, and where mutants name a format; no output may ever hold it."""
_SAID = {name: f"{MARK} {name} {MARK}" for name in ("title", "artist", "comment", "description", "copyright")}
_FILM: dict[str, Any] = {"seconds": 0.4, "fps": 10, "size": (64, 48), "sound_seconds": 0.4}


class Seed(NamedTuple):
    """A valid clip: the ending of its name, its bytes, and what it is used as (video, audio)."""

    ending: str
    data: bytes
    kind: str


def seeds(folder: Path) -> list[Seed]:
    """Make the clips (each a few kilobytes, 0.4 s) in a folder.

    Raises:
        RuntimeError: the mark did not get into one of them, so that a leak could not be seen.
    """
    made: list[Seed] = []
    for ending, options, kind in (
        ("mp4", {}, "video"),
        ("mp4", {"options": {"movflags": "frag_keyframe+empty_moov"}, "gop": 2}, "video"),
        ("mp4", {"options": {"movflags": "faststart"}, "codec": "mpeg4"}, "video"),
        ("mov", {"codec": "mpeg4", "sound_codec": "pcm_s16le"}, "video"),
        ("mkv", {}, "video"),
        ("webm", {"codec": "libvpx", "sound_codec": "libopus"}, "video"),
        ("avi", {"codec": "mpeg4", "sound_codec": "pcm_s16le"}, "video"),
        ("wav", {}, "audio"),
        ("mp3", {"codec": "libmp3lame"}, "audio"),
        ("m4a", {"codec": "aac", "container": "ipod"}, "audio"),
        ("flac", {"codec": "flac"}, "audio"),
        ("ogg", {"codec": "libopus"}, "audio"),
    ):
        make: Callable[..., Path] = clips.film if kind == "video" else clips.tune
        given = {**(_FILM if kind == "video" else {"seconds": 0.4}), **options, "metadata": _SAID}
        data = make(folder / f"seed-{len(made)}.{ending}", **given).read_bytes()
        if MARK.encode() not in data:
            raise RuntimeError(f"the {ending} does not hold the mark")
        made.append(Seed(ending, data, kind))
    return made
