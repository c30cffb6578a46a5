"""Several looks as one observation: a closer look replaces what coarser ones said inside its windows.

What a window's edge cut in two is joined again; tempo, coincidence and colours are worked out anew over the union.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from aurelia_core.errors import InputError
from aurelia_core.signals.audiovisual_sync import estimate_sync
from aurelia_core.signals.motion import is_same_motion, join_motions
from aurelia_core.signals.observation import ColourShare, DetectedSound, Motion, Observation
from aurelia_core.signals.rhythm import estimate_tempo
from aurelia_core.types import Span

_EDGE_SLACK_SECONDS = 0.05
"""Seconds from a window's edge within which a sound is taken to be cut by it."""
_SEAM_SECONDS = 0.012
"""Seconds from an edge within which nothing was heard to end: two pieces there are one, though it changed its kind."""
_REMNANT_SECONDS = 0.12
"""Seconds: what sticks out of a closer look's window by less, and does not go on inside, is inexactness."""
_MIN_SILENCE_SECONDS = 0.3


@dataclass(frozen=True, slots=True)
class _Part:
    """One look, the spans that finer looks cover, and what is left of its own."""

    look: Observation
    finer: tuple[Span, ...]
    left: tuple[Span, ...]


@dataclass(frozen=True, slots=True)
class _Piece:
    """A motion or what closer looks leave of it, whether it is whole, and the frame spacing it was seen with."""

    motion: Motion
    whole: bool
    gap: float


def merge_observations(observations: Sequence[Observation]) -> Observation:
    """Put several looks at one clip together.

    Args:
        observations: at least one, in the order in which they were made.

    Returns:
        The union. `frame_gap` and `rate` are the worst among the looks that some stretch still depends on.

    Raises:
        InputError: there is nothing to merge.
    """
    if not observations:
        raise InputError("There is no observation to merge; look at the clip first")
    if len(observations) == 1:
        return observations[0]
    hearing = _ordered([(o.sample_rate, o.audio_spans, o) for o in observations])
    seeing = _ordered([(-o.frame_gap, o.video_spans, o) for o in observations])
    sounds, motions = _sounds(hearing), _motions(seeing)
    gap = max((part.look.frame_gap for part in seeing if part.left), default=math.inf)
    return Observation(
        duration=observations[0].duration,
        has_audio=any(o.has_audio for o in observations),
        video_spans=_union(span for o in observations for span in o.video_spans),
        audio_spans=_union(span for o in observations for span in o.audio_spans),
        frame_gap=gap,
        sample_rate=min(
            (part.look.sample_rate for part in hearing if part.left), default=max(o.sample_rate for o in observations)
        ),
        sounds=sounds,
        silences=_silences(hearing, sounds),
        motions=motions,
        colours=blend_colours([(part.look.colours, sum(b - a for a, b in part.left)) for part in seeing if part.left]),
        cuts=_cuts(seeing),
        flashes=_moments([flash for o in observations for flash in o.flashes], 0.12),
        tempo=estimate_tempo(sounds),
        sync=estimate_sync(motions, sounds, gap),
        camera_drift=max(o.camera_drift for o in observations),
    )


def blend_colours(parts: Sequence[tuple[Sequence[ColourShare], float]]) -> tuple[ColourShare, ...]:
    """The colours of several stretches together, each weighted by its seconds; one of them is the background."""
    total = sum(weight for colours, weight in parts if colours)
    share: dict[str, float] = {}
    ground: dict[str, float] = {}
    for colours, weight in parts:
        for colour in colours:
            share[colour.name] = share.get(colour.name, 0.0) + colour.share * weight / total
            if colour.background:
                ground[colour.name] = ground.get(colour.name, 0.0) + colour.share * weight
    widest = max(ground, key=lambda name: ground[name], default=None)
    order = sorted(share, key=lambda name: -share[name])
    return tuple(ColourShare(name, round(share[name], 4), name == widest) for name in order)


def _ordered(looks: Sequence[tuple[float, tuple[Span, ...], Observation]]) -> list[_Part]:
    """From coarse to fine; of two equally fine looks the later one counts as the finer."""
    order = sorted(looks, key=lambda look: look[0])
    parts = []
    for number, (_, spans, observation) in enumerate(order):
        finer = _union(span for look in order[number + 1 :] for span in look[1])
        left = tuple(piece for span in spans for piece in _without(span, finer))
        parts.append(_Part(observation, finer, left))
    return parts


