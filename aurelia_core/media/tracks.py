"""Choice of a clip's picture and sound: made once per clip, and used by every reader.

The choice is a player's: the container's default track, else the first one, that can be decoded. A cover, a thumbnail
and a track that nothing decodes are passed over. The clip's facts name the other tracks.
"""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import av

from aurelia_core.media.probe import StreamPackets
from aurelia_core.media.source import Damaged, Undecodable, decode_packet, open_container

TrackKind = Literal["video", "audio"]
_NAMES: dict[TrackKind, str] = {"video": "picture", "audio": "sound"}
_PICTURE_BESIDE_THE_FILM = av.stream.Disposition.attached_pic | av.stream.Disposition.timed_thumbnails
_ASIDE = av.stream.Disposition.comment | av.stream.Disposition.visual_impaired | av.stream.Disposition.hearing_impaired
_TRIAL_PACKETS = 400
"""Packets that are tried until one decodes."""
_THUMBNAIL_SHARE = 0.1
"""A picture track below this share of the longest one is a thumbnail."""


@dataclass(frozen=True, slots=True)
class TrackChoice:
    """The tracks that are used.

    Attributes:
        picture, sound: index of the stream in the container, or None.
        is_usual: whether a program that opens the file by itself uses the same tracks.
        tracks: one line for each picture and sound track, with the used ones marked.
        notes: what a person should know about the choice; empty if there was no other track.
        first_picture: the first frame of the picture; None without one.
    """

    picture: int | None
    sound: int | None
    is_usual: bool
    tracks: list[str]
    notes: list[str]
    first_picture: "FirstFrame | None"


class FirstFrame(NamedTuple):
    """The first frame of a track that decodes, as av gives it, and the width of a pixel to its height."""

    frame: Any
    pixel_aspect: float


def choose_tracks(
    path: str, demuxer: str, opened: Any, packets: Mapping[int, StreamPackets], audio_track: str | None
) -> TrackChoice:
    """Choose the picture and the sound.

    Args:
        path: the file.
        demuxer: the only demuxer that may read it.
        opened: the opened container.
        packets: the packets of all picture and sound streams, by stream index.
        audio_track: number of the wanted sound track, from 1, or its language as the container names it; None takes
            the container's default.

    Raises:
        Damaged: no track with packets can be decoded, or there is no such sound track.
    """
    pictures = [stream for stream in opened.streams.video if not stream.disposition & _PICTURE_BESIDE_THE_FILM]
    sounds = list(opened.streams.audio)
    longest = max((packets[stream.index].seconds for stream in pictures), default=0.0)

    def picture_rank(stream: Any) -> tuple[Any, ...]:
        found = packets[stream.index]
        is_thumbnail = found.seconds < _THUMBNAIL_SHARE * longest
        return (found.packets == 0, is_thumbnail, not _is_default(stream), stream.index)

    def sound_rank(stream: Any) -> tuple[Any, ...]:
        is_aside = bool(stream.disposition & _ASIDE)
        return (packets[stream.index].packets == 0, not _is_default(stream), is_aside, stream.index)

    notes: list[str] = []
    picture, first_picture = _first_decodable(path, demuxer, sorted(pictures, key=picture_rank), packets, notes)
    wanted = sorted(sounds, key=sound_rank)
    if audio_track is not None:
        wanted = [_find_sound(sounds, audio_track)]
    sound, _ = _first_decodable(path, demuxer, wanted, packets, notes)
    if audio_track is None and sound is not None and _playable(sounds, packets) > 1:
        notes.append(
            f"has {len(sounds)} sound tracks; track {sounds.index(sound) + 1} ({_describe(sound)}) is used. "
            "Choose another with --audio-track"
        )
    films = [stream for stream in pictures if packets[stream.index].seconds >= _THUMBNAIL_SHARE * longest]
    if picture is not None and _playable(films, packets) > 1:
        notes.append(
            f"has {len(pictures)} picture tracks; track {pictures.index(picture) + 1} ({_describe(picture)}) is shown"
        )
    is_usual = len(pictures) <= 1 and (sound is None or sound is sounds[0])
    tracks = _list_tracks(pictures, picture) + _list_tracks(sounds, sound)
    return TrackChoice(_index(picture), _index(sound), is_usual, tracks, notes, first_picture)


def _index(stream: Any | None) -> int | None:
    if stream is None:
        return None
    return int(stream.index)


def _is_default(stream: Any) -> bool:
    return bool(stream.disposition & av.stream.Disposition.default)


def _playable(streams: Sequence[Any], packets: Mapping[int, StreamPackets]) -> int:
    return sum(packets[stream.index].packets > 0 for stream in streams)


