"""The text on the picture, by RapidOCR: its weights come inside its package and run in onnxruntime, without torch.

A picture that does not change is read once. Measured on drawn text (docs/results/witnesses.md): letters from a 25th of
the picture's height are read.
"""

import re
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from functools import cache
from itertools import pairwise
from typing import Any

import numpy as np

from aurelia_core.arrays import Images, Vector
from aurelia_core.claims import Claim, ClaimKind, Finding
from aurelia_core.types import Span, Window
from aurelia_core.witnesses.base import (
    ClipView,
    decide,
    missing_packages,
    threshold,
    undecided,
)

_NAME = "rapidocr"
_PACKAGES = ("rapidocr", "onnxruntime")
_DETECTION_SIDE = 480
_GRID_FRAMES = 360
_CLOSE_FRAMES, _CLOSE_HEIGHT, _CLOSE_SIDE, _RAISED = 16, 720, 960, 6.0
_HINT_SCORE, _HINT_LETTERS, _STRAY_LETTERS = 0.6, 3, 2
_BLOCK = 12
_PART_SECONDS = 1.0
_MAX_GAP_SECONDS = 2.0
"""Longest time between two pictures that are read: no text that can be read in passing is shown for less."""
_QUOTED = re.compile(r"[\"“”«»]([^\"“”«»]{1,80})[\"“”«»]|(?<!\w)'([^']{1,80})'(?!\w)")
_ANY_TEXT = re.compile(
    r"\b(text|words?|letters?|writing|written|caption|captions|subtitles?|sign|title|logo)\b", re.IGNORECASE
)
_lock = threading.Lock()


@dataclass(frozen=True, slots=True)
class TextLine:
    """One line of text on the picture.

    Attributes:
        text: as it was read.
        score: the reader's own, 0..1.
        start, end: when the picture with this line is shown, seconds.
        x, y: its centre, fractions of the picture.
        height: height of the line, a fraction of the picture's.
        readings: number of pictures in which it was read.
    """

    text: str
    score: float
    start: float
    end: float
    x: float
    y: float
    height: float
    readings: int = 1


@dataclass(frozen=True, slots=True)
class Reading:
    """What was read of a clip.

    Attributes:
        lines: in order of time, and from top to bottom.
        hinted: whether something like text was seen that could not be read: small, dim or doubtful letters.
        complete: whether no two pictures that were read lie more than two seconds apart, or none was left out.
    """

    lines: tuple[TextLine, ...]
    complete: bool
    hinted: bool = False


@cache
def _engine(side_pixels: int) -> Any:
    from rapidocr import RapidOCR

    side = {"Det.limit_side_len": side_pixels, "Det.limit_type": "max"}
    threads = {f"EngineConfig.onnxruntime.{kind}_op_num_threads": 1 for kind in ("intra", "inter")}
    return RapidOCR(params={"Global.log_level": "critical", "Global.use_cls": False, **side, **threads})


def read_picture(image: Images, side: int = _DETECTION_SIDE) -> list[tuple[str, float, Any]]:
    """The lines of one picture, uint8[H, W, 3] RGB: text, score 0..1, and the corners in pixels, float[4, 2].

    Args:
        image: the picture.
        side: pixels of its longer side in which lines are looked for.
    """
    with _lock:
        found = _engine(side)(np.ascontiguousarray(image[..., ::-1]))
    if found.txts is None:
        return []
    return list(zip(found.txts, map(float, found.scores), found.boxes, strict=True))


def read_clip(view: ClipView, window: Window | None = None) -> Reading:
    """The text of a clip, or of a window of it; measured once a view and window.

    Raises:
        MediaError: the picture cannot be decoded.
    """
    key = (_NAME, *(window.values() if window else ()))
    if key not in view.memory:
        view.memory[key] = _read(view, window)
    found: Reading = view.memory[key]
    return found