def _union(spans: Iterable[Span]) -> tuple[Span, ...]:
    joined_spans: list[Span] = []
    for start, end in sorted(spans):
        if joined_spans and start <= joined_spans[-1][1] + 1e-3:
            joined_spans[-1] = (joined_spans[-1][0], max(end, joined_spans[-1][1]))
        else:
            joined_spans.append((start, end))
    return tuple(joined_spans)


def _without(span: Span, holes: Iterable[Span]) -> list[Span]:
    """What is left of a span outside the holes, ascending."""
    left = [span]
    for start, end in holes:
        pieces = [piece for a, b in left for piece in ((a, min(b, start)), (max(a, end), b))]
        left = [(a, b) for a, b in pieces if b - a > 1e-6]
    return left


def _edges(parts: Sequence[_Part], spans: Iterable[Span]) -> list[float]:
    return sorted({edge for part in parts for span in part.finer for edge in span} | {e for s in spans for e in s})


def _sounds(parts: Sequence[_Part]) -> tuple[DetectedSound, ...]:
    found: list[DetectedSound] = []
    remnants: list[DetectedSound] = []
    for part in parts:
        for sound in part.look.sounds:
            pieces = _without((sound.start, sound.end), part.finer)
            whole = pieces == [(sound.start, sound.end)]
            for start, end in pieces:
                piece = replace(sound, start=start, end=end)
                (found if whole or end - start >= _REMNANT_SECONDS else remnants).append(piece)
    edges = _edges(parts, (span for part in parts for span in part.look.audio_spans))
    found = [*found, *(r for r in remnants if any(_same_sound(*pair, edges) for s in found for pair in _pair(r, s)))]
    result: list[DetectedSound] = []
    for sound in sorted(found, key=lambda s: s.start):
        earlier = next((s for s in result if _same_sound(s, sound, edges)), None)
        if earlier is None:
            result.append(sound)
        else:
            result[result.index(earlier)] = _one_sound(earlier, sound)
    return tuple(sorted(result, key=lambda s: s.start))


def _pair(a: DetectedSound, b: DetectedSound) -> list[tuple[DetectedSound, DetectedSound]]:
    return [(a, b)] if a.start < b.start else [(b, a)]


def _same_sound(first: DetectedSound, second: DetectedSound, edges: Sequence[float]) -> bool:
    """Whether an edge cut one sound in two: both touch it, and they are alike as far as short pieces can tell."""
    if not any(
        abs(first.end - edge) <= _EDGE_SLACK_SECONDS and abs(second.start - edge) <= _EDGE_SLACK_SECONDS
        for edge in edges
    ):
        return False
    if min(first.end - first.start, second.end - second.start) < 0.15:
        return True
    seamless = any(
        abs(first.end - edge) <= _SEAM_SECONDS and abs(second.start - edge) <= _SEAM_SECONDS for edge in edges
    )
    if seamless and not (first.harmonic and second.harmonic):
        return True
    if first.sound_class != second.sound_class:
        return False
    return not (first.pitch and second.pitch) or abs(first.pitch / second.pitch - 1) < 0.06


def _one_sound(first: DetectedSound, second: DetectedSound) -> DetectedSound:
    """Two pieces as one sound; its kind is that of the longer piece, its loudness that of both."""
    lengths = (first.end - first.start, second.end - second.start)
    longer = first if lengths[0] >= lengths[1] else second
    power = (lengths[0] * 10 ** (first.level / 10) + lengths[1] * 10 ** (second.level / 10)) / max(sum(lengths), 1e-6)
    rising = second.level > first.level + 3
    return replace(
        longer,
        start=first.start,
        end=max(first.end, second.end),
        level=round(10 * math.log10(power + 1e-10), 1),
        attack=round(lengths[0] + second.attack, 3) if rising else first.attack,
        decay=second.decay,
        confidence=max(first.confidence, second.confidence),
    )


