"""The table of situations: how a file is made, and what it holds by its own time stamps, on the clip's clock."""

import struct
from collections.abc import Sequence
from dataclasses import dataclass

from tests.media.makers import BEEPS, FPS, FRAMES, SIZE, Maker, at_seconds, ff, film, joined_bytes, patched, remux

ALL = tuple(range(FRAMES))
EVEN = tuple(number / FPS for number in range(FRAMES))


@dataclass(frozen=True)
class Row:
    """One situation.

    Attributes:
        name: what is special.
        make: the maker of the file.
        numbers: the numbers of the frames, in the order of time; none means that there is no picture.
        times: their times from the clip's start, seconds.
        beeps: the onsets of the beeps from the clip's start, seconds; None means that there is no sound.
        size: of the upright picture.
        duration: of the clip, seconds.
        note: words in a warning about the tracks.
        colours: whether the thirds have their colours.
        as_ffmpeg: whether the ffmpeg program gives the same times (no: it knows less than a player).
    """

    name: str
    make: Maker
    numbers: Sequence[int] = ALL
    times: Sequence[float] = EVEN
    beeps: Sequence[float] | None = BEEPS
    size: tuple[int, int] = SIZE
    duration: float = 3.0
    note: str = ""
    colours: bool = True
    as_ffmpeg: bool = True


def late(seconds, values=EVEN):
    """Times that are later."""
    return tuple(value + seconds for value in values)


def scaled(factor):
    """Edit: the sound's stamps times a factor."""
    return lambda packet, _: float(packet.pts * packet.time_base) * (factor - 1) if is_sound(packet) else 0.0


def is_sound(packet):
    """Whether a packet is sound."""
    return packet.stream.type == "audio"


def shifted(picture=0.0, sound=0.0):
    """Edit: the stamps of picture and sound moved by seconds."""
    return lambda packet, _: sound if is_sound(packet) else picture


def without_sound(low, high):
    """Edit: drop the sound's packets between two times."""
    return lambda packet, _: None if is_sound(packet) and low <= packet.pts * packet.time_base < high else 0.0


def jittered(packet, _):
    """Edit: sound's stamps off by up to 5 ms, as recorders in browsers write them."""
    return 0.005 * ((packet.pts * 7919 % 11) / 5 - 1) if is_sound(packet) else 0.0


BASE = film("base.mp4")
LONG = film("long.mp4", gop=250, codec_options={"bf": "3"})
MKV = film("base.mkv", sound="pcm_s16le")
OPUS = film("base.webm", "libvpx", "libopus")
SOUND_ONLY = {"numbers": (), "times": ()}


