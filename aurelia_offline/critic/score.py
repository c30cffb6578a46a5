"""Turns facts into the Evaluator's verdict: a score, a justification, and the windows in doubt.

With S the weight of the supported facts, C of the contradicted facts and O of the omissions (section 3.2 asks how
well the caption fits the clip, on 1..10):

    score = 1 + 9 * (S + 1/2) / (S + 1/2 + C) * exp(-0.36 C) * exp(-(1 - exp(-O / 2.5)))

Contradictions and omissions lower the score, support raises it. The effect of omissions saturates: a short, true
caption stays above 4. A score of 10 requires no contradiction and no clear omission.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

from aurelia_core.types import Window
from aurelia_offline.critic.activity_checks import CLEAR_PICTURE, moving_share
from aurelia_offline.critic.base_checks import CheckResults
from aurelia_offline.critic.evidence import Evidence, HeardSound, SeenMotion, VideoEvidence
from aurelia_offline.critic.matching import Fact, heard_sound_name

UNSURE_BELOW = 0.25
"""Verdicts nearer to 0 than this say nothing."""
_MAX_WINDOWS = 4
_PAD_SECONDS = 0.25


class Omission(NamedTuple):
    """Something in the clip that the caption omits: in words, its time span, and its importance 0..1."""

    text: str
    window: tuple[float, float]
    weight: float


class CaptionVerdict(NamedTuple):
    """The Evaluator's reply: score 1..10 or None, justification, and the windows to look at again."""

    score: int | None
    justification: str
    windows: list[Window]


def make_verdict(
    results: CheckResults, omissions: Sequence[Omission], unchecked: int, duration: float
) -> CaptionVerdict:
    """Score a caption.

    Args:
        results: the results of checking its claims.
        omissions: what it leaves out.
        unchecked: number of clauses that cannot be measured.
        duration: length of the clip in seconds; windows stay inside.
    """
    supported = [fact for fact in results.facts if fact.verdict >= UNSURE_BELOW]
    wrong = sorted(
        (fact for fact in results.facts if fact.verdict <= -UNSURE_BELOW), key=lambda fact: fact.verdict * fact.weight
    )
    if not supported and not wrong:
        return CaptionVerdict(None, _nothing_checked(results, unchecked), [])
    value = caption_strength(results.facts, omissions)
    clean = not wrong and sum(omission.weight for omission in omissions) < 0.3
    score = 10
    if not clean:
        score = max(1, min(9, round(value)))
    spots = [fact.window for fact in wrong if fact.window] + [omission.window for omission in omissions]
    return CaptionVerdict(
        score, _justification(supported, wrong, omissions, unchecked), _doubt_windows(spots, duration)
    )


def caption_strength(facts: Sequence[Fact], omissions: Sequence[Omission]) -> float:
    """The score before rounding, 1..10, by the formula above."""
    support = sum(fact.verdict * fact.weight for fact in facts if fact.verdict >= UNSURE_BELOW)
    against = sum(-fact.verdict * fact.weight for fact in facts if fact.verdict <= -UNSURE_BELOW)
    missing = 1 - math.exp(-sum(omission.weight for omission in omissions) / 2.5)
    share = (support + 0.5) / (support + 0.5 + against)
    return 1 + 9 * share * math.exp(-0.36 * against - missing)


def find_omissions(evidence: Evidence, results: CheckResults) -> list[Omission]:
    """What the clip certainly contains and the caption does not mention."""
    found: list[Omission] = []
    counted = "sound_count" in results.topics or "tempo" in results.topics
    if evidence.audio is not None:
        clear = [
            (i, heard)
            for i, heard in enumerate(evidence.audio.sounds)
            if heard.confidence >= 0.6 and i not in results.sounds
        ]
        loudest = max((heard.level for heard in evidence.audio.sounds), default=0.0)
        ambient = any(heard.ambient for heard in evidence.audio.sounds)
        found += [
            Omission(
                _sound_text(h),
                (h.start, h.end),
                (0.3 if counted else 1.0) * h.confidence * (_loudness_weight(h, loudest) if ambient else 1.0),
            )
            for _, h in clear
        ]
    return sorted([*found, *_picture_omissions(evidence.video, results)], key=lambda omission: -omission.weight)


def _picture_omissions(video: VideoEvidence, results: CheckResults) -> list[Omission]:
    """What the picture certainly contains and the caption does not mention."""
    found: list[Omission] = []
    if video.activity is not None and video.clearness < CLEAR_PICTURE:
        first, last = float(video.activity.times[0]), float(video.activity.times[-1])
        if not results.topics & {"motion", "motion_count"} and moving_share(video.activity, (first, last)) > 0.3:
            found.append(Omission("motion", (first, last), 0.5))
    else:
        found += _motion_omissions(video, results)
    if "cut" not in results.topics and "background" not in results.topics:
        found += [Omission("a cut", (time - 0.1, time + 0.1), 0.6) for time in video.cuts]
    if "flash" not in results.topics:
        found += [Omission("a flash", (time - 0.1, time + 0.1), 0.6) for time in video.flashes]
    return found


