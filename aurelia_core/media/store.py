"""The clip store: it turns a file name into a reference, and a reference into frames and sound.

All access to the content of clips goes through the store, which joins the path checks, the decoding child processes and
the cache. A clip is decoded once; later requests with any windows read the cache. `aurelia_core.signals` measures the
content.
"""

import threading
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np

from aurelia_core.arrays import Images, Mask, Samples, Vector
from aurelia_core.errors import InputError, MediaError
from aurelia_core.media.admission import PROBE_VERSION, read_cached_facts
from aurelia_core.media.cache import CLIP_ID_PATTERN, ClipCache
from aurelia_core.media.frames import GRID_HEIGHT, FrameIndex, FrameRange
from aurelia_core.media.guard import AUDIO_ONLY_DEMUXERS, display_name, open_media_file
from aurelia_core.media.ingest import STORED_SAMPLE_RATE, ClipFacts, decode_frames, ingest
from aurelia_core.media.places import ClipPlace, ClipPlaces
from aurelia_core.media.pool import shared_decode_pool
from aurelia_core.media.readers import FrameRequest
from aurelia_core.media.resampling import downsample
from aurelia_core.media.sampling import normalize_windows
from aurelia_core.settings import Settings
from aurelia_core.types import MediaRef, Window

MediaKind = Literal["video", "audio"]
_READERS = ("auto", "decord", "pyav")


class Frames(NamedTuple):
    """Frames of a clip: `times` float64[N], seconds from its start, ascending; `images` uint8[N, H, W, 3], RGB."""

    times: Vector
    images: Images


class AudioSegment(NamedTuple):
    """Sound of one window: `samples` float32[n], mono, -1..1, at `rate` Hz, starting at `start` seconds of the clip."""

    samples: Samples
    rate: int
    start: float


