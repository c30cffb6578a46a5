"""Merging of several observations of one clip: inside its windows, a finer observation replaces the coarser ones.

Events that a window's edge cut in two are joined again. Tempo, sync and colours are computed again from the result.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import chain

from aurelia_core.errors import InputError
from aurelia_core.signals.audiovisual_sync import estimate_sync
from aurelia_core.signals.motion import is_same_motion, join_motions
from aurelia_core.signals.observation import ColourShare, DetectedSound, Motion, Observation
from aurelia_core.signals.rhythm import estimate_tempo
from aurelia_core.signals.spans import join_spans
from aurelia_core.types import Span

_EDGE_SLACK_SECONDS = 0.05
"""Distance from a window's edge within which a sound counts as cut by the edge, seconds."""
_SEAM_SECONDS = 0.012
"""Distance from an edge within which two pieces count as one sound even if their classes differ, seconds."""
_REMNANT_SECONDS = 0.12
"""Pieces outside a finer window that are shorter than this, and do not continue inside, are imprecision; seconds."""
_MIN_SILENCE_SECONDS = 0.3


@dataclass(frozen=True, slots=True)
class _Layer:
    """One observation, the spans that finer observations cover, and the rest of its own spans."""

    observation: Observation
    finer: tuple[Span, ...]
    rest: tuple[Span, ...]


@dataclass(frozen=True, slots=True)
class _Piece:
    """A motion or the rest of it outside finer spans, whether it is whole, and the frame spacing."""

    motion: Motion
    whole: bool
    gap: float


def merge_observations(observations: Sequence[Observation]) -> Observation:
    """Merge several observations of one clip.

    Args:
        observations: at least one, in the order in which they were made.

    Returns:
        The merged observation. `frame_gap` and `sample_rate` are the worst of the observations that are not completely
        replaced by finer ones.

    Raises:
        InputError: there is no observation.
    """
    if not observations:
        raise InputError("There is no observation to merge; observe the clip first")
    if len(observations) == 1:
        return observations[0]
    audio_layers = _layers([(one.sample_rate, one.audio_spans, one) for one in observations])
    video_layers = _layers([(-one.frame_gap, one.video_spans, one) for one in observations])
    sounds = _merge_sounds(audio_layers)
    motions = _merge_motions(video_layers)
    gap = max((layer.observation.frame_gap for layer in video_layers if layer.rest), default=math.inf)
    best_rate = max(one.sample_rate for one in observations)
    rest_colours = [(layer.observation.colours, _total(layer.rest)) for layer in video_layers if layer.rest]
    return Observation(
        duration=observations[0].duration,
        has_audio=any(one.has_audio for one in observations),
        video_spans=join_spans(chain.from_iterable(one.video_spans for one in observations)),
        audio_spans=join_spans(chain.from_iterable(one.audio_spans for one in observations)),
        frame_gap=gap,
        sample_rate=min((layer.observation.sample_rate for layer in audio_layers if layer.rest), default=best_rate),
        sounds=sounds,
        silences=_merge_silences(audio_layers, sounds),
        motions=motions,
        colours=blend_colours(rest_colours),
        cuts=_merge_cuts(video_layers),
        flashes=_distinct_times(chain.from_iterable(one.flashes for one in observations), 0.12),
        tempo=estimate_tempo(sounds),
        sync=estimate_sync(motions, sounds, gap),
        camera_drift=max(one.camera_drift for one in observations),
        still=observations[0].still,
        pictures=observations[0].pictures,
        fades_to_black=join_spans(chain.from_iterable(one.fades_to_black for one in observations)),
        fades_from_black=join_spans(chain.from_iterable(one.fades_from_black for one in observations)),
    )


def blend_colours(parts: Sequence[tuple[Sequence[ColourShare], float]]) -> tuple[ColourShare, ...]:
    """The colours of several parts of a clip together, each weighted by its seconds; one of them is the background."""
    total = sum(weight for colours, weight in parts if colours)
    shares: dict[str, float] = {}
    background_seconds: dict[str, float] = {}
    for colours, weight in parts:
        for colour in colours:
            shares[colour.name] = shares.get(colour.name, 0.0) + colour.share * weight / total
            if colour.background:
                background_seconds[colour.name] = background_seconds.get(colour.name, 0.0) + colour.share * weight
    background = max(background_seconds, key=lambda name: background_seconds[name], default=None)
    order = sorted(shares, key=lambda name: -shares[name])
    return tuple(ColourShare(name, round(shares[name], 4), name == background) for name in order)


def _total(spans: Iterable[Span]) -> float:
    return sum(end - start for start, end in spans)


def _layers(looks: Sequence[tuple[float, tuple[Span, ...], Observation]]) -> list[_Layer]:
    """From coarse to fine by (quality, spans, observation); of two equally fine ones the later counts as finer."""
    order = sorted(looks, key=lambda look: look[0])
    layers = []
    for number, (_, spans, observation) in enumerate(order):
        finer = join_spans(chain.from_iterable(look[1] for look in order[number + 1 :]))
        rest = tuple(chain.from_iterable(_without(span, finer) for span in spans))
        layers.append(_Layer(observation, finer, rest))
    return layers


