"""From facts to the Evaluator's verdict: one score, a sentence or two, and the windows in doubt.

The map, with S the weight of what is supported, C of what is contradicted and O of what the caption leaves out
(section 3.2 asks how well the caption fits the clip, on 1..10):

    score = 1 + 9 * (S + 1/2) / (S + 1/2 + C) * exp(-0.36 C) * exp(-(1 - exp(-O / 2.5)))

It falls with every contradiction and every omission and rises with support. Omissions wear off (a short caption that is
true stays above 4), but a single clear one is felt. 10 is kept for a caption of which nothing is contradicted and that
leaves out nothing clear.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

from aurelia_core.types import Window
from aurelia_offline.critic.activity_checks import CLEAR_PICTURE, moving_share
from aurelia_offline.critic.base_checks import CheckResults
from aurelia_offline.critic.evidence import Evidence, HeardSound, SeenMotion, VideoEvidence
from aurelia_offline.critic.matching import Fact, heard_sound_name

_UNSURE_BELOW = 0.25
_MAX_WINDOWS = 4
_PAD_SECONDS = 0.25


class Omission(NamedTuple):
    """Something the clip has and the caption leaves out: in words, where, and how much it matters (0..1)."""

    text: str
    window: tuple[float, float]
    weight: float


class CaptionVerdict(NamedTuple):
    """The Evaluator's reply: score 1..10 or None, its grounds, and where to look again."""

    score: int | None
    justification: str
    windows: list[Window]


def make_verdict(
    ledger: CheckResults, omissions: Sequence[Omission], unchecked: int, duration: float
) -> CaptionVerdict:
    """Score a caption.

    Args:
        ledger: what came of checking its claims.
        omissions: what it leaves out.
        unchecked: clauses of which nothing could be measured.
        duration: of the clip, seconds; windows stay inside.
    """
    supported = [fact for fact in ledger.facts if fact.verdict >= _UNSURE_BELOW]
    wrong = sorted(
        (fact for fact in ledger.facts if fact.verdict <= -_UNSURE_BELOW), key=lambda fact: fact.verdict * fact.weight
    )
    if not supported and not wrong:
        return CaptionVerdict(None, _nothing_checked(ledger, unchecked), [])
    value = caption_strength(ledger.facts, omissions)
    clean = not wrong and sum(omission.weight for omission in omissions) < 0.3
    score = 10 if clean else max(1, min(9, round(value)))
    spots = [fact.window for fact in wrong if fact.window] + [omission.window for omission in omissions]
    return CaptionVerdict(
        score, _justification(supported, wrong, omissions, unchecked), _doubt_windows(spots, duration)
    )


def caption_strength(facts: Sequence[Fact], omissions: Sequence[Omission]) -> float:
    """The score before rounding, 1..10, by the map above."""
    support = sum(fact.verdict * fact.weight for fact in facts if fact.verdict >= _UNSURE_BELOW)
    against = sum(-fact.verdict * fact.weight for fact in facts if fact.verdict <= -_UNSURE_BELOW)
    missing = 1 - math.exp(-sum(omission.weight for omission in omissions) / 2.5)
    share = (support + 0.5) / (support + 0.5 + against)
    return 1 + 9 * share * math.exp(-0.36 * against - missing)


def find_omissions(evidence: Evidence, ledger: CheckResults) -> list[Omission]:
    """What the clip surely has and the caption does not mention."""
    found: list[Omission] = []
    counted = "sound_count" in ledger.topics or "tempo" in ledger.topics
    if evidence.audio is not None:
        clear = [
            (i, heard) for i, heard in enumerate(evidence.audio.sounds) if heard.sure >= 0.6 and i not in ledger.sounds
        ]
        loudest = max((heard.level for heard in evidence.audio.sounds), default=0.0)
        ambient = any(heard.ambient for heard in evidence.audio.sounds)
        found += [
            Omission(
                _sound_text(h),
                (h.start, h.end),
                (0.3 if counted else 1.0) * h.sure * (_loudness_weight(h, loudest) if ambient else 1.0),
            )
            for _, h in clear
        ]
    return sorted([*found, *_picture_omissions(evidence.video, ledger)], key=lambda omission: -omission.weight)


def _picture_omissions(video: VideoEvidence, ledger: CheckResults) -> list[Omission]:
    """What the picture surely holds and the caption does not mention."""
    found: list[Omission] = []
    if video.activity is not None and video.clear < CLEAR_PICTURE:
        first, last = float(video.activity.times[0]), float(video.activity.times[-1])
        if not ledger.topics & {"motion", "motion_count"} and moving_share(video.activity, (first, last)) > 0.3:
            found.append(Omission("motion", (first, last), 0.5))
    else:
        found += _motion_omissions(video, ledger)
    if "cut" not in ledger.topics and "background" not in ledger.topics:
        found += [Omission("a cut", (time - 0.1, time + 0.1), 0.6) for time in video.cuts]
    if "flash" not in ledger.topics:
        found += [Omission("a flash", (time - 0.1, time + 0.1), 0.6) for time in video.flashes]
    return found


