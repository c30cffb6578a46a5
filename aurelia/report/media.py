"""Pictures of a clip for the report: a strip of small frames and the outline of its sound."""

import base64
import io
from typing import Any

import numpy as np
from PIL import Image

from aurelia_core.errors import AureliaError
from aurelia_core.media import ClipStore
from aurelia_core.types import MediaRef

STRIP_FRAMES = 8
FRAME_HEIGHT = 90
PEAK_COUNT = 200
JPEG_QUALITY = 60


def picture_clip(store: ClipStore, video: str, tracks: list[str], frames: int = STRIP_FRAMES) -> dict[str, Any]:
    """Frames as JPEG data URIs with their times (seconds), and `PEAK_COUNT` peaks of the sound, 0 to 100.

    If there are separate tracks, the first one replaces the clip's own sound.

    Raises:
        MediaError: The clip is missing, may not be read, or cannot be decoded.
    """
    clip = store.admit(video)
    times, images = store.frames(clip, [], frames, FRAME_HEIGHT)
    shown = [{"time": round(float(time), 3), "jpeg": _jpeg(image)} for time, image in zip(times, images, strict=True)]
    notes: list[str] = []
    heard = clip
    if tracks:
        heard, note = _first_track(store, tracks)
        notes.append(note)
    return {"duration": clip["duration"], "frames": shown, "peaks": _peaks(store, heard, clip), "notes": notes}


def _first_track(store: ClipStore, tracks: list[str]) -> tuple[MediaRef, str]:
    track = store.admit(tracks[0], kind="audio")
    if len(tracks) == 1:
        return track, "The sound is a separate track."
    return track, f"The first of {len(tracks)} candidate tracks is shown."


def _jpeg(image: Any) -> str:
    out = io.BytesIO()
    Image.fromarray(np.asarray(image)).save(out, "JPEG", quality=JPEG_QUALITY, optimize=True)
    return f"data:image/jpeg;base64,{base64.b64encode(out.getvalue()).decode()}"


def _peaks(store: ClipStore, heard: MediaRef, clip: MediaRef) -> list[int]:
    """Peak of each of `PEAK_COUNT` equal parts of the clip, relative to the loudest part; [] without sound."""
    sounds = store.audio(heard)
    if not sounds:
        return []
    whole = sounds[0].samples
    rate = sounds[0].rate
    edges = np.linspace(0, clip["duration"] * rate, PEAK_COUNT + 1).astype(int)
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

    def page(self, video: str, tracks: list[str]) -> int | str:
        """Index of the clip's entry in `clips`, or the reason why there is none."""
        key = (video, *tracks)
        if key not in self._pages:
            try:
                self.clips.append(picture_clip(self._store, video, tracks))
                self._pages[key] = len(self.clips) - 1
            except AureliaError as fault:
                self._pages[key] = f"The clip cannot be shown: {fault}"
        return self._pages[key]