class ClipStore:
    """Registers clips and returns their frames and sound; synchronous and thread-safe.

    Attributes:
        decode_count: the number of decoding jobs of this store (a second question about a clip starts none).
    """

    def __init__(self, settings: Settings, *, copy: bool = False, reader: str = "auto") -> None:
        """Prepare a store; child processes start when something must be decoded.

        Args:
            settings: the operator's folders and limits.
            copy: True for a server: an added file is copied to `settings.home`/media-store under its SHA-256, and only
                the copy is opened afterwards.
            reader: the decoder of pictures: auto, decord or pyav.

        Raises:
            InputError: the reader is unknown.
        """
        if reader not in _READERS:
            raise InputError(f"There is no reader {reader!r}; use one of {', '.join(_READERS)}")
        self.settings = settings
        self.decode_count = 0
        self._reader = reader
        self._cache = ClipCache(settings.cache_folder)
        self._places = ClipPlaces(settings, self._cache, copy=copy)
        self._lock = threading.Lock()

    def admit(self, name: str | Path, kind: MediaKind = "video") -> MediaRef:
        """Check a file and return its reference.

        Args:
            name: a path, absolute or relative to an allowed root, or the id (64 hex digits) of an added clip.
            kind: video, or audio to use the sound only (also the sound track of a video).

        Raises:
            MediaError: the file may not be read, is damaged, or lacks the picture or sound that `kind` requires.
        """
        text = str(name)
        if CLIP_ID_PATTERN.fullmatch(text):
            if self._places.find(text) is None:
                raise MediaError(f"No clip with the id {text[:12]}... was added here; give its path")
            return self._reference(self._places.verify(text), kind)
        with open_media_file(text, self.settings) as file:
            if kind == "video" and file.demuxer in AUDIO_ONLY_DEMUXERS:
                raise _no_picture(display_name(text))
            place = self._places.register(file, display_name(text))
        return self._reference(place, kind)

    def frames(self, ref: MediaRef, windows: Sequence[Window], count: int, height: int = GRID_HEIGHT) -> Frames:
        """At most `count` frames, spread evenly over the windows in proportion to their lengths.

        Frames are snapped to a grid of the clip's frames (up to 12 a second). With fewer grid frames in the windows
        than `count`, all of them are returned, so a very large `count` returns the whole grid.

        Args:
            ref: the reference of an added clip.
            windows: parts of the clip; none means the whole clip.
            count: at least 1.
            height: height of the images in pixels; the aspect is preserved and nothing is enlarged.

        Returns:
            Times and images; the images may be mapped from the cache and are then read-only.

        Raises:
            InputError: a window lies outside the clip, or count or height is below 1.
            MediaError: the clip has no picture, cannot be decoded, or its file changed before it was decoded.
        """
        if count < 1 or height < 1:
            raise InputError(f"{count} frames of height {height} were requested; both must be at least 1")
        if ref["width"] is None:
            raise _no_picture(display_name(ref["name"]))
        spans = normalize_windows(windows, ref["duration"])
        facts = self._facts(ref["id"], "video")
        times, images = self._frame_index(ref["id"], facts).select_frames(spans, count, height)
        self._cache.touch(ref["id"])
        return Frames(times, images)

    def audio(
        self, ref: MediaRef, windows: Sequence[Window] = (), rate: int = STORED_SAMPLE_RATE
    ) -> list[AudioSegment]:
        """The sound of the windows in order of time, one segment for each (overlapping windows are merged).

        Args:
            ref: the reference of an added clip.
            windows: parts of the clip; none means the whole clip.
            rate: sampling rate, 1..16000 Hz (anti-aliased below 16000).

        Returns:
            The segments. A segment is shorter than its window where the sound ends early. Without a sound track: [].

        Raises:
            InputError: a window lies outside the clip, or the rate is outside 1..16000.
            MediaError: the sound cannot be decoded, or the file changed before it was decoded.
        """
        if not 1 <= rate <= STORED_SAMPLE_RATE:
            raise InputError(f"A rate of {rate} Hz was requested; it must be 1 to {STORED_SAMPLE_RATE} Hz")
        if not ref["has_audio"]:
            return []
        kind: MediaKind = "video"
        if ref["width"] is None:
            kind = "audio"
        total_seconds = max(ref["duration"], ref["audio_seconds"] or 0.0)
        samples = self._samples(ref["id"], kind)
        self._cache.touch(ref["id"])
        segments = []
        for start, end in normalize_windows(windows, total_seconds):
            part = samples[round(start * STORED_SAMPLE_RATE) : round(end * STORED_SAMPLE_RATE)]
            segments.append(AudioSegment(downsample(part, rate), rate, start))
        return segments

    def verified_path(self, ref: MediaRef) -> Path:
        """The path of a file with the clip's content after a new check, for an adapter that uploads the file.

        Raises:
            MediaError: every place of the clip is missing, may no longer be read, or its content changed.
        """
        return Path(self._places.verify(ref["id"]).path)

    def _reference(self, place: ClipPlace, kind: MediaKind) -> MediaRef:
        facts = self._facts(place.clip_id, kind)
        name = place.name
        if kind == "video" and facts["width"] is None:
            raise _no_picture(name)
        if kind == "audio" and facts["audio_seconds"] is None:
            raise MediaError(f"{name} has no sound track; give a file that has one")
        return MediaRef(
            id=place.clip_id,
            name=name,
            bytes=place.stamp.size,
            duration=facts["duration"],
            width=facts["width"],
            height=facts["height"],
            fps=facts["fps"],
            has_audio=facts["audio_seconds"] is not None,
            audio_channels=facts["audio_channels"],
            audio_seconds=facts["audio_seconds"],
        )

    def _facts(self, clip_id: str, kind: MediaKind) -> ClipFacts:
        """The facts of a clip, probed at most once."""
        facts = read_cached_facts(self._cache, clip_id, kind)
        if facts is None:
            with self._cache.lock(clip_id):
                facts = read_cached_facts(self._cache, clip_id, kind) or self._probe(clip_id, kind)
        return facts

    def _probe(self, clip_id: str, kind: MediaKind) -> ClipFacts:
        with self._cache.workspace() as folder:
            facts: ClipFacts = self._run_job(
                clip_id, ingest, str(folder), self.settings.max_clip_seconds, kind == "video"
            )
            for name in ("index.npz", "audio.npy"):
                if (folder / name).exists():
                    self._cache.store_entry(folder / name, clip_id, f"{kind}-{name}")
        self._cache.write_json(clip_id, f"{kind}.json", {"version": PROBE_VERSION, **facts})
        self._cache.trim(clip_id)
        return facts

    def _run_job(self, clip_id: str, job: Callable[..., Any], *args: Any) -> Any:
        """Run one decoding job on a clip's file."""
        place = self._places.verify(clip_id)
        with self._lock:
            self.decode_count += 1
        return shared_decode_pool(self.settings).run(place.name, self.settings.decode_seconds, job, place.source, *args)

    def _samples(self, clip_id: str, kind: MediaKind) -> Samples:
        facts = self._facts(clip_id, kind)
        entry = f"{kind}-audio.npy"
        samples = self._cache.read_array(clip_id, entry, (facts["samples"],), np.float32)
        if samples is None:
            with self._cache.lock(clip_id):
                self._probe(clip_id, kind)
            samples = self._cache.read_array(clip_id, entry, (facts["samples"],), np.float32)
        if samples is None:
            raise _cache_error()
        return samples

    def _frame_index(self, clip_id: str, facts: ClipFacts) -> FrameIndex:
        table = self._frame_table(clip_id)
        if table is None:
            with self._cache.lock(clip_id):
                facts = self._probe(clip_id, "video")
            table = self._frame_table(clip_id)
        if table is None:
            raise _cache_error()

        def decode(target: Path, wanted: FrameRequest, checked: FrameRange | None) -> int:
            return int(self._run_job(clip_id, decode_frames, str(target), wanted, checked, self._reader))

        return FrameIndex(clip_id, facts, table[0], table[1], self._cache, decode)

    def _frame_table(self, clip_id: str) -> tuple[Vector, Mask] | None:
        try:
            # Open the file here: np.load leaves a file open if it is not an archive.
            path = self._cache.entry_path(clip_id, "video-index.npz")
            with path.open("rb") as file, np.load(file, allow_pickle=False) as table:
                return np.asarray(table["times"], np.float64), np.asarray(table["keys"], np.bool_)
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
            return None


def _no_picture(name: str) -> MediaError:
    return MediaError(f"{name} has no picture; give a video, and this file with --audio")


def _cache_error() -> MediaError:
    return MediaError("The cache cannot be written or read; make room on its disk or set AURELIA_HOME elsewhere")
