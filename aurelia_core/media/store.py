"""The clip store: from a name to a reference, and from a reference to frames and samples.

The only way to a clip's content. Guarding, decoding in child processes and caching meet here; what the content means is
measured elsewhere (`aurelia_core.signals`). A clip is decoded once: later questions, with any windows, read the cache.
"""

import hashlib
import threading
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np

from aurelia_core.arrays import Images, Mask, Samples, Vector
from aurelia_core.errors import InputError, MediaError
from aurelia_core.media.admission import (
    PROBE_VERSION,
    copy_into_store,
    hash_file,
    read_cached_facts,
    settings_for_record,
)
from aurelia_core.media.cache import CLIP_ID_PATTERN, PATHS_FOLDER, ClipCache
from aurelia_core.media.frames import GRID_HEIGHT, FrameIndex, FrameRange
from aurelia_core.media.guard import AUDIO_ONLY_DEMUXERS, GuardedFile, display_name, open_media_file
from aurelia_core.media.ingest import STORED_SAMPLE_RATE, ClipFacts, decode_frames, ingest
from aurelia_core.media.pool import shared_decode_pool
from aurelia_core.media.readers import FrameRequest
from aurelia_core.media.resampling import downsample
from aurelia_core.media.sampling import normalize_windows
from aurelia_core.media.source import DecodeSource
from aurelia_core.settings import Settings
from aurelia_core.types import MediaRef, Window

MediaKind = Literal["video", "audio"]
_READERS = ("auto", "decord", "pyav")


class Frames(NamedTuple):
    """Frames of a clip: `times` float64[N], seconds from its start, ascending; `images` uint8[N, H, W, 3], RGB."""

    times: Vector
    images: Images


class AudioSegment(NamedTuple):
    """Sound of one window: `samples` float32[n], mono, -1..1, at `rate` Hz, the first one at `start` seconds."""

    samples: Samples
    rate: int
    start: float


