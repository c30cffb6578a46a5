"""Checks on every media path, made on the opened file itself.

A resolved path must lie inside the allowed roots and name a regular file of a known container, which is detected by its
first bytes and not by its name. URLs, playlists and files above the size limit are refused. Only the first bytes of a
file are parsed here.
"""

import errno
import os
import re
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from aurelia_core.errors import MediaError, system_reason
from aurelia_core.settings import Settings

IMAGE_DEMUXERS = frozenset({"png_pipe", "jpeg_pipe", "webp_pipe"})
"""Demuxers of still images."""

_MOV_BOXES = (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot")
_AVIF, _HEIF, _TIFF, _JPEG_XL = "an AVIF picture", "a HEIF picture", "a TIFF picture", "a JPEG XL picture"
_IMAGES_IN_BOXES = {
    **dict.fromkeys((b"ftypavif", b"ftypavis"), _AVIF),
    **dict.fromkeys((b"ftypheic", b"ftypheix", b"ftyphevc", b"ftyphevx", b"ftypmif1", b"ftypmsf1"), _HEIF),
}
"""Pictures in the boxes of an mp4; FFmpeg reads only the first one of an animation."""
_OTHER_FILES = (
    (b"BM", "a BMP picture"),
    (b"II*\0", _TIFF),
    (b"MM\0*", _TIFF),
    (b"\0\0\0\x0cJXL ", _JPEG_XL),
    (b"\xff\x0a", _JPEG_XL),
    (b"\0\0\0\x0cjP  ", "a JPEG 2000 picture"),
    (b"8BPS", "a Photoshop picture"),
    (b"%PDF", "a PDF document"),
    (b"MThd", "a MIDI file, which holds notes and no sound"),
)
_PNG = b"\x89PNG\r\n\x1a\n"
_MAGIC = (
    (b"\x1aE\xdf\xa3", "matroska"),
    (b"fLaC", "flac"),
    (b"OggS", "ogg"),
    (b"ID3", "mp3"),
    (_PNG, "png_pipe"),
    (b"\xff\xd8\xff", "jpeg_pipe"),
    (b"GIF8", "gif"),
    (b"FLV\x01", "flv"),
    (b"\x00\x00\x01\xba", "mpeg"),
    (b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", "asf"),
    (b"#!AMR", "amr"),
    (b"caff", "caf"),
    (b".snd", "au"),
    (b"riff\x2e\x91\xcf\x11", "w64"),
    (b"wvpk", "wv"),
    (b"\x0b\x77", "ac3"),
)
_PLAYLIST = re.compile(
    rb"^\xef?\xbb?\xbf?\s*(#EXT|\[playlist\]|ffconcat|<\?xml|<smil|<MPD|<asx|<playlist)", re.IGNORECASE
)
_CAN_OPEN_BY_FOLDER = hasattr(os, "O_NOFOLLOW") and os.open in os.supports_dir_fd
_URL = re.compile(r"^[A-Za-z][A-Za-z0-9+.-]*://")


@dataclass(frozen=True, slots=True)
class FileStamp:
    """Identifies one state of one file by its metadata. If the stamp differs, the file must be read again."""

    device: int
    inode: int
    size: int
    mtime_ns: int
    ctime_ns: int

    @classmethod
    def of(cls, status: os.stat_result) -> "FileStamp":
        """The stamp of a stat result."""
        return cls(status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)


@dataclass(frozen=True, slots=True)
class GuardedFile:
    """A checked file, open for reading. A later decoding job must find the same stamp.

    Attributes:
        fd: the open file descriptor; `open_media_file` closes it.
        path: the resolved path.
        stamp: the stamp of the open file, not of the path.
        demuxer: the only FFmpeg demuxer that may read the file (`detect_demuxer`).
    """

    fd: int
    path: Path
    stamp: FileStamp
    demuxer: str


def display_name(name: str) -> str:
    """A file's name for messages: no folders, only printable characters, at most 80 of them."""
    base = re.split(r"[/\\]", name.rstrip("/\\"))[-1] or name
    clean = "".join(char if char.isprintable() else "?" for char in base)
    if len(clean) > 80:
        return clean[:77] + "..."
    return clean


@contextmanager
def open_media_file(name: str, settings: Settings) -> Iterator[GuardedFile]:
    """Open a media file after all checks.

    Args:
        name: a path. A relative path is looked up in the allowed roots (first in the current folder if any file is
            allowed).
        settings: the operator's roots and limits.

    Yields:
        The open file, closed at the end of the block.

    Raises:
        MediaError: the file is missing, not allowed, not a regular file, too large, or of no known container.
    """
    path = _resolve(name, settings)
    fd = _open(path, display_name(name))
    try:
        yield _check(fd, path, display_name(name), settings)
    finally:
        os.close(fd)


def _resolve(name: str, settings: Settings) -> Path:
    label = display_name(name)
    if _URL.match(name):
        raise MediaError(f"{label} is a URL; only local files are read: download it first and give its path")
    if not name or "\0" in name:
        raise MediaError("An empty or impossible file name was given; give the path of a clip")
    try:
        path = _candidate(Path(name).expanduser(), settings).resolve()
    except (OSError, RuntimeError) as error:
        raise MediaError(f"{label} cannot be looked up ({system_reason(error)}); check the path") from error
    if settings.allow_any_file:
        return path
    roots = [root.expanduser().resolve() for root in settings.media_roots]
    if not any(path.is_relative_to(root) for root in roots):
        raise MediaError(
            f"{label} is outside the folders that may be read; move it into one of them, "
            "or ask the operator to add its folder to AURELIA_MEDIA_ROOTS"
        )
    return path


def _candidate(path: Path, settings: Settings) -> Path:
    """The path itself if absolute, else the first existing path in the folders that are searched."""
    if path.is_absolute():
        return path
    folders = list(settings.media_roots)
    if settings.allow_any_file:
        folders.insert(0, Path.cwd())
    candidates = [folder / path for folder in folders] or [Path.cwd() / path]
    return next((candidate for candidate in candidates if os.path.lexists(candidate)), candidates[0])


def _open(path: Path, label: str) -> int:
    """Open a regular file. A FIFO or device is never opened, and one that replaces the file now cannot block."""
    try:
        _require_regular(os.stat(path), label)
        return _open_without_links(path, label)
    except FileNotFoundError as error:
        raise MediaError(f"{label} does not exist; check the path") from error
    except OSError as error:
        raise MediaError(
            f"{label} cannot be opened ({system_reason(error)}); check the path and its permissions"
        ) from error


def _open_without_links(path: Path, label: str) -> int:
    """Open a resolved path folder by folder, so that a link that replaces a folder meanwhile is not followed."""
    no_links = getattr(os, "O_NOFOLLOW", 0)
    file_flags = os.O_RDONLY | no_links | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0)
    if not _CAN_OPEN_BY_FOLDER:
        return os.open(path, file_flags)
    # O_PATH passes through a folder without the permission to list it.
    folder_flags = getattr(os, "O_PATH", os.O_RDONLY) | os.O_DIRECTORY | no_links | os.O_CLOEXEC
    folder = os.open(path.anchor, folder_flags)
    try:
        for part in path.parts[1:-1]:
            inner = os.open(part, folder_flags, dir_fd=folder)
            os.close(folder)
            folder = inner
        return os.open(path.name, file_flags, dir_fd=folder)
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.ENOTDIR):
            raise _changed_error(label) from error
        raise
    finally:
        os.close(folder)