def _without(span: Span, holes: Iterable[Span]) -> list[Span]:
    """The rest of a span outside the holes, ascending."""
    rest = [span]
    for hole_start, hole_end in holes:
        pieces: list[Span] = []
        for start, end in rest:
            pieces += [(start, min(end, hole_start)), (max(start, hole_end), end)]
        rest = [(start, end) for start, end in pieces if end - start > 1e-6]
    return rest


def _edges(layers: Sequence[_Layer], spans: Iterable[Span]) -> list[float]:
    """The edges of all windows: of the given spans and of the finer spans of each layer."""
    edges = set(chain.from_iterable(spans))
    for layer in layers:
        edges.update(chain.from_iterable(layer.finer))
    return sorted(edges)


def _merge_sounds(layers: Sequence[_Layer]) -> tuple[DetectedSound, ...]:
    found: list[DetectedSound] = []
    remnants: list[DetectedSound] = []
    for layer in layers:
        for sound in layer.observation.sounds:
            pieces = _without((sound.start, sound.end), layer.finer)
            for start, end in pieces:
                piece = replace(sound, start=start, end=end)
                if pieces == [(sound.start, sound.end)] or end - start >= _REMNANT_SECONDS:
                    found.append(piece)
                else:
                    remnants.append(piece)
    edges = _edges(layers, chain.from_iterable(layer.observation.audio_spans for layer in layers))
    onsets = [onset for layer in layers for onset in _heard_onsets(layer.observation)]
    found += [remnant for remnant in remnants if _continues_any(remnant, found, edges, onsets)]
    merged: list[DetectedSound] = []
    for sound in sorted(found, key=lambda sound: sound.start):
        earlier = next((other for other in merged if _is_same_sound(other, sound, edges, onsets)), None)
        if earlier is None:
            merged.append(sound)
        else:
            merged[merged.index(earlier)] = _join_sounds(earlier, sound)
    return tuple(sorted(merged, key=lambda sound: sound.start))


def _heard_onsets(observation: Observation) -> list[float]:
    """The starts of sounds before which the look listened as well: there a sound begins, whatever edge is near."""
    return [
        sound.start
        for sound in observation.sounds
        if any(start + _EDGE_SLACK_SECONDS < sound.start < end for start, end in observation.audio_spans)
    ]


def _continues_any(
    remnant: DetectedSound, sounds: Sequence[DetectedSound], edges: Sequence[float], onsets: Sequence[float]
) -> bool:
    """Whether a short piece and one of the sounds are two parts of one sound."""
    for sound in sounds:
        first, second = sound, remnant
        if remnant.start < sound.start:
            first, second = remnant, sound
        if _is_same_sound(first, second, edges, onsets):
            return True
    return False


def _is_same_sound(
    first: DetectedSound, second: DetectedSound, edges: Sequence[float], onsets: Sequence[float]
) -> bool:
    """Whether an edge cut one sound in two: both touch the edge and are alike, as far as short pieces show it.

    They are two sounds if a look that heard both sides of the edge heard the second begin there.
    """
    if not _touch_edge(first.end, second.start, edges, _EDGE_SLACK_SECONDS):
        return False
    begins = [onset for onset in onsets if abs(onset - second.start) <= _EDGE_SLACK_SECONDS]
    if any(first.start < onset - _EDGE_SLACK_SECONDS for onset in begins):
        return False
    if min(first.end - first.start, second.end - second.start) < 0.15:
        return True
    both_harmonic = first.harmonic and second.harmonic
    if not both_harmonic and _touch_edge(first.end, second.start, edges, _SEAM_SECONDS):
        return True
    if first.sound_class != second.sound_class:
        return False
    return not (first.pitch and second.pitch) or abs(first.pitch / second.pitch - 1) < 0.06


def _touch_edge(end: float, start: float, edges: Sequence[float], slack: float) -> bool:
    return any(abs(end - edge) <= slack and abs(start - edge) <= slack for edge in edges)


def _join_sounds(first: DetectedSound, second: DetectedSound) -> DetectedSound:
    """Two pieces as one sound: the class of the longer piece and the mean loudness."""
    first_seconds = first.end - first.start
    second_seconds = second.end - second.start
    longer = max(first, second, key=lambda sound: sound.end - sound.start)
    energy = first_seconds * 10 ** (first.level / 10) + second_seconds * 10 ** (second.level / 10)
    power = energy / max(first_seconds + second_seconds, 1e-6)
    attack = first.attack
    if second.level > first.level + 3:
        attack = round(first_seconds + second.attack, 3)
    return replace(
        longer,
        start=first.start,
        end=max(first.end, second.end),
        level=round(10 * math.log10(power + 1e-10), 1),
        attack=attack,
        decay=second.decay,
        confidence=max(first.confidence, second.confidence),
    )