CONTAINERS = [
    Row("mp4, h264 with B frames, aac with priming", BASE),
    Row("mov", film("a.mov", sound="pcm_s16le")),
    Row("mkv", MKV),
    Row("webm, vp8 and opus", OPUS),
    Row(
        "webm, vp8 with alt-ref frames",
        film(
            "altref.webm",
            "libvpx",
            "libopus",
            codec_options={"auto-alt-ref": "1", "lag-in-frames": "16", "arnr-maxframes": "5"},
        ),
    ),
    Row(
        "webm, vp9 and vorbis",
        film("vp9.webm", "libvpx-vp9", "libopus", codec_options={"deadline": "realtime", "cpu-used": "8"}),
    ),
    Row("avi, mpeg4 and mp3", film("a.avi", "mpeg4", "libmp3lame")),
    Row("avi, mpeg4 with B frames", film("b.avi", "mpeg4", "libmp3lame", codec_options={"bf": "2"})),
    Row("avi, h264 with B frames", film("h264.avi", sound="pcm_s16le")),
    Row(
        "avi, mpeg4 with packed B frames",
        ff(
            "packed.avi",
            "-i {base} -c:v mpeg4 -bf 2 -q:v 3 -c:a copy -bsf:v mpeg4_unpack_bframes",
            base=film("b.avi", "mpeg4", "libmp3lame", codec_options={"bf": "2"}),
        ),
    ),
    Row("ts", film("a.ts")),
    Row("ts, mpeg2 and mp2", film("mpeg2.ts", "mpeg2video", "mp2", codec={"bit_rate": 2_000_000})),
    Row("m2ts", film("a.m2ts", sound="ac3", options={"mpegts_m2ts_mode": "1"}, container="mpegts")),
    Row("mpg, mpeg1 and mp2", film("a.mpg", "mpeg1video", "mp2", codec={"bit_rate": 2_000_000})),
    Row(
        "vob, mpeg2 with B frames and ac3",
        film("a.vob", "mpeg2video", "ac3", codec={"bit_rate": 2_000_000}, codec_options={"bf": "2"}),
    ),
    Row("flv, h264 and aac", film("a.flv")),
    Row("flv, sorenson and mp3", film("old.flv", "flv", "libmp3lame", rate=44100)),
    Row("wmv", film("a.wmv", "wmv2", "wmav2", codec={"bit_rate": 2_000_000})),
    Row("3gp, h263 and amr", film("a.3gp", "h263", "libopencore_amrnb", rate=8000, size=(176, 144)), size=(176, 144)),
    Row("ogv, theora and vorbis", ff("a.ogv", "-i {base} -c:v libtheora -q:v 9 -c:a libvorbis", base=MKV)),
    Row("gif", film("a.gif", "gif", None, pix_fmt="rgb8"), beeps=None, colours=False),
    Row("fragmented mp4", film("frag.mp4", options={"movflags": "frag_keyframe+empty_moov+default_base_moof"})),
    Row("fragmented mp4 with an edit list", film("frag2.mp4", options={"movflags": "frag_keyframe+delay_moov"})),
    Row("mp4 with its index first", film("fast.mp4", options={"movflags": "faststart"})),
    Row("mkv without index, as a live recording", film("live.mkv", sound="libopus", options={"live": "1"})),
]

CODECS = [
    Row(
        "h264 with open groups of pictures",
        film(
            "open.mp4", codec_options={"x264-params": "open-gop=1:bframes=3:b-pyramid=normal:keyint=20:min-keyint=20"}
        ),
    ),
    Row("hevc", film("a265.mp4", "libx265", codec_options={"x265-params": "log-level=none", "preset": "ultrafast"})),
    Row(
        "hevc with open groups of pictures",
        film(
            "open265.mkv",
            "libx265",
            codec_options={"x265-params": "log-level=none:open-gop=1:keyint=20:bframes=3", "preset": "veryfast"},
        ),
    ),
    Row("av1", film("av1.mp4", "libsvtav1", codec_options={"preset": "12", "svtav1-params": "lp=1"})),
    Row(
        "vp9 with hidden frames",
        film(
            "vp9hidden.webm",
            "libvpx-vp9",
            "libopus",
            codec_options={"auto-alt-ref": "1", "lag-in-frames": "16", "deadline": "good", "cpu-used": "5"},
        ),
    ),
    Row("mjpeg", film("mjpeg.mov", "mjpeg", "pcm_s16le", pix_fmt="yuvj420p", codec_options={"q": "3"})),
    Row("prores", film("prores.mov", "prores_ks", "pcm_s24le", pix_fmt="yuv422p10le")),
    Row("prores 4444 with alpha", film("alpha.mov", "prores_ks", "pcm_s16le", pix_fmt="yuva444p10le")),
    Row("ffv1 and flac", film("ffv1.mkv", "ffv1", "flac", pix_fmt="yuv444p")),
    Row("raw rgb", film("raw.avi", "rawvideo", "pcm_s16le", pix_fmt="bgr24")),
    Row("odd size", film("odd.mkv", "ffv1", "flac", pix_fmt="bgr0", size=(161, 97)), size=(161, 97)),
    Row("high 4:4:4 h264, 10 bit", film("ten.mkv", "libx264", "libopus", pix_fmt="yuv420p10le")),
    Row(
        "59.94 frames a second",
        film("ntsc.mp4", fps="60000/1001", frames=150),
        numbers=range(150),
        times=[n * 1001 / 60000 for n in range(150)],
    ),
    Row("h264 without B frames", film("nob.mp4", codec_options={"bf": "0"})),
    Row("ac3 in mp4", film("ac3.mp4", sound="ac3")),
    Row("eac3 in mkv", film("eac3.mkv", sound="eac3")),
    Row("alac in mov", film("alac.mov", sound="alac")),
    Row("vorbis in mkv", ff("vorbis.mkv", "-i {base} -c:v copy -c:a libvorbis", base=MKV)),
]