def _changed_error(label: str) -> MediaError:
    return MediaError(f"{label} changed while it was opened; try again when nothing writes to it")


def _require_regular(status: os.stat_result, label: str) -> None:
    kinds = {stat.S_IFDIR: "a directory", stat.S_IFIFO: "a FIFO", stat.S_IFCHR: "a device", stat.S_IFBLK: "a device"}
    if not stat.S_ISREG(status.st_mode):
        kind = kinds.get(stat.S_IFMT(status.st_mode), "not a regular file")
        raise MediaError(f"{label} is {kind}; give a media file")


def _check(fd: int, path: Path, label: str, settings: Settings) -> GuardedFile:
    status = os.fstat(fd)
    _require_regular(status, label)
    try:
        unchanged = path.resolve() == path and FileStamp.of(os.stat(path)) == FileStamp.of(status)
    except OSError:
        # A link that was replaced while it was read.
        unchanged = False
    if not unchanged:
        raise _changed_error(label)
    if status.st_size == 0:
        raise MediaError(f"{label} is empty (0 bytes); give the complete file")
    if status.st_size > settings.max_media_bytes:
        raise MediaError(
            f"{label} has {status.st_size / 1e6:.0f} MB, more than the allowed "
            f"{settings.max_media_bytes / 1e6:.0f} MB; cut or compress it"
        )
    return GuardedFile(fd, path, FileStamp.of(status), detect_demuxer(os.pread(fd, 4096, 0), label))