def _silences(parts: Sequence[_Part], sounds: Sequence[DetectedSound]) -> tuple[Span, ...]:
    """Silence piece by piece, joined where only an edge, or a stretch too short to be called silent, lies between."""
    pieces = sorted(p for part in parts for span in part.look.silences for p in _without(span, part.finer))
    whole: list[Span] = []
    for start, end in pieces:
        if whole and _quiet(whole[-1][1], start, sounds):
            whole[-1] = (whole[-1][0], max(end, whole[-1][1]))
        else:
            whole.append((start, end))
    return tuple((a, b) for a, b in whole if b - a >= _MIN_SILENCE_SECONDS)


def _quiet(end: float, start: float, sounds: Sequence[DetectedSound]) -> bool:
    return start - end < _MIN_SILENCE_SECONDS and not any(s.end > end + 1e-3 and s.start < start - 1e-3 for s in sounds)


def _motions(parts: Sequence[_Part]) -> tuple[Motion, ...]:
    """Motions, coarse ones cut back to what closer looks leave; pieces join where an edge lies between them."""
    found = [piece for part in parts for piece in _pieces(part)]
    closer = [piece.motion for piece in found if piece.whole]
    edges = _edges(parts, (span for part in parts for span in part.look.video_spans))
    result: list[_Piece] = []
    for piece in sorted(found, key=lambda p: p.motion.start):
        number = next((n for n, earlier in enumerate(result) if _goes_on(earlier, piece, edges)), None)
        if number is None:
            result.append(piece)
        else:
            earlier = result[number]
            result[number] = _Piece(
                join_motions(earlier.motion, piece.motion), earlier.whole or piece.whole, min(earlier.gap, piece.gap)
            )
    kept = [piece.motion for piece in result if piece.whole or not _explained(piece, closer)]
    return tuple(sorted(kept, key=lambda m: m.start))


def _pieces(part: _Part) -> list[_Piece]:
    gap = part.look.frame_gap if math.isfinite(part.look.frame_gap) else _REMNANT_SECONDS
    found = []
    for motion in part.look.motions:
        for start, end in _without((motion.start, motion.end), part.finer):
            whole = (start, end) == (motion.start, motion.end)
            found.append(_Piece(replace(motion, start=start, end=end), whole, gap))
    return found


def _goes_on(first: _Piece, second: _Piece, edges: Sequence[float]) -> bool:
    """Whether both touch an edge, as closely as their frames can tell, and are of one place and colour."""
    reach = [0.05 + min(0.4, 1.25 * piece.gap) * piece.whole for piece in (first, second)]
    touching = any(
        abs(first.motion.end - edge) <= reach[0] and abs(second.motion.start - edge) <= reach[1] for edge in edges
    )
    return touching and is_same_motion(first.motion, second.motion)


def _explained(piece: _Piece, closer: Sequence[Motion]) -> bool:
    """Whether a piece is no longer than its frames are apart, and a closer look saw that motion next to it.

    Of a sliver the colour is enough: where a few coarse frames put it is no better known.
    """
    motion = piece.motion
    if motion.end - motion.start > max(_REMNANT_SECONDS, piece.gap):
        return False
    near = [m for m in closer if m.start <= motion.end + piece.gap and m.end >= motion.start - piece.gap]
    sliver = motion.end - motion.start <= _REMNANT_SECONDS and motion.colour is not None
    return any(is_same_motion(m, motion) or (sliver and m.colour == motion.colour) for m in near)


def _cuts(parts: Sequence[_Part]) -> tuple[float, ...]:
    """Cuts; a coarse look's one goes where a closer look leaves room for it, or gives way to what that one saw."""
    found: list[float] = []
    for part in reversed(parts):
        half = part.look.frame_gap / 2 if math.isfinite(part.look.frame_gap) else 0.0
        for cut in part.look.cuts:
            room = _without((cut - half - 1e-3, cut + half + 1e-3), part.finer)
            if room and not any(abs(cut - other) <= half + 0.05 for other in found):
                inside = any(a <= cut <= b for a, b in room)
                widest = max(room, key=lambda span: span[1] - span[0])
                found.append(cut if inside else round(sum(widest) / 2, 3))
    return tuple(sorted(found))


def _moments(times: Sequence[float], apart: float) -> tuple[float, ...]:
    """All moments, those closer than `apart` seconds counted once: a look that missed a flash does not unsee it."""
    kept: list[float] = []
    for time in sorted(times):
        if not kept or time - kept[-1] > apart:
            kept.append(time)
    return tuple(kept)