def _merge_silences(layers: Sequence[_Layer], sounds: Sequence[DetectedSound]) -> tuple[Span, ...]:
    """Silences, joined where only an edge or a part that is too short for a silence lies between."""
    pieces: list[Span] = []
    for layer in layers:
        pieces += chain.from_iterable(_without(span, layer.finer) for span in layer.observation.silences)
    joined: list[Span] = []
    for start, end in sorted(pieces):
        if joined and _is_quiet_between(joined[-1][1], start, sounds):
            joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
        else:
            joined.append((start, end))
    return tuple((start, end) for start, end in joined if end - start >= _MIN_SILENCE_SECONDS)


def _is_quiet_between(end: float, start: float, sounds: Sequence[DetectedSound]) -> bool:
    """Whether no sound lies between the end of one silence and the start of the next."""
    if start - end >= _MIN_SILENCE_SECONDS:
        return False
    return not any(sound.end > end + 1e-3 and sound.start < start - 1e-3 for sound in sounds)


def _merge_motions(layers: Sequence[_Layer]) -> tuple[Motion, ...]:
    """Motions without the parts that finer observations cover; pieces are joined where an edge lies between them."""
    found = list(chain.from_iterable(_motion_pieces(layer) for layer in layers))
    finer = [piece.motion for piece in found if piece.whole]
    edges = _edges(layers, chain.from_iterable(layer.observation.video_spans for layer in layers))
    merged: list[_Piece] = []
    for piece in sorted(found, key=lambda piece: piece.motion.start):
        number = next((number for number, earlier in enumerate(merged) if _continues(earlier, piece, edges)), None)
        if number is None:
            merged.append(piece)
            continue
        earlier = merged[number]
        motion = join_motions(earlier.motion, piece.motion)
        merged[number] = _Piece(motion, earlier.whole or piece.whole, min(earlier.gap, piece.gap))
    motions = [piece.motion for piece in merged if piece.whole or not _is_explained(piece, finer)]
    return tuple(sorted(motions, key=lambda motion: motion.start))


def _motion_pieces(layer: _Layer) -> list[_Piece]:
    gap = layer.observation.frame_gap
    if not math.isfinite(gap):
        gap = _REMNANT_SECONDS
    pieces = []
    for motion in layer.observation.motions:
        for start, end in _without((motion.start, motion.end), layer.finer):
            whole = (start, end) == (motion.start, motion.end)
            pieces.append(_Piece(replace(motion, start=start, end=end), whole, gap))
    return pieces


def _continues(first: _Piece, second: _Piece, edges: Sequence[float]) -> bool:
    """Whether both touch an edge, within the precision of their frames, and agree in place and colour."""
    first_slack, second_slack = (0.05 + min(0.4, 1.25 * piece.gap) * piece.whole for piece in (first, second))
    touching = any(
        abs(first.motion.end - edge) <= first_slack and abs(second.motion.start - edge) <= second_slack
        for edge in edges
    )
    return touching and is_same_motion(first.motion, second.motion)


def _is_explained(piece: _Piece, finer: Sequence[Motion]) -> bool:
    """Whether a piece is shorter than its frame spacing and next to the same motion in a finer observation.

    For a very short piece the same colour is enough: coarse frames do not show its place exactly.
    """
    motion = piece.motion
    if motion.end - motion.start > max(_REMNANT_SECONDS, piece.gap):
        return False
    very_short = motion.end - motion.start <= _REMNANT_SECONDS and motion.colour is not None
    for other in finer:
        near = other.start <= motion.end + piece.gap and other.end >= motion.start - piece.gap
        if near and (is_same_motion(other, motion) or (very_short and other.colour == motion.colour)):
            return True
    return False


def _merge_cuts(layers: Sequence[_Layer]) -> tuple[float, ...]:
    """The cuts of all layers; a coarse cut is moved out of finer spans, or dropped if a finer layer saw it."""
    found: list[float] = []
    for layer in reversed(layers):
        half_gap = layer.observation.frame_gap / 2
        if not math.isfinite(half_gap):
            half_gap = 0.0
        for cut in layer.observation.cuts:
            possible = _without((cut - half_gap - 1e-3, cut + half_gap + 1e-3), layer.finer)
            if not possible or any(abs(cut - other) <= half_gap + 0.05 for other in found):
                continue
            if not any(start <= cut <= end for start, end in possible):
                widest = max(possible, key=lambda span: span[1] - span[0])
                cut = round(sum(widest) / 2, 3)
            found.append(cut)
    return tuple(sorted(found))


def _distinct_times(times: Iterable[float], distance: float) -> tuple[float, ...]:
    """All times, but times that are at most `distance` seconds apart only once."""
    distinct: list[float] = []
    for time in sorted(times):
        if not distinct or time - distinct[-1] > distance:
            distinct.append(time)
    return tuple(distinct)
