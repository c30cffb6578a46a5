"""The places of a content: every file that was admitted with it, one small JSON file for each.

Processes that admit places of one content at the same time write different files, so none is lost. A place that is
gone, may not be read by this process or holds another content now is passed over while another one can be used.
"""

import hashlib
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from aurelia_core.errors import MediaError
from aurelia_core.media.admission import copy_into_store, hash_file, settings_for_copies
from aurelia_core.media.cache import CLIP_ID_PATTERN, PATHS_FOLDER, ClipCache
from aurelia_core.media.guard import FileStamp, GuardedFile, open_media_file
from aurelia_core.media.source import DecodeSource
from aurelia_core.settings import Settings

_PLACES_FOLDER = "places"
_EARLIER_ENTRY = "source.json"
"""The only place of a content, as version 0.1 recorded it."""


@dataclass(frozen=True, slots=True)
class ClipPlace:
    """One file that holds a clip's content.

    Attributes:
        clip_id: SHA-256 (hex) of the content.
        path: the resolved path.
        stamp: the file's stamp when its content was last read.
        demuxer: the FFmpeg demuxer of its container.
        name: the name that messages show.
        copied: whether it is the server's own copy.
        admitted: when it was last admitted, nanoseconds since 1970.
    """

    clip_id: str
    path: str
    stamp: FileStamp
    demuxer: str
    name: str
    copied: bool
    admitted: int

    @property
    def source(self) -> DecodeSource:
        """What a decoding child needs to open it."""
        stamp = self.stamp
        found = (stamp.device, stamp.inode, stamp.size, stamp.mtime_ns, stamp.ctime_ns)
        return DecodeSource(self.path, found, self.demuxer)


class ClipPlaces:
    """Records the places of contents, and finds one that can be read; thread-safe."""

    def __init__(self, settings: Settings, cache: ClipCache, *, copy: bool) -> None:
        """Record in a cache.

        Args:
            settings: the operator's folders and limits.
            cache: where the records are.
            copy: whether a registered file is copied to `settings.home`/media-store, and the copy is its place.
        """
        self._settings = settings
        self._cache = cache
        self._copy = copy
        self._latest: dict[str, str] = {}
        """The path that this process admitted last, by clip: another process's place must not replace it."""

    def register(self, file: GuardedFile, name: str) -> ClipPlace:
        """The place of an open file, which becomes the first choice; a file with a known stamp is not read again.

        Raises:
            MediaError: the file changed while it was read, or the store cannot be written.
        """
        entry = f"{_path_key(str(file.path))}.json"
        known = self._known_place(self._cache.read_json(PATHS_FOLDER, entry) or {}, file, name)
        if known:
            return self._choose(known)
        store_folder = None
        if self._copy:
            store_folder = self._settings.home / "media-store"
        stored = copy_into_store(file, store_folder)
        place = ClipPlace(
            stored.clip_id, str(stored.path), stored.stamp, file.demuxer, name, self._copy, time.time_ns()
        )
        self._choose(place)
        self._cache.write_json(PATHS_FOLDER, entry, {"id": stored.clip_id, "stamp": asdict(file.stamp)})
        return place

    def find(self, clip_id: str) -> ClipPlace | None:
        """The first choice among the places of a clip, unchecked; None if the clip has none."""
        return next(iter(self._ordered(clip_id)), None)

    def verify(self, clip_id: str) -> ClipPlace:
        """A place of a clip after a new check. One whose stamp changed is read again, unless another one did not.

        Raises:
            MediaError: no place can be used; the message is about the first choice.
        """
        places = self._ordered(clip_id)
        if not places:
            raise MediaError(f"The clip {clip_id[:12]}... is no longer registered; give its path again")
        faults: dict[str, MediaError] = {}
        for read_again in (False, True):
            for place in places:
                try:
                    return self._check(place, read_again=read_again)
                except MediaError as fault:
                    faults[place.path] = fault
        raise faults[places[0].path]

    def _check(self, place: ClipPlace, *, read_again: bool) -> ClipPlace:
        settings = self._settings
        if place.copied:
            settings = settings_for_copies(settings)
        with open_media_file(place.path, settings) as file:
            if file.stamp == place.stamp:
                return place
            if not read_again or hash_file(file) != place.clip_id:
                raise MediaError(f"{place.name} changed after it was added; give it again as a new clip")
            return self._record(replace(place, stamp=file.stamp, demuxer=file.demuxer))

    def _known_place(self, record: Mapping[str, Any], file: GuardedFile, name: str) -> ClipPlace | None:
        """The place of a file that was read before; None if it must be read, also because its copy is missing."""
        clip_id = str(record.get("id"))
        if record.get("stamp") != asdict(file.stamp) or not CLIP_ID_PATTERN.fullmatch(clip_id):
            return None
        if not self._copy:
            return ClipPlace(clip_id, str(file.path), file.stamp, file.demuxer, name, False, time.time_ns())
        for place in self._ordered(clip_id):
            if place.copied and Path(place.path).exists():
                return replace(place, name=name, admitted=time.time_ns())
        return None

    def _choose(self, place: ClipPlace) -> ClipPlace:
        """Make a place the first choice. Nothing is written if it is already, so that a full disk does not matter."""
        self._latest[place.clip_id] = place.path
        newest = max(self._ordered(place.clip_id), key=lambda other: other.admitted, default=None)
        if newest and newest.admitted and replace(newest, admitted=place.admitted) == place:
            return newest
        return self._record(place)

    def _record(self, place: ClipPlace) -> ClipPlace:
        entry = f"{_PLACES_FOLDER}/{_path_key(place.path)}.json"
        record = asdict(place)
        del record["clip_id"]
        self._cache.write_json(place.clip_id, entry, record)
        return place

    def _ordered(self, clip_id: str) -> list[ClipPlace]:
        """The places of a clip: a server's copies first, then the latest of this process, then the latest of all."""
        latest = self._latest.get(clip_id)

        def rank(place: ClipPlace) -> tuple[bool, bool, int]:
            return (self._copy and place.copied, place.path == latest, place.admitted)

        found = {}
        for entry in (_EARLIER_ENTRY, *self._cache.list_entries(clip_id, _PLACES_FOLDER)):
            place = _read_place(clip_id, self._cache.read_json(clip_id, entry))
            if place:
                found[place.path] = place
        return sorted(found.values(), key=rank, reverse=True)


def _read_place(clip_id: str, record: Mapping[str, Any] | None) -> ClipPlace | None:
    """A place from its record; None if it is missing or incomplete. A record of an earlier release is the oldest."""
    if record is None:
        return None
    try:
        stamp = FileStamp(**record["stamp"])
        texts = [str(record[key]) for key in ("path", "demuxer", "name")]
        return ClipPlace(
            clip_id, texts[0], stamp, texts[1], texts[2], bool(record["copied"]), int(record.get("admitted", 0))
        )
    except (KeyError, TypeError, ValueError):
        return None


def _path_key(path: str) -> str:
    return hashlib.sha256(path.encode("utf-8", "surrogateescape")).hexdigest()