def _find_sound(sounds: Sequence[Any], wanted: str) -> Any:
    """The sound track with a number or a language, by any code of ISO 639."""
    if not sounds:
        raise Damaged("has no sound: leave out the choice of a sound track")
    if wanted.isdigit() and 1 <= int(wanted) <= len(sounds):
        return sounds[int(wanted) - 1]
    for stream in sounds:
        if stream.language and _language(stream.language) == _language(wanted):
            return stream
    listed = "; ".join(f"{number} ({_describe(stream)})" for number, stream in enumerate(sounds, 1))
    raise Damaged(f"has no sound track {wanted!r}; it has: {listed}")


_OTHER_CODES = {
    # ISO 639-2/B, by ISO 639-2/T.
    "ger": "deu", "fre": "fra", "dut": "nld", "chi": "zho", "cze": "ces", "gre": "ell", "per": "fas", "rum": "ron",
    "slo": "slk", "alb": "sqi", "arm": "hye", "baq": "eus", "bur": "mya", "geo": "kat", "ice": "isl", "mac": "mkd",
    "mao": "mri", "may": "msa", "tib": "bod", "wel": "cym",
    # ISO 639-1.
    "de": "deu", "en": "eng", "fr": "fra", "es": "spa", "it": "ita", "pt": "por", "nl": "nld", "sv": "swe", "da": "dan",
    "no": "nor", "fi": "fin", "pl": "pol", "cs": "ces", "sk": "slk", "sl": "slv", "hr": "hrv", "sr": "srp", "bg": "bul",
    "ro": "ron", "hu": "hun", "el": "ell", "tr": "tur", "ru": "rus", "uk": "ukr", "ar": "ara", "he": "heb", "fa": "fas",
    "hi": "hin", "bn": "ben", "ta": "tam", "te": "tel", "ur": "urd", "th": "tha", "vi": "vie", "id": "ind", "ms": "msa",
    "zh": "zho", "ja": "jpn", "ko": "kor", "et": "est", "lv": "lav", "lt": "lit", "ca": "cat", "eu": "eus", "gl": "glg",
}  # fmt: skip


def _language(code: str) -> str:
    """A language's code in ISO 639-2/T."""
    code = code.strip().lower()
    return _OTHER_CODES.get(code, code)


def _first_decodable(
    path: str, demuxer: str, ranked: Sequence[Any], packets: Mapping[int, StreamPackets], notes: list[str]
) -> tuple[Any | None, FirstFrame | None]:
    """The first stream that decodes, and its first frame.

    Raises:
        Damaged: there are streams with packets, but none decodes.
    """
    refused: list[str] = []
    for stream in ranked:
        if not packets[stream.index].packets and stream.codec_context is not None:
            continue
        if first := _first_frame(path, demuxer, stream):
            for name in refused:
                notes.append(
                    f"has a {_NAMES[stream.type]} track in a format that cannot be decoded here ({name}); "
                    "another one is used"
                )
            return stream, first
        refused.append(_codec_name(stream))
    if refused:
        kind = _NAMES[ranked[0].type]
        raise Damaged(
            f"has a {kind} track in a format that cannot be decoded here ({', '.join(refused)}); convert it to mp4"
        )
    return None, None


def _first_frame(path: str, demuxer: str, stream: Any) -> FirstFrame | None:
    """The first frame of a stream; None if none of its first packets decodes."""
    if stream.codec_context is None:
        return None
    with open_container(path, demuxer) as opened:
        tried = opened.streams[stream.index]
        for number, packet in enumerate(opened.demux(tried)):
            with suppress(Undecodable):
                if frames := decode_packet(tried, packet):
                    return FirstFrame(frames[0], float(getattr(tried, "sample_aspect_ratio", None) or 1) or 1.0)
            if number >= _TRIAL_PACKETS:
                break
    return None


def _codec_name(stream: Any) -> str:
    if stream.codec_context is None:
        return "unknown codec"
    return str(stream.codec_context.name)


def _describe(stream: Any) -> str:
    """A track in a few words: language, codec, and size or channels."""
    words = [_codec_name(stream)]
    if stream.language and stream.language != "und":
        words.insert(0, str(stream.language))
    if stream.codec_context is not None:
        if stream.type == "video":
            words.append(f"{stream.codec_context.width}x{stream.codec_context.height}")
        else:
            words.append(f"{stream.codec_context.channels} ch")
    return ", ".join(words)


def _list_tracks(streams: Sequence[Any], used: Any | None) -> list[str]:
    lines = []
    for number, stream in enumerate(streams, 1):
        line = f"{_NAMES[stream.type]} {number}: {_describe(stream)}"
        if stream is used:
            line += " (used)"
        lines.append(line)
    return lines
