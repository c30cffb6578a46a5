"""The one door for every media path: what may be opened, decided on the opened file itself.

A path is resolved, must lie inside the allowed roots, be a regular file of a known container (by its first bytes, never
by its name) and not be too large. URLs and playlists are refused. Decoding is elsewhere; nothing here parses more than
the first bytes.
"""

import errno
import os
import re
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from aurelia_core.errors import MediaError
from aurelia_core.settings import Settings

AUDIO_ONLY_DEMUXERS = frozenset({"wav", "mp3", "flac", "ogg"})
"""Demuxers of containers that hold no picture that we read."""

_MOV_BOXES = (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot")
_PLAYLIST = re.compile(
    rb"^\xef?\xbb?\xbf?\s*(#EXT|\[playlist\]|ffconcat|<\?xml|<smil|<MPD|<asx|<playlist)", re.IGNORECASE
)
_FOLDERWISE = hasattr(os, "O_NOFOLLOW") and os.open in os.supports_dir_fd
_URL = re.compile(r"^[A-Za-z][A-Za-z0-9+.-]*://")


@dataclass(frozen=True, slots=True)
class FileStamp:
    """What identifies one state of one file without reading it: a difference means that it must be read again."""

    device: int
    inode: int
    size: int
    mtime_ns: int
    ctime_ns: int

    @classmethod
    def of(cls, status: os.stat_result) -> "FileStamp":
        """The stamp in a stat result."""
        return cls(status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)


@dataclass(frozen=True, slots=True)
class GuardedFile:
    """A file that passed the guard, open for reading: what is decoded must carry the same stamp.

    Attributes:
        fd: the open file descriptor, owned by `opened`.
        path: the resolved path.
        stamp: taken from the descriptor, not from the path.
        demuxer: the only FFmpeg demuxer that may read it: mov, matroska, avi, wav, mp3, flac or ogg.
    """

    fd: int
    path: Path
    stamp: FileStamp
    demuxer: str


def display_name(name: str) -> str:
    """A file's name as messages may show it: no folders, nothing unprintable, at most 80 characters."""
    base = re.split(r"[/\\]", name.rstrip("/\\"))[-1] or name
    clean = "".join(char if char.isprintable() else "?" for char in base)
    return clean if len(clean) <= 80 else clean[:77] + "..."


@contextmanager
def open_media_file(name: str, settings: Settings) -> Iterator[GuardedFile]:
    """Open a media file after all checks.

    Args:
        name: a path; a relative one is looked up in the allowed roots (and first here, where any file may be read).
        settings: the operator's roots and limits.

    Yields:
        The open file; it is closed at the end of the block.

    Raises:
        MediaError: the file is missing, not allowed, not a regular file, too large, or no known container.
    """
    path = _resolved(name, settings)
    fd = _open(path, display_name(name))
    try:
        yield _checked(fd, path, display_name(name), settings)
    finally:
        os.close(fd)


def _resolved(name: str, settings: Settings) -> Path:
    label = display_name(name)
    if _URL.match(name):
        raise MediaError(f"{label} is a URL; only local files are read: download it first and give its path")
    if not name or "\0" in name:
        raise MediaError("An empty or impossible file name was given; give the path of a clip")
    roots = [] if settings.allow_any_file else [root.expanduser().resolve() for root in settings.media_roots]
    try:
        path = _candidate(Path(name).expanduser(), settings).resolve()
    except (OSError, RuntimeError) as error:
        raise MediaError(f"{label} cannot be looked up ({_reason(error)}); check the path") from error
    if not settings.allow_any_file and not any(path.is_relative_to(root) for root in roots):
        raise MediaError(
            f"{label} is outside the folders that may be read; move it into one of them, "
            "or let the operator add its folder to AURELIA_MEDIA_ROOTS"
        )
    return path


def _candidate(path: Path, settings: Settings) -> Path:
    """Where a name points: itself when absolute, else the first place that has it."""
    if path.is_absolute():
        return path
    places = ([Path.cwd()] if settings.allow_any_file else []) + list(settings.media_roots)
    found = [place / path for place in places if os.path.lexists(place / path)]
    return found[0] if found else (places[0] / path if places else Path.cwd() / path)


def _open(path: Path, label: str) -> int:
    """A descriptor of a regular file; neither a FIFO nor a device is opened, or could block us if swapped in."""
    try:
        _regular(os.stat(path), label)
        return _without_links(path, label)
    except FileNotFoundError as error:
        raise MediaError(f"{label} does not exist; check the path") from error
    except OSError as error:
        raise MediaError(f"{label} cannot be opened ({_reason(error)}); check the path and its permissions") from error


def _without_links(path: Path, label: str) -> int:
    """A descriptor of the file at a resolved path, folder by folder, so that no link put there since is followed."""
    follow = getattr(os, "O_NOFOLLOW", 0)
    file = os.O_RDONLY | follow | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0)
    if not _FOLDERWISE:
        return os.open(path, file)
    # Where the system has it, a folder is only passed through, which needs no right to list it.
    folder = getattr(os, "O_PATH", os.O_RDONLY) | os.O_DIRECTORY | follow | os.O_CLOEXEC
    place = os.open(path.anchor, folder)
    try:
        for part in path.parts[1:-1]:
            inner = os.open(part, folder, dir_fd=place)
            os.close(place)
            place = inner
        return os.open(path.name, file, dir_fd=place)
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.ENOTDIR):
            raise _changed(label) from error
        raise
    finally:
        os.close(place)