class ClipStore:
    """Clips by content: admits files, and gives their frames and samples; synchronous and thread-safe.

    Attributes:
        decode_count: how many decoding jobs this store started so far (a second question on a clip starts none).
    """

    def __init__(self, settings: Settings, *, copy: bool = False, reader: str = "auto") -> None:
        """Start nothing yet; child processes are started when something must be decoded.

        Args:
            settings: the operator's folders and limits.
            copy: True for a server: an admitted file is copied into `settings.home`/media-store, named by its content,
                and only the copy is opened from then on.
            reader: auto, decord or pyav: what decodes pictures.

        Raises:
            InputError: no such reader.
        """
        if reader not in _READERS:
            raise InputError(f"There is no reader {reader!r}; use one of {', '.join(_READERS)}")
        self.settings = settings
        self.decode_count = 0
        self._copy = copy
        self._reader = reader
        self._cache = ClipCache(settings.cache_folder)
        self._lock = threading.Lock()

    def admit(self, name: str | Path, kind: MediaKind = "video") -> MediaRef:
        """Check a file and say what it holds.

        Args:
            name: a path, absolute or relative to an allowed root, or the id (64 hex digits) of a clip admitted before.
            kind: video, or audio for a file of which only the sound counts (a video's sound track is then used).

        Returns:
            Its reference.

        Raises:
            MediaError: it may not be read, is damaged, or does not hold what `kind` needs.
        """
        text = str(name)
        if CLIP_ID_PATTERN.fullmatch(text):
            return self._known(text, kind)
        with open_media_file(text, self.settings) as file:
            if kind == "video" and file.demuxer in AUDIO_ONLY_DEMUXERS:
                raise _no_picture(display_name(text))
            clip = self._identified(file, display_name(text))
        return self._reference(clip, kind)

    def frames(self, ref: MediaRef, windows: Sequence[Window], count: int, height: int = GRID_HEIGHT) -> Frames:
        """At most `count` frames, spread evenly over windows in proportion to their lengths.

        Frames are snapped to a grid of the clip's own frames (up to 12 a second); where the grid has fewer in the
        windows all of them are given, so a very large `count` gives the whole grid.

        Args:
            ref: a clip that was admitted.
            windows: stretches of the clip; none means all of it.
            count: at least 1.
            height: of the images in pixels; the aspect is kept and nothing is enlarged.

        Returns:
            Times and images; the images may be mapped from the cache and are then read-only.

        Raises:
            InputError: a window outside the clip, or a count or height below 1.
            MediaError: the clip has no picture, cannot be decoded, or its file changed before it was decoded.
        """
        if count < 1 or height < 1:
            raise InputError(f"{count} frames of height {height} were asked for; both must be at least 1")
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
        """The sound of windows, one entry each, in order of time (overlapping windows are merged).

        Args:
            ref: a clip or sound that was admitted.
            windows: stretches of the clip; none means all of it.
            rate: samples a second, 1..16000; below 16000 nothing above half the rate is left (anti-aliased).

        Returns:
            What there is: less than a window where the sound ends before it, nothing at all ([]) for a silent clip.

        Raises:
            InputError: a window outside the clip, or a rate outside 1..16000.
            MediaError: the sound cannot be decoded, or the file changed before it was decoded.
        """
        if not 1 <= rate <= STORED_SAMPLE_RATE:
            raise InputError(f"A rate of {rate} Hz was asked for; sound is kept at {STORED_SAMPLE_RATE} Hz")
        if not ref["has_audio"]:
            return []
        kind: MediaKind = "audio" if ref["width"] is None else "video"
        whole = max(ref["duration"], ref["audio_seconds"] or 0.0)
        spans = normalize_windows(windows, whole)
        samples = self._samples(ref["id"], kind)
        self._cache.touch(ref["id"])
        cuts = [samples[round(start * STORED_SAMPLE_RATE) : round(end * STORED_SAMPLE_RATE)] for start, end in spans]
        return [AudioSegment(downsample(cut, rate), rate, start) for cut, (start, _) in zip(cuts, spans, strict=True)]

    def verified_path(self, ref: MediaRef) -> Path:
        """The clip's own file, checked again, for an adapter that uploads it.

        Raises:
            MediaError: it is gone, may no longer be read, or its content changed.
        """
        return Path(self._source(ref["id"]).path)

    def _known(self, clip: str, kind: MediaKind) -> MediaRef:
        if self._cache.read_json(clip, "source.json") is None:
            raise MediaError(f"No clip with the id {clip[:12]}... was admitted here; give its path")
        self._source(clip)
        return self._reference(clip, kind)

    def _identified(self, file: GuardedFile, name: str) -> str:
        """The content's SHA-256; the file is read only if it was never seen in this state."""
        entry = hashlib.sha256(str(file.path).encode("utf-8", "surrogateescape")).hexdigest()
        seen = self._cache.read_json(PATHS_FOLDER, f"{entry}.json")
        if seen and seen.get("stamp") == asdict(file.stamp) and self._has(str(seen.get("id"))):
            return str(seen["id"])
        clip, path, stamp = copy_into_store(file, self.settings.home / "media-store" if self._copy else None)
        source = {
            "path": str(path),
            "stamp": asdict(stamp),
            "demuxer": file.demuxer,
            "name": name,
            "copied": self._copy,
        }
        self._cache.write_json(clip, "source.json", source)
        self._cache.write_json(PATHS_FOLDER, f"{entry}.json", {"id": clip, "stamp": asdict(file.stamp)})
        return clip

    def _has(self, clip: str) -> bool:
        """Whether a clip's source is on record and, for a store that copies, is a copy that is still there."""
        record = self._cache.read_json(clip, "source.json")
        return record is not None and (not self._copy or (bool(record.get("copied")) and Path(record["path"]).exists()))

    def _source(self, clip: str) -> DecodeSource:
        """The file of a clip, guarded again; read again if its stamp changed."""
        record = self._cache.read_json(clip, "source.json")
        if record is None:
            raise MediaError(f"The clip {clip[:12]}... is not on record any more; give its path again")
        with open_media_file(str(record["path"]), settings_for_record(self.settings, record)) as file:
            stamp = file.stamp
            if asdict(stamp) != record["stamp"]:
                if hash_file(file) != clip:
                    raise MediaError(f"{record['name']} changed since it was admitted; give it again as a new clip")
                self._cache.write_json(clip, "source.json", {**record, "stamp": asdict(stamp)})
            found = (stamp.device, stamp.inode, stamp.size, stamp.mtime_ns, stamp.ctime_ns)
            return DecodeSource(str(file.path), found, file.demuxer)

    def _reference(self, clip: str, kind: MediaKind) -> MediaRef:
        facts = self._facts(clip, kind)
        record = self._cache.read_json(clip, "source.json") or {}
        name = str(record.get("name", clip))
        if kind == "video" and facts["width"] is None:
            raise _no_picture(name)
        if kind == "audio" and facts["audio_seconds"] is None:
            raise MediaError(f"{name} has no sound track; give a file that has one")
        return MediaRef(
            id=clip,
            name=name,
            bytes=int(record.get("stamp", {}).get("size", 0)),
            duration=facts["duration"],
            width=facts["width"],
            height=facts["height"],
            fps=facts["fps"],
            has_audio=facts["audio_seconds"] is not None,
            audio_channels=facts["audio_channels"],
            audio_seconds=facts["audio_seconds"],
        )

    def _facts(self, clip: str, kind: MediaKind) -> ClipFacts:
        """The survey of a clip, made at most once."""
        found = read_cached_facts(self._cache, clip, kind)
        if found is None:
            with self._cache.lock(clip):
                found = read_cached_facts(self._cache, clip, kind) or self._probe(clip, kind)
        return found

    def _probe(self, clip: str, kind: MediaKind) -> ClipFacts:
        with self._cache.workspace() as folder:
            facts: ClipFacts = self._run(clip, ingest, str(folder), self.settings.max_clip_seconds, kind == "video")
            for made in ("index.npz", "audio.npy"):
                if (folder / made).exists():
                    self._cache.store_entry(folder / made, clip, f"{kind}-{made}")
        self._cache.write_json(clip, f"{kind}.json", {"version": PROBE_VERSION, **facts})
        self._cache.trim(clip)
        return facts

    def _run(self, clip: str, job: Callable[..., Any], *args: Any) -> Any:
        """One decoding job on a clip's file."""
        source = self._source(clip)
        name = str((self._cache.read_json(clip, "source.json") or {}).get("name", clip))
        with self._lock:
            self.decode_count += 1
        return shared_decode_pool(self.settings).run(name, self.settings.decode_seconds, job, source, *args)

    def _samples(self, clip: str, kind: MediaKind) -> Samples:
        facts = self._facts(clip, kind)
        entry = f"{kind}-audio.npy"
        found = self._cache.read_array(clip, entry, (facts["samples"],), np.float32)
        if found is None:
            with self._cache.lock(clip):
                self._probe(clip, kind)
            found = self._cache.read_array(clip, entry, (facts["samples"],), np.float32)
        if found is None:
            raise MediaError("The cache cannot be written or read; make room on its disk or set AURELIA_HOME elsewhere")
        return found

    def _frame_index(self, clip: str, facts: ClipFacts) -> FrameIndex:
        table = self._table(clip)
        if table is None:
            with self._cache.lock(clip):
                facts = self._probe(clip, "video")
            table = self._table(clip)
        if table is None:
            raise MediaError("The cache cannot be written or read; make room on its disk or set AURELIA_HOME elsewhere")

        def take(target: Path, wanted: FrameRequest, stretch: FrameRange | None) -> int:
            return int(self._run(clip, decode_frames, str(target), wanted, stretch, self._reader))

        return FrameIndex(clip, facts, table[0], table[1], self._cache, take)

    def _table(self, clip: str) -> tuple[Vector, Mask] | None:
        try:
            # The file is opened here: numpy would leave it open when it is no archive.
            place = self._cache.entry_path(clip, "video-index.npz")
            with place.open("rb") as file, np.load(file, allow_pickle=False) as table:
                return np.asarray(table["times"], np.float64), np.asarray(table["keys"], np.bool_)
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
            return None


def _no_picture(name: str) -> MediaError:
    return MediaError(f"{name} has no picture; give a video, and this file with --audio")