SOUNDS = [
    Row("wav", film("a.wav", None, "pcm_s16le"), **SOUND_ONLY),
    Row("wav, 24 bit, 6 channels (extensible)", film("ext.wav", None, "pcm_s24le", layout="5.1"), **SOUND_ONLY),
    Row("wav, floats", film("float.wav", None, "pcm_f32le"), **SOUND_ONLY),
    Row("wav, 8 bit, 8 kHz", film("u8.wav", None, "pcm_u8", rate=8000), **SOUND_ONLY),
    Row("wav, mu-law", film("ulaw.wav", None, "pcm_mulaw", rate=8000), **SOUND_ONLY),
    Row("wav, adpcm", film("adpcm.wav", None, "adpcm_ms", rate=44100), **SOUND_ONLY),
    Row("rf64", film("rf64.wav", None, "pcm_s16le", options={"rf64": "always"}), **SOUND_ONLY),
    Row(
        "wav from a pipe, of unknown size",
        patched("pipe.wav", film("a.wav", None, "pcm_s16le"), lambda data: unknown_wav_size(data)),
        **SOUND_ONLY,
    ),
    Row("mp3 with a Xing header", film("a.mp3", None, "libmp3lame", rate=44100), **SOUND_ONLY),
    Row(
        "mp3 without a Xing header",
        film("bare.mp3", None, "libmp3lame", options={"write_xing": "0", "id3v2_version": "0"}),
        **SOUND_ONLY,
    ),
    Row("mp3 with an ID3 tag", film("id3.mp3", None, "libmp3lame", metadata={"title": "x" * 5000}), **SOUND_ONLY),
    Row(
        "mp3 with a cover",
        ff(
            "cover.mp3",
            "-i {sound} -f lavfi -i color=red:s=64x64:d=0.04 -map 0 -map 1 -c:a copy -c:v png -disposition:v attached_pic",
            sound=film("a.mp3", None, "libmp3lame", rate=44100),
        ),
        **SOUND_ONLY,
    ),
    Row("flac", film("a.flac", None, "flac"), **SOUND_ONLY),
    Row("ogg, opus", film("a.ogg", None, "libopus"), **SOUND_ONLY),
    Row(
        "ogg, vorbis",
        ff("vorbis.ogg", "-i {sound} -c:a libvorbis", sound=film("a.wav", None, "pcm_s16le")),
        **SOUND_ONLY,
    ),
    Row("ogg, flac", film("flac.ogg", None, "flac"), **SOUND_ONLY),
    Row("m4a with an edit list", film("a.m4a", None, "aac"), **SOUND_ONLY),
    Row("m4a, alac", film("alac.m4a", None, "alac"), **SOUND_ONLY),
    Row("aiff", film("a.aiff", None, "pcm_s16be"), **SOUND_ONLY),
    Row("caf", film("a.caf", None, "pcm_s16be"), **SOUND_ONLY),
    Row("amr", film("a.amr", None, "libopencore_amrnb", rate=8000), **SOUND_ONLY),
    Row("webm, sound only", film("only.webm", None, "libopus"), **SOUND_ONLY),
    Row("mkv, 44.1 kHz", film("only.mka", None, "flac", rate=44100, container="matroska"), **SOUND_ONLY),
    Row("wma", film("a.wma", None, "wmav2", container="asf"), **SOUND_ONLY),
]