def _motion_omissions(video: VideoEvidence, results: CheckResults) -> list[Omission]:
    counted = "motion_count" in results.topics
    largest = max((moved.extent for moved in video.motions), default=1.0)
    named = [moved for i, moved in enumerate(video.motions) if i in results.motions]
    moves = [
        moved
        for i, moved in enumerate(video.motions)
        if moved.confidence >= 0.6
        and i not in results.motions
        and not any(_is_same_rise(moved, other) for other in named)
    ]
    return [
        Omission(_motion_text(m), (m.start, m.end), (0.3 if counted else 1.0) * m.confidence * _size_weight(m, largest))
        for m in moves
    ]


def _is_same_rise(moved: SeenMotion, other: SeenMotion) -> bool:
    """Whether two motions are one rising or falling shape, whose old and new place change one above the other."""
    common = min(moved.end, other.end) - max(moved.start, other.start)
    shortest = min(moved.end - moved.start, other.end - other.start)
    return moved.colours == other.colours and abs(moved.x - other.x) < 0.03 and common > 0.8 * shortest


def _loudness_weight(heard: HeardSound, loudest: float) -> float:
    """The importance of a sound in an ambience, relative to the loudest sound, 0.3..1."""
    return min(1.0, max(0.3, 1 - (loudest - heard.level - 3) / 12))


def _size_weight(moved: SeenMotion, largest: float) -> float:
    """The importance of a motion relative to the largest motion of the clip, 0.2..1."""
    return min(1.0, max(0.2, 2 * math.sqrt(moved.extent / largest)))


def _sound_text(heard: HeardSound) -> str:
    pitch = ""
    if heard.pitch and heard.voice_confidence > 0.5:
        pitch = f" of about {heard.pitch:.0f} Hz"
    return f"a {heard_sound_name(heard)}{pitch}"


def _motion_text(moved: SeenMotion) -> str:
    if moved.colours:
        return f"motion of something {moved.colours[0]}"
    return "motion"


def _near_text(window: tuple[float, float] | None) -> str:
    if window:
        return f" near {max(0.0, window[0]):.1f} s"
    return ""


def _when_text(window: tuple[float, float]) -> str:
    if window[1] - window[0] < 1:
        return _near_text(window)
    return f" from {max(0.0, window[0]):.1f} s to {window[1]:.1f} s"


def _justification(
    supported: Sequence[Fact], wrong: Sequence[Fact], omissions: Sequence[Omission], unchecked: int
) -> str:
    total = len(supported) + len(wrong)
    first = f"The clip bears out {len(supported)} of the {total} details that can be checked"
    if wrong:
        first += "; but " + ", and ".join(difference_text(fact) for fact in wrong[:3])
    parts = [first + "."]
    clear = [omission for omission in omissions if omission.weight >= 0.25]
    if clear:
        named = ", ".join(f"{omission.text}{_when_text(omission.window)}" for omission in clear[:3])
        parts.append(f"The clip also holds {named}, which the caption leaves out.")
    if unchecked:
        parts.append(f"{unchecked} part{'s' if unchecked > 1 else ''} of the caption cannot be measured.")
    return " ".join(parts)


def difference_text(fact: Fact) -> str:
    """What the caption says and what the clip has, in words."""
    clip_text = fact.clip_text or "it otherwise"
    return f'the caption says "{fact.claim_text}" where the clip has {clip_text}{_near_text(fact.window)}'


def _nothing_checked(results: CheckResults, unchecked: int) -> str:
    if results.facts:
        return "What the caption says was measured, but too unsurely to confirm or deny any of it."
    what = "it names"
    if unchecked != 1:
        what = f"{unchecked} of its parts name"
    return f"Nothing in this caption can be checked by measuring: {what} no sound, time, motion, colour or cut."


def _doubt_windows(spots: Sequence[tuple[float, float]], duration: float) -> list[Window]:
    """At most four padded windows inside the clip; overlapping ones are joined, the most severe come first."""
    padded: list[tuple[float, float]] = []
    for start, end in spots:
        low, high = max(0.0, start - _PAD_SECONDS), min(duration, end + _PAD_SECONDS)
        touching = [span for span in padded if span[0] <= high and low <= span[1]]
        if high - low < 0.05 or (not touching and len(padded) >= _MAX_WINDOWS):
            continue
        padded = [span for span in padded if span not in touching]
        padded.append((min([low, *(span[0] for span in touching)]), max([high, *(span[1] for span in touching)])))
    return [Window(start=round(a, 2), end=round(b, 2)) for a, b in sorted(padded)]