def _motion_omissions(video: VideoEvidence, ledger: CheckResults) -> list[Omission]:
    told = "motion_count" in ledger.topics
    largest = max((moved.extent for moved in video.motions), default=1.0)
    named = [moved for i, moved in enumerate(video.motions) if i in ledger.motions]
    moves = [
        moved
        for i, moved in enumerate(video.motions)
        if moved.sure >= 0.6 and i not in ledger.motions and not any(_is_same_rise(moved, other) for other in named)
    ]
    return [
        Omission(_motion_text(m), (m.start, m.end), (0.3 if told else 1.0) * m.sure * _size_weight(m, largest))
        for m in moves
    ]


def _is_same_rise(moved: SeenMotion, other: SeenMotion) -> bool:
    """Whether two motions are one shape that rises or falls: its old place and its new one change above each other."""
    common = min(moved.end, other.end) - max(moved.start, other.start)
    shortest = min(moved.end - moved.start, other.end - other.start)
    return moved.colours == other.colours and abs(moved.x - other.x) < 0.03 and common > 0.8 * shortest


def _loudness_weight(heard: HeardSound, loudest: float) -> float:
    """How much a sound matters in an ambience beside the loudest one, 0.3..1."""
    return min(1.0, max(0.3, 1 - (loudest - heard.level - 3) / 12))


def _size_weight(moved: SeenMotion, largest: float) -> float:
    """How much a motion matters beside the largest one of the clip, 0.2..1."""
    return min(1.0, max(0.2, 2 * math.sqrt(moved.extent / largest)))


def _sound_text(heard: HeardSound) -> str:
    pitch = f" of about {heard.pitch:.0f} Hz" if heard.pitch and heard.voice_sure > 0.5 else ""
    return f"a {heard_sound_name(heard)}{pitch}"


def _motion_text(moved: SeenMotion) -> str:
    return f"motion of something {moved.colours[0]}" if moved.colours else "motion"


def _near_text(window: tuple[float, float] | None) -> str:
    return f" near {max(0.0, window[0]):.1f} s" if window else ""


def _when_text(window: tuple[float, float]) -> str:
    return (
        _near_text(window) if window[1] - window[0] < 1 else f" from {max(0.0, window[0]):.1f} s to {window[1]:.1f} s"
    )


def _justification(
    supported: Sequence[Fact], wrong: Sequence[Fact], omissions: Sequence[Omission], unchecked: int
) -> str:
    total = len(supported) + len(wrong)
    first = f"The clip bears out {len(supported)} of the {total} details that can be checked"
    if wrong:
        told = [
            f'the caption says "{fact.said}" where the clip has {fact.truth or "it otherwise"}{_near_text(fact.window)}'
            for fact in wrong[:3]
        ]
        first += "; but " + ", and ".join(told)
    parts = [first + "."]
    clear = [omission for omission in omissions if omission.weight >= 0.25]
    if clear:
        named = ", ".join(f"{omission.text}{_when_text(omission.window)}" for omission in clear[:3])
        parts.append(f"The clip also holds {named}, which the caption leaves out.")
    if unchecked:
        parts.append(f"{unchecked} part{'s' if unchecked > 1 else ''} of the caption cannot be measured.")
    return " ".join(parts)


def _nothing_checked(ledger: CheckResults, unchecked: int) -> str:
    if ledger.facts:
        return "What the caption says was measured, but too unsurely to confirm or deny any of it."
    what = f"{unchecked} of its parts name" if unchecked != 1 else "it names"
    return f"Nothing in this caption can be checked by measuring: {what} no sound, time, motion, colour or cut."


def _doubt_windows(spots: Sequence[tuple[float, float]], duration: float) -> list[Window]:
    """At most four padded windows inside the clip, overlapping ones joined, the gravest first chosen."""
    padded: list[tuple[float, float]] = []
    for start, end in spots:
        low, high = max(0.0, start - _PAD_SECONDS), min(duration, end + _PAD_SECONDS)
        touching = [span for span in padded if span[0] <= high and low <= span[1]]
        if high - low < 0.05 or (not touching and len(padded) >= _MAX_WINDOWS):
            continue
        padded = [span for span in padded if span not in touching]
        padded.append((min([low, *(span[0] for span in touching)]), max([high, *(span[1] for span in touching)])))
    return [Window(start=round(a, 2), end=round(b, 2)) for a, b in sorted(padded)]
