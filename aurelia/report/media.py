"""Pictures of a question's media for the report: a strip of small frames or images, and the outline of the sound."""

import base64
import io
from typing import Any

import numpy as np
from PIL import Image

from aurelia_core.errors import AureliaError
from aurelia_core.media import ClipStore
from aurelia_core.types import Media, MediaRef, is_video
from nodes.prepare import admit_media

STRIP_FRAMES = 8
FRAME_HEIGHT = 90
PEAK_COUNT = 200
JPEG_QUALITY = 60


def picture_media(store: ClipStore, media: Media, count: int = STRIP_FRAMES) -> dict[str, Any]:
    """Frames as JPEG data URIs with their times (seconds), and `PEAK_COUNT` peaks of the sound, 0 to 100.

    A still picture has no time. If there are separate tracks, the first one is shown in place of the clip's own sound.

    Args:
        store: The store of the media.
        media: What is shown.
        count: Number of frames of a video, at most.

    Raises:
        MediaError: A medium cannot be read or decoded.
    """
    shown: list[dict[str, Any]] = []
    if is_video(media.clip):
        frames = store.frames(media.clip, [], count, FRAME_HEIGHT)
        for time, image in zip(frames.times, frames.images, strict=True):
            shown.append({"time": round(float(time), 3), "jpeg": _jpeg(image)})
    for still in media.stills:
        shown.append({"time": None, "jpeg": _jpeg(store.frames(still, [], 1, FRAME_HEIGHT).images[0])})
    heard = media.clip
    if media.tracks:
        heard = media.tracks[0]
    return {
        "duration": media.seconds,
        "frames": shown,
        "peaks": _peaks(store, heard, media.seconds),
        "notes": _sound_notes(media),
    }


def _sound_notes(media: Media) -> list[str]:
    count = len(media.tracks)
    if count > 1 and is_video(media.clip):
        return [f"The first of {count} candidate tracks is shown."]
    if count > 1:
        return [f"The first of {count} sounds is shown."]
    if count == 1:
        return ["The sound is a separate track."]
    return []


def _jpeg(image: Any) -> str:
    out = io.BytesIO()
    Image.fromarray(np.asarray(image)).save(out, "JPEG", quality=JPEG_QUALITY, optimize=True)
    return f"data:image/jpeg;base64,{base64.b64encode(out.getvalue()).decode()}"


def _peaks(store: ClipStore, heard: MediaRef, seconds: float) -> list[int]:
    """Peak of each of `PEAK_COUNT` equal parts of the clip, relative to the loudest part; [] without sound."""
    sounds = store.audio(heard)
    if not sounds:
        return []
    whole = sounds[0].samples
    rate = sounds[0].rate
    edges = np.linspace(0, seconds * rate, PEAK_COUNT + 1).astype(int)
    parts = [whole[start:end] for start, end in zip(edges[:-1], edges[1:], strict=True)]
    peaks = np.array([np.abs(part).max(initial=0.0) for part in parts])
    return [int(peak) for peak in np.round(100 * peaks / max(float(peaks.max()), 1e-4))]


class ClipAlbum:
    """Pictures of clips, each clip once; for a clip that cannot be shown, the reason."""

    def __init__(self, store: ClipStore) -> None:
        """Starts empty.

        Args:
            store: Clip store that reads the clips by their names in the records.
        """
        self._store = store
        self._pages: dict[tuple[str, ...], int | str] = {}
        self.clips: list[dict[str, Any]] = []

    def page(self, video: str | None, images: list[str], tracks: list[str]) -> int | str:
        """Index of the entry of these media in `clips`, or the reason why there is none."""
        key = (video or "", *images, "", *tracks)
        if key not in self._pages:
            try:
                self.clips.append(picture_media(self._store, admit_media(self._store, video, images, tracks)))
                self._pages[key] = len(self.clips) - 1
            except AureliaError as fault:
                self._pages[key] = f"The clip cannot be shown: {fault}"
        return self._pages[key]
