"""The clip store: it turns a file name into a reference, and a reference into frames and sound.

All access to the content of clips goes through the store, which joins the path checks, the decoding child processes and
the cache. A clip is decoded once; later requests with any windows read the cache. `aurelia_core.signals` measures the
content.
"""

import re
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
from aurelia_core.media.frames import GRID_HEIGHT, FrameIndex
from aurelia_core.media.guard import display_name, open_media_file
from aurelia_core.media.ingest import ClipFacts, decode_frames, ingest
from aurelia_core.media.places import ClipPlace, ClipPlaces
from aurelia_core.media.pool import shared_decode_pool
from aurelia_core.media.readers import FrameRequest
from aurelia_core.media.resampling import downsample
from aurelia_core.media.sampling import normalize_windows
from aurelia_core.media.sound import STORED_SAMPLE_RATE
from aurelia_core.settings import Settings
from aurelia_core.types import MediaRef, Window

MediaKind = Literal["video", "audio"]
_READERS = ("pyav", "decord")
_TRACK_PATTERN = re.compile(r"[A-Za-z0-9]{1,12}")


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

    def __init__(self, settings: Settings, *, copy: bool = False, reader: str = "pyav") -> None:
        """Prepare a store; child processes start when something must be decoded.

        Args:
            settings: the operator's folders and limits.
            copy: True for a server: an added file is copied to `settings.home`/media-store under its SHA-256, and only
                the copy is opened afterwards.
            reader: the decoder of pictures: pyav, or decord where it reads a clip correctly.

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

    def admit(self, name: str | Path, kind: MediaKind = "video", audio_track: str | None = None) -> MediaRef:
        """Check a file and return its reference.

        Args:
            name: a path, absolute or relative to an allowed root, or the id (64 hex digits) of an added clip.
            kind: video for a clip, a sound or an image; audio to use the sound only (also the sound track of a video).
            audio_track: number of the sound track, from 1, or its language; None takes the container's default.

        Raises:
            InputError: the track is neither a number nor a language.
            MediaError: the file may not be read, is damaged, or lacks the track or the sound that is asked for.
        """
        text = str(name)
        if audio_track is not None and not _TRACK_PATTERN.fullmatch(audio_track):
            raise InputError(
                f"There is no sound track {audio_track!r}; give its number, from 1, or its language, as eng"
            )
        if CLIP_ID_PATTERN.fullmatch(text):
            if self._places.find(text) is None:
                raise MediaError(f"No clip with the id {text[:12]}... was added here; give its path")
            return self._reference(self._places.verify(text), kind, audio_track)
        with open_media_file(text, self.settings) as file:
            place = self._places.register(file, display_name(text))
        return self._reference(place, kind, audio_track)

    def track_list(self, ref: MediaRef) -> list[str]:
        """All picture and sound tracks of an added clip, one line each; the used ones are marked."""
        return self._facts(ref["id"], _variant(ref))["tracks"]

    def track_notes(self, ref: MediaRef) -> list[str]:
        """What a person should know about the choice of the clip's tracks, one sentence each."""
        name = display_name(ref["name"])
        return [f"{name} {note}." for note in self._facts(ref["id"], _variant(ref))["notes"]]

    def chosen_streams(self, ref: MediaRef) -> tuple[int | None, int | None]:
        """Indices in the container of the picture stream and of the sound stream that are used."""
        facts = self._facts(ref["id"], _variant(ref))
        return facts["picture_stream"], facts["sound_stream"]

    def is_usual(self, ref: MediaRef) -> bool:
        """Whether a program that opens the clip's file by itself uses the same picture and sound tracks."""
        return self._facts(ref["id"], _variant(ref))["is_usual"]

    def frames(
        self, ref: MediaRef, windows: Sequence[Window], count: int, height: int = GRID_HEIGHT, shift: float = 0.0
    ) -> Frames:
        """At most `count` frames, spread evenly over the windows in proportion to their lengths.

        Frames are snapped to a grid of the clip's frames (up to 12 a second). With fewer grid frames in the windows
        than `count`, all of them are returned, so a very large `count` returns the whole grid.

        Args:
            ref: the reference of an added clip.
            windows: parts of the clip; none means the whole clip. A still image has no parts.
            count: at least 1.
            height: height of the images in pixels; the aspect is preserved and nothing is enlarged.
            shift: moves every frame's time by this part (0 up to below 1) of the distance between two frames.

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
        spans = [(0.0, 0.0)]
        if ref["duration"]:
            spans = normalize_windows(windows, ref["duration"])
        facts = self._facts(ref["id"], _variant(ref))
        times, images = self._frame_index(ref, facts).select_frames(spans, count, height, shift)
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
        samples = self._samples(ref)
        total_seconds = max(ref["duration"], len(samples) / STORED_SAMPLE_RATE)
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

    def _reference(self, place: ClipPlace, kind: MediaKind, audio_track: str | None) -> MediaRef:
        facts = self._facts(place.clip_id, _variant_name(kind, audio_track))
        name = place.name
        if kind == "audio" and facts["audio_seconds"] is None:
            raise MediaError(f"{name} has no sound track; give a file that has one")
        ref = MediaRef(
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
        if audio_track is not None:
            ref["audio_track"] = audio_track
        return ref

    def _facts(self, clip_id: str, variant: str) -> ClipFacts:
        """The facts of a clip, probed at most once for each variant."""
        facts = read_cached_facts(self._cache, clip_id, variant)
        if facts is None:
            with self._cache.lock(clip_id):
                facts = read_cached_facts(self._cache, clip_id, variant) or self._probe(clip_id, variant)
        return facts

    def _probe(self, clip_id: str, variant: str) -> ClipFacts:
        kind, _, audio_track = variant.partition("-")
        with self._cache.workspace() as folder:
            facts: ClipFacts = self._run_job(
                clip_id, ingest, str(folder), self.settings.max_clip_seconds, kind == "video", audio_track or None
            )
            if facts["width"] is None:
                # A sound that is given as a clip is the same as its sound alone.
                self._store_facts(clip_id, variant, facts)
                variant = _variant_name("audio", audio_track or None)
            for name in ("index.npz", "audio.npy"):
                if (folder / name).exists():
                    self._cache.store_entry(folder / name, clip_id, f"{variant}-{name}")
        self._store_facts(clip_id, variant, facts)
        self._cache.trim(clip_id)
        return facts

    def _store_facts(self, clip_id: str, variant: str, facts: ClipFacts) -> None:
        self._cache.write_json(clip_id, f"{variant}.json", {"version": PROBE_VERSION, **facts})

    def _run_job(self, clip_id: str, job: Callable[..., Any], *args: Any) -> Any:
        """Run one decoding job on a clip's file."""
        place = self._places.verify(clip_id)
        with self._lock:
            self.decode_count += 1
        return shared_decode_pool(self.settings).run(place.name, self.settings.decode_seconds, job, place.source, *args)

    def _samples(self, ref: MediaRef) -> Samples:
        clip_id, variant = ref["id"], _variant(ref)
        facts = self._facts(clip_id, variant)
        entry = f"{variant}-audio.npy"
        samples = self._cache.read_array(clip_id, entry, (facts["samples"],), np.float32)
        if samples is None:
            with self._cache.lock(clip_id):
                self._probe(clip_id, variant)
            samples = self._cache.read_array(clip_id, entry, (facts["samples"],), np.float32)
        if samples is None:
            raise _cache_error()
        return samples

    def _frame_index(self, ref: MediaRef, facts: ClipFacts) -> FrameIndex:
        clip_id, variant = ref["id"], _variant(ref)
        table = self._frame_table(clip_id, variant)
        if table is None:
            with self._cache.lock(clip_id):
                facts = self._probe(clip_id, variant)
            table = self._frame_table(clip_id, variant)
        if table is None:
            raise _cache_error()

        def decode(target: Path, wanted: FrameRequest) -> int:
            return int(self._run_job(clip_id, decode_frames, str(target), wanted, self._reader))

        return FrameIndex(clip_id, facts, table[0], table[1], self._cache, decode)

    def _frame_table(self, clip_id: str, variant: str) -> tuple[Vector, Mask] | None:
        try:
            # Open the file here: np.load leaves a file open if it is not an archive.
            path = self._cache.entry_path(clip_id, f"{variant}-index.npz")
            with path.open("rb") as file, np.load(file, allow_pickle=False) as table:
                return np.asarray(table["times"], np.float64), np.asarray(table["keys"], np.bool_)
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
            return None


def _variant(ref: MediaRef) -> str:
    """Name of the cache entries of a clip with one choice of tracks."""
    if ref["width"] is None:
        return _variant_name("audio", ref.get("audio_track"))
    return _variant_name("video", ref.get("audio_track"))


def _variant_name(kind: MediaKind, audio_track: str | None) -> str:
    if audio_track is None:
        return kind
    return f"{kind}-{audio_track.lower()}"


def _no_picture(name: str) -> MediaError:
    return MediaError(f"{name} has no picture; ask about its sound, or give a video and this file with --audio")


def _cache_error() -> MediaError:
    return MediaError("The cache cannot be written or read; make room on its disk or set AURELIA_HOME elsewhere")
