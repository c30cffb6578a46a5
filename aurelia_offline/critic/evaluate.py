"""The offline Evaluator: scores a caption by measuring the clip, without knowing the question (section 3.2).

Its measuring algorithms differ from those of the Generator, so that the two do not make the same errors. It cannot
recognize objects, people and feelings; claims about them are ignored.
"""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from aurelia_core.models.requests import ClipRequest, EvaluatorRequest
from aurelia_core.recent_cache import RecentCache
from aurelia_core.types import MediaRef, content_key, is_still, is_video
from aurelia_offline.critic.caption_parser import parse_caption
from aurelia_offline.critic.claim_checker import ClaimChecker
from aurelia_offline.critic.evidence import AudioEvidence, Evidence, VideoEvidence
from aurelia_offline.critic.score import find_omissions, make_verdict
from aurelia_offline.critic.signal_audio import listen_to_track
from aurelia_offline.critic.signal_video import watch_clip

LISTENING_RATE = 16000
FRAMES_PER_SECOND, _MAX_FRAMES = 12, 480
_MAX_REMEMBERED_CLIPS = 16

_evidence_cache: RecentCache[Evidence] = RecentCache(_MAX_REMEMBERED_CLIPS)


def evaluate_caption(request: EvaluatorRequest, store: Any) -> dict[str, Any]:
    """Score a caption against its clip.

    Args:
        request: the evaluator's request.
        store: the clip store with the media.

    Returns:
        score (1..10, or None if nothing in the caption can be checked), justification, and windows (seconds, at most
        four, inside the clip) where caption and clip disagree or the caption omits something.

    Raises:
        MediaError: the clip cannot be read.
    """
    evidence = gather_evidence(request, store)
    return assess_caption(request.caption, evidence)


def assess_caption(caption: str, evidence: Evidence) -> dict[str, Any]:
    """Score a caption against given evidence; returns the same as `evaluate_caption`."""
    parsed = parse_caption(caption)
    results = ClaimChecker(evidence).check(parsed.claims)
    verdict = make_verdict(results, find_omissions(evidence, results), parsed.unchecked, evidence.duration)
    return {"score": verdict.score, "justification": verdict.justification, "windows": verdict.windows}


def gather_evidence(request: ClipRequest, store: Any) -> Evidence:
    """The evidence of a clip and its sound tracks; the process caches it."""
    clip: MediaRef | None = None
    tracks: list[MediaRef] = []
    pictures: list[MediaRef] = []
    if request.media:
        clip, pictures, tracks = request.media.arranged
    key = tuple(content_key(ref) for ref in [clip, *pictures, *tracks] if ref)
    measure = partial(measure_evidence, clip, tracks, request.duration, store, pictures=pictures)
    return _evidence_cache.get(key, measure)


def measure_evidence(
    clip: Any,
    tracks: list[Any],
    duration: float,
    store: Any,
    rate: int = LISTENING_RATE,
    fps: float = FRAMES_PER_SECOND,
    pictures: Sequence[Any] = (),
) -> Evidence:
    """Measure the evidence of a clip.

    Args:
        clip: reference of the video, the still picture or the sound, or None.
        tracks: references of separate sound tracks; if empty, the clip's own sound is used.
        duration: length of the clip in seconds; 0: the length in the reference.
        store: the clip store with the media.
        rate: sample rate in Hz.
        fps: frames per second.
        pictures: references of still pictures beside the clip.

    Raises:
        MediaError: the clip cannot be read.
    """
    seconds = duration or (float(clip["duration"]) if clip else 0.0)
    video = VideoEvidence(float("inf"))
    if clip and is_video(clip):
        frames = store.frames(clip, [], max(1, min(int(seconds * fps), _MAX_FRAMES)))
        video = watch_clip(frames.times, frames.images, seconds)
    for picture in [ref for ref in (clip, *pictures) if ref and is_still(ref)]:
        shown = store.frames(picture, [], 1)
        video = replace(video, shots=(*video.shots, *watch_clip(shown.times, shown.images, seconds).shots))
    heard = tracks or ([clip] if clip and clip["has_audio"] else [])
    return Evidence(seconds, tuple(_listen_to(ref, store, rate) for ref in heard), video)


def _listen_to(ref: Any, store: Any, rate: int) -> AudioEvidence:
    parts = store.audio(ref, [], rate)
    if parts:
        return listen_to_track(parts[0].samples, parts[0].rate)
    return AudioEvidence(0.0)