def detect_demuxer(head: bytes, label: str) -> str:
    """The FFmpeg demuxer for a file that starts like this.

    Args:
        head: the first 4096 bytes, or all of a shorter file.
        label: the file's name for the message.

    Raises:
        MediaError: the container is unknown.
    """
    if _PLAYLIST.match(head):
        raise MediaError(f"{label} is a playlist or a text, not a clip; give the media file itself")
    demuxer = _by_magic(head)
    if demuxer is None and (kind := _other_kind(head)):
        raise MediaError(f"{label} is no known clip: it is {kind}; convert it to png, wav or mp4")
    if demuxer is None:
        raise MediaError(
            f"{label} is no known clip: its content is not mp4, mov, mkv, webm, avi, ts, mpg, flv, wmv, gif, wav, mp3, "
            "flac, ogg, m4a, aac, aiff, amr, caf, au, ac3, w64, wv, png, jpeg or webp; convert it to mp4, wav or png"
        )
    return demuxer


def _other_kind(head: bytes) -> str | None:
    """What a file is that is not read here, in words; None if it is not known."""
    if kind := _IMAGES_IN_BOXES.get(head[4:12]):
        return kind
    return next((kind for magic, kind in _OTHER_FILES if head.startswith(magic)), None)


def _by_magic(head: bytes) -> str | None:
    if head[4:12] in _IMAGES_IN_BOXES:
        return None
    if head[4:8] in _MOV_BOXES:
        return "mov"
    if head[:4] in (b"RIFF", b"RF64"):
        return {b"AVI ": "avi", b"WAVE": "wav", b"WEBP": "webp_pipe"}.get(head[8:12])
    if head[:4] == b"FORM" and head[8:12] in (b"AIFF", b"AIFC"):
        return "aiff"
    if head.startswith(_PNG) and b"acTL" in head:
        return "apng"
    for magic, demuxer in _MAGIC:
        if head.startswith(magic):
            return demuxer
    if _is_transport_stream(head):
        return "mpegts"
    return _mpeg_audio(head)


def _is_transport_stream(head: bytes) -> bool:
    """Whether packets of 188 bytes (or 192 with a time code before each, from cameras) begin with 0x47."""
    for first, length in ((0, 188), (4, 192)):
        marks = head[first : first + 5 * length : length]
        if len(marks) >= 3 and set(marks) == {0x47}:
            return True
    return False


def _mpeg_audio(head: bytes) -> str | None:
    """The demuxer for a file that starts with a frame of MPEG audio: 11 sync bits, then the layer (0 in ADTS AAC)."""
    if len(head) < 3 or head[0] != 0xFF or head[1] & 0xE0 != 0xE0:
        return None
    if head[1] & 0x06:
        return "mp3"
    if head[1] & 0xF0 == 0xF0:
        return "aac"
    return None