def _changed(label: str) -> MediaError:
    return MediaError(f"{label} changed while it was opened; try again when nothing writes to it")


def _regular(status: os.stat_result, label: str) -> None:
    kinds = {stat.S_IFDIR: "a directory", stat.S_IFIFO: "a FIFO", stat.S_IFCHR: "a device", stat.S_IFBLK: "a device"}
    if not stat.S_ISREG(status.st_mode):
        kind = kinds.get(stat.S_IFMT(status.st_mode), "no regular file")
        raise MediaError(f"{label} is {kind}; give a media file")


def _checked(fd: int, path: Path, label: str, settings: Settings) -> GuardedFile:
    status = os.fstat(fd)
    _regular(status, label)
    try:
        same = path.resolve() == path and FileStamp.of(os.stat(path)) == FileStamp.of(status)
    except OSError:
        # A link that is swapped while it is read.
        same = False
    if not same:
        raise _changed(label)
    if status.st_size == 0:
        raise MediaError(f"{label} is empty (0 bytes); give the complete file")
    if status.st_size > settings.max_media_bytes:
        raise MediaError(
            f"{label} has {status.st_size / 1e6:.0f} MB, more than the {settings.max_media_bytes / 1e6:.0f} MB "
            "that are allowed; cut or compress it"
        )
    return GuardedFile(fd, path, FileStamp.of(status), detect_demuxer(os.pread(fd, 4096, 0), label))


def detect_demuxer(head: bytes, label: str) -> str:
    """The FFmpeg demuxer for a file that starts like this.

    Args:
        head: the first bytes (4096 or all).
        label: the file's name for the message.

    Raises:
        MediaError: no container that is read here.
    """
    if _PLAYLIST.match(head):
        raise MediaError(f"{label} is a playlist or a text, not a clip; give the media file that it points at")
    demuxer = _by_magic(head)
    if demuxer is None:
        raise MediaError(
            f"{label} is no known clip: its content is none of mp4, mov, mkv, webm, avi, wav, mp3, flac, ogg, m4a; "
            "convert it to mp4 or wav"
        )
    return demuxer


def _by_magic(head: bytes) -> str | None:
    if head[4:8] in _MOV_BOXES:
        return "mov"
    if head[:4] in (b"RIFF", b"RF64"):
        return {b"AVI ": "avi", b"WAVE": "wav"}.get(head[8:12])
    for magic, demuxer in ((b"\x1aE\xdf\xa3", "matroska"), (b"fLaC", "flac"), (b"OggS", "ogg"), (b"ID3", "mp3")):
        if head.startswith(magic):
            return demuxer
    # An MPEG audio frame: 11 sync bits, then a layer that is not 0 (0 would be AAC in ADTS).
    return "mp3" if len(head) > 2 and head[0] == 0xFF and head[1] & 0xE0 == 0xE0 and head[1] & 0x06 else None


def _reason(error: Exception) -> str:
    """The system's reason without the path that str(error) would carry."""
    return (error.strerror or type(error).__name__) if isinstance(error, OSError) else type(error).__name__