def _read(view: ClipView, window: Window | None) -> Reading:
    if not view.has_picture:
        return Reading((), complete=True)
    times, images = view.frames(window, _GRID_FRAMES, 180)
    runs = _steady_runs(images)
    chosen = _chosen_runs(runs, times, int(threshold(_NAME, "frames")))
    read = [_read_run(view, times, run, shown) for run, shown in zip(chosen, _shown_times(chosen, times), strict=True)]
    joined = _joined([line for lines in read for line in lines])
    # One or two letters in a single picture of several are read into hands and hammers.
    lines = [line for line in joined if line.readings > 1 or len(chosen) == 1 or _letters(line.text) > _STRAY_LETTERS]
    middles = [times[(first + last) // 2] for first, last in chosen]
    gaps = [after - before for before, after in pairwise(middles)]
    complete = len(chosen) == len(runs) or max(gaps, default=0.0) <= _MAX_GAP_SECONDS
    hinted = not lines and (bool(joined) or _hints_text(view, window))
    return Reading(tuple(lines), complete, hinted)


def _shown_times(runs: list[tuple[int, int]], times: Vector) -> list[Span]:
    """How long each run is taken to be shown: with half of what was left out between two, seconds."""
    middles = [(before[1] + after[0]) // 2 for before, after in pairwise(runs)]
    halves = [-1, *middles, len(times) - 1]
    return [(float(times[first + 1]), float(times[last])) for first, last in pairwise(halves)]


def _letters(text: str) -> int:
    return sum(map(str.isalnum, text))


def _hints_text(view: ClipView, window: Window | None) -> bool:
    """Whether pictures in full size, and what stands still in all of them, show something like letters."""
    from scipy.ndimage import gaussian_filter

    images = view.frames(window, _CLOSE_FRAMES, _CLOSE_HEIGHT)[1]
    standing = np.median(images.mean(axis=3, dtype=np.float32), axis=0)
    # A pale mark on every picture stands out where its surroundings are taken away.
    raised = 128 + _RAISED * (standing - gaussian_filter(standing, standing.shape[0] / 30))
    grey = np.repeat(np.clip(raised, 0, 255).astype(np.uint8)[..., None], 3, axis=2)
    found = [line for image in (*images[:: len(images) // 2 + 1], grey) for line in read_picture(image, _CLOSE_SIDE)]
    return any(score >= _HINT_SCORE and _letters(text) >= _HINT_LETTERS for text, score, _ in found)


def _chosen_runs(runs: list[tuple[int, int]], times: Vector, most: int) -> list[tuple[int, int]]:
    """The runs that are read: the longest one in each second, or in each of `most` parts of a longer time.

    Text stands still for a while: where pictures change all the time, the one that lasts longest shows it best.
    """
    span = float(times[-1] - times[0])
    parts = min(most, int(np.ceil(span / _PART_SECONDS)) + 1)
    if len(runs) <= parts:
        return runs
    chosen: dict[int, tuple[int, int]] = {}
    for first, last in runs:
        middle = float(times[(first + last) // 2] - times[0])
        part = min(parts - 1, int(middle / span * parts))
        known = chosen.get(part)
        if known is None or last - first > known[1] - known[0]:
            chosen[part] = (first, last)
    return [chosen[part] for part in sorted(chosen)]


def _steady_runs(images: Images) -> list[tuple[int, int]]:
    """The runs of frames, (first, last), in which no block of the picture changes clearly."""
    rows, columns = (max(1, size // _BLOCK) for size in images.shape[1:3])
    grid = images[:, : rows * (images.shape[1] // rows), : columns * (images.shape[2] // columns)].mean(axis=3)
    blocks = grid.reshape(len(images), rows, grid.shape[1] // rows, columns, -1).mean(axis=(2, 4))
    runs, first = [], 0
    for number in range(1, len(blocks)):
        if np.abs(blocks[number] - blocks[first]).max() > threshold(_NAME, "changed"):
            runs.append((first, number - 1))
            first = number
    return [*runs, (first, len(blocks) - 1)]


def _read_run(view: ClipView, times: Vector, run: tuple[int, int], shown: Span) -> list[TextLine]:
    """The lines of the picture in the middle of a run, read at the height in the thresholds."""
    middle = float(times[(run[0] + run[1]) // 2])
    image = _picture_at(view, middle, int(threshold(_NAME, "height")))
    lines = []
    for text, score, corners in read_picture(image):
        if score < threshold(_NAME, "least_score") or not _letters(text):
            continue
        box = np.asarray(corners, float) / (image.shape[1], image.shape[0])
        x, y = box.mean(axis=0)
        height = float(np.ptp(box[:, 1]))
        lines.append(TextLine(text.strip(), score, *shown, float(x), float(y), height))
    return sorted(lines, key=lambda line: (round(line.y, 1), line.x))


def _picture_at(view: ClipView, time: float, height: int) -> Images:
    length = view.clip["duration"]
    if not length:
        return np.asarray(view.frames(None, 1, height)[1][0])
    window = Window(start=max(0.0, min(time, length - 0.05) - 0.02), end=min(length, time + 0.03))
    times, images = view.frames(window, 4, height)
    return np.asarray(images[int(np.abs(times - time).argmin())])


def _joined(lines: Sequence[TextLine]) -> list[TextLine]:
    """Lines with the same text at the same place, one after the other, as one."""
    joined: list[TextLine] = []
    for line in lines:
        for number, known in enumerate(joined):
            near = abs(known.x - line.x) + abs(known.y - line.y) < 0.1 and line.start - known.end < 1.0
            if near and similarity(known.text, line.text) > 0.9 and len(known.text) == len(line.text):
                better = max(known, line, key=lambda one: one.score)
                joined[number] = TextLine(
                    better.text,
                    better.score,
                    known.start,
                    line.end,
                    known.x,
                    known.y,
                    known.height,
                    known.readings + 1,
                )
                break
        else:
            joined.append(line)
    return joined


def quoted_texts(text: str) -> list[str]:
    """The texts in quotation marks."""
    return [first or second for first, second in _QUOTED.findall(text)]


def similarity(claimed: str, read: str) -> float:
    """How much of a claimed text stands in a text that was read, 0..1; case, spaces and punctuation do not count."""
    asked, found = (re.sub(r"[\W_]+", "", text.casefold()) for text in (claimed, read))
    if not asked:
        return 0.0
    if asked in found:
        return 1.0
    if any(number not in re.findall(r"\d+", read) for number in re.findall(r"\d+", claimed)):
        # A wrong digit is another number, however alike the rest is.
        return 0.0
    width = len(asked)
    parts = [found[at : at + width] for at in range(max(1, len(found) - width + 1))]
    return max(SequenceMatcher(None, asked, part, autojunk=False).ratio() for part in parts)


class WrittenWitness:
    """Claims about text on the picture: a quoted text, or that there is any."""

    name = _NAME
    kinds: frozenset[ClaimKind] = frozenset({"text"})

    def lacks(self) -> list[str]:
        """The packages that are not installed."""
        return missing_packages(_PACKAGES)

    def check(self, claim: Claim, view: ClipView) -> Finding:
        """Reads every distinct picture of the window, and compares the claimed text with it."""
        quoted = quoted_texts(claim["text"]) or [text for text in [claim.get("value", "")] if text]
        if not view.has_picture:
            return undecided(claim, _NAME, "there is no picture")
        if not quoted and not _ANY_TEXT.search(claim["text"]):
            return undecided(claim, _NAME, "the claim quotes no text")
        reading = read_clip(view, claim["window"])
        shown = "; ".join(f'"{line.text}"' for line in reading.lines[:8]) or "no text"
        score = min([_best_match(text, reading.lines) for text in quoted] or [float(bool(reading.lines))])
        limits = threshold(_NAME, "unlike"), threshold(_NAME, "alike")
        if score <= limits[0] and not reading.complete:
            return undecided(claim, _NAME, f"{shown} was read, but not every picture was read")
        if score <= limits[0] and reading.hinted:
            return undecided(claim, _NAME, f"{shown} was read; something like letters is too small or too dim to read")
        return decide(claim, _NAME, score, limits, f"{shown} was read")


def _best_match(claimed: str, lines: Sequence[TextLine]) -> float:
    """The best similarity of a claimed text with one line, or with the lines that are shown together."""
    together: dict[float, str] = {}
    for line in lines:
        together[line.start] = f"{together.get(line.start, '')} {line.text}"
    texts = [*(line.text for line in lines), *together.values()]
    return max((similarity(claimed, text) for text in texts), default=0.0)