STAMPS = [
    Row(
        "sound 0.7 s late (mp4: empty edit)",
        remux("sound_late.mp4", BASE, edit=shifted(sound=0.7)),
        beeps=late(0.7, BEEPS),
    ),
    Row("sound 0.7 s late (mkv)", remux("sound_late.mkv", MKV, edit=shifted(sound=0.7)), beeps=late(0.7, BEEPS)),
    Row(
        "picture 0.7 s late (mp4: empty edit)",
        remux("picture_late.mp4", BASE, edit=shifted(picture=0.7)),
        times=late(0.7),
        duration=3.7,
    ),
    Row(
        "picture 0.7 s late (mkv)",
        remux("picture_late.mkv", MKV, edit=shifted(picture=0.7)),
        times=late(0.7),
        duration=3.7,
    ),
    Row("stamps kept from 4 s on (mkv)", remux("kept.mkv", MKV, edit=shifted(4.0, 4.0))),
    Row("stamps kept from 1 h on (mkv)", remux("hour.mkv", MKV, edit=shifted(3600.0, 3600.0))),
    Row("stamps kept from 1 h on (ts)", remux("hour.ts", film("a.ts"), edit=shifted(3600.0, 3600.0))),
    Row("stamps kept from 1 h on (mp4)", remux("hour.mp4", BASE, edit=shifted(3600.0, 3600.0))),
    Row(
        "stamps kept from 1 h on (fragmented mp4)",
        remux(
            "hourfrag.mp4",
            BASE,
            edit=shifted(3600.0, 3600.0),
            options={"movflags": "frag_keyframe+empty_moov+default_base_moof"},
        ),
    ),
    Row("stamps kept from 4 s on (webm)", remux("kept.webm", OPUS, edit=shifted(4.0, 4.0))),
    Row("ts, clock wraps around after 1.5 s", remux("wrap.ts", film("a.ts"), edit=shifted(95440.8, 95440.8))),
    Row(
        "sound's stamps closer (x 0.9)",
        remux("closer.mkv", MKV, edit=scaled(0.9)),
        beeps=[0.9 * beep for beep in BEEPS],
    ),
    Row(
        "sound's stamps wider (x 1.1)", remux("wider.mkv", MKV, edit=scaled(1.1)), beeps=[1.1 * beep for beep in BEEPS]
    ),
    Row("sound's stamps jittered by 5 ms (mkv)", remux("jitter.mkv", film("j.mkv", sound="libopus"), edit=jittered)),
    Row("sound's stamps jittered by 5 ms (webm)", remux("jitter.webm", OPUS, edit=jittered)),
    Row("gap in the sound (webm)", remux("gap.webm", OPUS, edit=without_sound(1.5, 2.1))),
    Row("gap in the sound (mkv, pcm)", remux("gap.mkv", MKV, edit=without_sound(1.5, 2.1))),
    Row("gap in the sound (mp4)", remux("gap.mp4", BASE, edit=without_sound(1.5, 2.1))),
    Row("gap in the sound (ts)", remux("gap.ts", film("a.ts"), edit=without_sound(1.5, 2.1))),
    Row(
        "sound that overlaps (mkv)",
        remux(
            "overlap.mkv",
            MKV,
            edit=lambda packet, _: -0.2 if is_sound(packet) and packet.pts * packet.time_base > 1.8 else 0.0,
        ),
        beeps=(0.5, 1.3, 2.0),
    ),
    Row(
        "variable frame rate (mp4)",
        film("vfr.mp4", stamps=[0, 100, 200, 900, 1000, 1700, 1800, 2400, 2500]),
        numbers=range(9),
        times=(0, 0.1, 0.2, 0.9, 1.0, 1.7, 1.8, 2.4, 2.5),
        duration=2.6,
    ),
    Row(
        "variable frame rate (mkv)",
        film("vfr.mkv", sound="libopus", stamps=[0, 100, 200, 900, 1000, 1700, 1800, 2400, 2500]),
        numbers=range(9),
        times=(0, 0.1, 0.2, 0.9, 1.0, 1.7, 1.8, 2.4, 2.5),
        duration=2.6,
    ),
    Row(
        "gap in the picture (mkv)",
        remux(
            "picgap.mkv",
            film("nob.mkv", codec_options={"bf": "0"}, sound="flac", gop=5),
            edit=lambda packet, _: None if not is_sound(packet) and 1.0 <= packet.pts * packet.time_base < 2.0 else 0.0,
        ),
        numbers=[*range(25), *range(50, 75)],
        times=[n / 25 for n in [*range(25), *range(50, 75)]],
    ),
    Row(
        "cut by ffmpeg -ss 1.2 -c copy (mp4)",
        ff("cut.mp4", "-ss 1.2 -i {film} -c copy", film=LONG),
        numbers=range(30, 75),
        times=EVEN[:45],
        beeps=(0.1, 1.0),
        duration=1.8,
    ),
    Row(
        "cut by ffmpeg -ss 0.64 -t 1.6 -c copy (mp4)",
        ff("cut2.mp4", "-ss 0.64 -i {film} -t 1.6 -c copy", film=LONG),
        numbers=range(16, 56),
        times=EVEN[:40],
        beeps=(0.66, 1.56),
        duration=1.6,
    ),
    Row(
        "cut by ffmpeg -ss 1.2 -c copy (mov)",
        ff("cut.mov", "-ss 1.2 -i {film} -c copy", film=film("long.mov", gop=250, sound="pcm_s16le")),
        numbers=range(30, 75),
        times=EVEN[:45],
        beeps=(0.1, 1.0),
        duration=1.8,
    ),
    Row(
        "cut by ffmpeg -c copy -ss 1.0 -t 1 (output option)",
        ff("cut3.mp4", "-i {film} -ss 1.0 -t 1.52 -c copy", film=BASE),
        numbers=range(25, 63),
        times=EVEN[:38],
        beeps=(0.3, 1.2),
        duration=1.52,
    ),
    Row(
        "piece of ffmpeg -f segment, stamps kept",
        ff(
            "piece1.mkv",
            "-i {film} -c copy -f segment -segment_time 1 -segment_start_number 1 -segment_format matroska -y {film}.piece%d.mkv -c copy -ss 1 -copyts",
            film=MKV,
        ),
        numbers=range(25, 75),
        times=EVEN[:50],
        beeps=(0.3, 1.2),
        duration=2.0,
    ),
    Row(
        "joined by ffmpeg's concat",
        ff("joined.mp4", "-stream_loop 3 -i {film} -c copy", film=BASE),
        numbers=[*range(75)] * 4,
        times=(),
        beeps=None,
        duration=12.0,
    ),
    Row(
        "trimmed by an edit list only",
        patched("trimmed.mp4", LONG, lambda data: move_edit(data, 1.2)),
        numbers=range(30, 75),
        times=EVEN[:45],
        beeps=(0.1, 1.0),
        duration=1.8,
    ),
    Row(
        "ts, two files put together",
        joined_bytes("two.ts", film("a.ts"), film("second.ts", first=75)),
        numbers=range(150),
        times=[n / 25 for n in range(150)],
        beeps=(*BEEPS, *late(3.0, BEEPS)),
        duration=6.0,
        as_ffmpeg=False,
    ),
]


def unknown_wav_size(data):
    """The sizes of a wav that was written to a pipe."""
    at = data.index(b"data")
    data[4:8] = data[at + 4 : at + 8] = b"\xff\xff\xff\xff"


def move_edit(data, seconds):
    """Let the edit lists of an mp4 begin later."""
    at = data.find(b"elst")
    while at >= 0:
        mdhd = data.index(b"mdhd", at)
        scale = struct.unpack_from(">I", data, mdhd + 16)[0]
        count = struct.unpack_from(">I", data, at + 8)[0]
        where = at + 12 + 12 * (count - 1)
        length, start = struct.unpack_from(">Ii", data, where)
        struct.pack_into(">Ii", data, where, length - round(seconds * 1000), start + round(seconds * scale))
        at = data.find(b"elst", at + 4)


ROWS = [*CONTAINERS, *CODECS, *SOUNDS, *STAMPS]
