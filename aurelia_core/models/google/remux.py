"""Copies a clip's streams into an mp4 that Gemini reads, without encoding them again.

Gemini reads no Matroska file beside WebM, and counts a still as many frames of a video. A clip whose own sound is
replaced by separate tracks becomes an mp4 without sound. The copy is made in a decoding child.
"""

import os
from dataclasses import astuple
from pathlib import Path

import av

from aurelia_core.errors import MediaError
from aurelia_core.media import ClipStore
from aurelia_core.media.guard import FileStamp, detect_demuxer
from aurelia_core.media.pool import shared_decode_pool
from aurelia_core.media.source import (
    DecodeSource,
    Unwritten,
    open_container,
    open_verified,
)
from aurelia_core.types import MediaRef, content_key

_PICTURE_CODECS = frozenset({"h264", "hevc", "av1", "vp9", "mpeg4"})
_SOUND_CODECS = frozenset({"aac", "mp3"})
_FOLDER = "remuxed"


def remuxed_file(store: ClipStore, clip: MediaRef, *, with_sound: bool) -> Path | None:
    """The clip's streams in an mp4, from the cache if it was made before; None if an mp4 cannot hold them.

    Args:
        store: the clip store.
        clip: a clip with a picture.
        with_sound: whether its own sound is copied too.
    """
    folder = store.settings.cache_folder / _FOLDER
    target = folder / f"{content_key(clip)}{'' if with_sound else '-silent'}.mp4"
    if target.is_file():
        return target
    path = store.verified_path(clip)
    with path.open("rb") as file:
        demuxer = detect_demuxer(file.read(4096), clip["name"])
        stamp = FileStamp.of(os.fstat(file.fileno()))
    source = DecodeSource(str(path), astuple(stamp), demuxer)
    folder.mkdir(parents=True, exist_ok=True)
    seconds = store.settings.decode_seconds
    picture, sound = store.chosen_streams(clip)
    if not with_sound:
        sound = None
    try:
        made = shared_decode_pool(store.settings).run(clip["name"], seconds, remux, source, str(target), picture, sound)
    except MediaError:
        return None
    return target if made else None


def remux(source: DecodeSource, target: str, picture_stream: int | None, sound_stream: int | None) -> bool:
    """Copy the chosen streams into `target`; False if an mp4 cannot hold them. Runs in a decoding child.

    Args:
        source: the file.
        target: the file to write.
        picture_stream: index of the picture's stream.
        sound_stream: index of the sound's stream; None leaves the sound out.

    Raises:
        Unwritten: the file cannot be written.
    """
    with open_verified(source) as path, open_container(path, source.demuxer) as opened:
        if picture_stream is None or opened.streams[picture_stream].codec_context.name not in _PICTURE_CODECS:
            return False
        picture = opened.streams[picture_stream]
        sound = None
        if sound_stream is not None:
            sound = opened.streams[sound_stream]
            if sound.codec_context.name not in _SOUND_CODECS:
                return False
        streams = [stream for stream in (picture, sound) if stream is not None]
        half_done = f"{target}.{os.getpid()}"
        try:
            with av.open(half_done, "w", format="mp4", options={"movflags": "faststart"}) as written:
                copies = {stream.index: written.add_stream_from_template(stream) for stream in streams}
                for packet in opened.demux(streams):
                    # The packet that ends a stream is empty. Matroska names no decoding time for the first packets.
                    if packet.size:
                        packet.stream = copies[packet.stream.index]
                        written.mux(packet)
            os.replace(half_done, target)
        except OSError as fault:
            Path(half_done).unlink(missing_ok=True)
            raise Unwritten(type(fault).__name__) from fault
    return True
