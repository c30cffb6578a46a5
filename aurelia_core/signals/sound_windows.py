"""Where to look first by ear: the parts of a clip in which its most salient sound events begin.

A second of sound is cheaper than a second of frames, and most events that a question is about can be heard; OmniAgent
listens before it looks for the same reason.
"""

from collections.abc import Sequence
from typing import Any

from aurelia_core.signals.observation import DetectedSound
from aurelia_core.signals.sound_events import MIN_SAMPLE_RATE, analyze_audio
from aurelia_core.types import MediaRef, Window

MAX_SOUND_WINDOWS = 4
_BEFORE_SECONDS, _AFTER_SECONDS = 0.25, 0.75
_LISTENING_RATE = 8_000


def sound_windows(store: Any, clip: MediaRef, tracks: Sequence[MediaRef] = ()) -> list[Window]:
    """At most four windows of a second, in order, around the beginnings of the loudest sound events.

    Args:
        store: the clip store.
        clip: the clip.
        tracks: separate sounds; one replaces that of the clip, with several there are no windows, because the sound
            that belongs to the picture is not known.

    Returns:
        [] without sound, or where no event stands out.

    Raises:
        MediaError: the sound cannot be decoded.
    """
    sources = list(tracks) or ([clip] if clip["has_audio"] else [])
    if len(sources) != 1:
        return []
    events: list[DetectedSound] = []
    for part in store.audio(sources[0], [], _LISTENING_RATE):
        if len(part.samples) and part.rate >= MIN_SAMPLE_RATE:
            events += analyze_audio(part.samples, part.rate, part.start).sounds
    length = clip["duration"] or sources[0]["duration"]
    found: list[Window] = []
    for event in sorted(events, key=lambda event: -event.level):
        start, end = max(0.0, event.start - _BEFORE_SECONDS), min(length, event.start + _AFTER_SECONDS)
        known = any(start < window["end"] and window["start"] < end for window in found)
        if not known and end > start and len(found) < MAX_SOUND_WINDOWS:
            found.append({"start": round(start, 3), "end": round(end, 3)})
    return sorted(found, key=lambda window: window["start"])
