"""A row of the table of situations: how a file is made, and what it holds by its own time stamps."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from tests.media.makers import BEEPS, FPS, FRAMES, SIZE, Maker, film

ALL = tuple(range(FRAMES))
EVEN = tuple(number / FPS for number in range(FRAMES))


@dataclass(frozen=True)
class Row:
    """One situation.

    Attributes:
        name: what is special.
        make: the maker of the file.
        numbers: the numbers of the frames, in the order of time; none means that there is no picture.
        times: their times from the clip's start, seconds.
        beeps: the onsets of the beeps from the clip's start, seconds; None means that there is no sound.
        size: of the upright picture.
        duration: of the clip, seconds.
        note: words in a warning about the tracks.
        colours: whether the thirds have their colours.
        view: turns the picture that is shown into the one that was drawn.
        picture: the track's place among the picture tracks that are no cover.
        sound: the track's place among the sound tracks.
        as_ffmpeg: whether the ffmpeg program gives the same times (no: it knows less than a player).
    """

    name: str
    make: Maker
    numbers: Sequence[int] = ALL
    times: Sequence[float] = EVEN
    beeps: Sequence[float] | None = BEEPS
    size: tuple[int, int] = SIZE
    duration: float = 3.0
    note: str = ""
    colours: bool = True
    view: Callable[[Any], Any] = lambda image: image
    picture: int = 0
    sound: int = 0
    as_ffmpeg: bool = True


def late(seconds, values=EVEN):
    """Times that are later."""
    return tuple(value + seconds for value in values)


BASE = film("base.mp4")
LONG = film("long.mp4", gop=250, codec_options={"bf": "3"})
MOV = film("base.mov", sound="pcm_s16le")
MKV = film("base.mkv", sound="pcm_s16le")
OPUS = film("base.webm", "libvpx", "libopus")
SOUND_ONLY = {"numbers": (), "times": ()}
