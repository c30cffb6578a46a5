"""Records whose clips lack a sense, or have that of another clip: which sense does an answer need?

Nothing is encoded anew. A record names its media in another way: a silent track in place of the sound, the sound alone,
another clip's sound or picture, or a black picture in place of the clip.
"""

import math
import wave
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from PIL import Image

from aurelia.bench.records import Record, write_records
from aurelia_core.errors import InputError
from aurelia_core.media import ClipStore

_SILENCE_RATE = 16_000
_BLACK = "black.png"
FULL = "full"
SENSES = (FULL, "mute", "blind", "another sound", "another picture", "text only")
"""The conditions, in the order of the table."""


class SenseRecords(NamedTuple):
    """The file of records of each condition, and how many records were left out."""

    files: dict[str, Path]
    left_out: int


def write_sense_records(records: Sequence[Record], out: Path, store: ClipStore) -> SenseRecords:
    """Writes the records of every condition, and the silent tracks and the black picture that they name.

    Args:
        records: the questions; those without a video with sound of its own are left out.
        out: folder of the files, one of the store's media folders.
        store: tells which videos have a sound, and how long they are.

    Raises:
        InputError: no record can be used, or all of them are about one clip.
        MediaError: a clip cannot be read.
    """
    out.mkdir(parents=True, exist_ok=True)
    seconds = {}
    kept = []
    for record in records:
        if record.video is None or record.audio or record.images:
            continue
        if record.video not in seconds:
            ref = store.admit(record.video)
            seconds[record.video] = ref["duration"] if ref["has_audio"] and ref["width"] else None
        if seconds[record.video]:
            kept.append(record)
    clips = list(dict.fromkeys(record.clip_name for record in kept))
    if len(clips) < 2:
        raise InputError("The senses are compared on two clips or more, each a video with sound: there are fewer.")
    # The clip half the set further on: no clip gets itself, and each is used once.
    other = {clip: clips[(at + len(clips) // 2) % len(clips)] for at, clip in enumerate(clips)}
    silence = {clip: _write_silence(out, seconds[clip] or 0.0) for clip in clips}
    _write_black(out)
    changes: dict[str, Callable[[str], dict[str, object]]] = {
        FULL: lambda clip: {},
        "mute": lambda clip: {"audio": [silence[clip]]},
        "blind": lambda clip: {"video": None, "audio": [clip]},
        "another sound": lambda clip: {"audio": [other[clip]]},
        "another picture": lambda clip: {"video": other[clip], "audio": [clip]},
        "text only": lambda clip: {"video": None, "images": [_BLACK]},
    }
    files = {}
    for name in SENSES:
        files[name] = out / f"{name.replace(' ', '-')}.jsonl"
        write_records((one.model_copy(update=changes[name](one.clip_name)) for one in kept), files[name])
    return SenseRecords(files, len(records) - len(kept))


def _write_silence(out: Path, seconds: float) -> str:
    """A silent track at least as long as a clip, shared by clips of nearly the same length; its name."""
    length = max(1, math.ceil(seconds))
    path = out / f"silence-{length}.wav"
    if not path.exists():
        part = path.with_suffix(".part")
        with wave.open(str(part), "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(_SILENCE_RATE)
            file.writeframes(bytes(2 * _SILENCE_RATE * length))
        part.replace(path)
    return path.name


def _write_black(out: Path) -> None:
    path = out / _BLACK
    if not path.exists():
        part = path.with_suffix(".part")
        Image.new("RGB", (64, 64)).save(part, "PNG")
        part.replace(path)
