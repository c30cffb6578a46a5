"""Situations: containers and codecs."""

from fractions import Fraction

import av

from tests.media.makers import BEEPS, FPS, ff, film, made_once, patched
from tests.media.row import BASE, EVEN, MKV, OPUS, SOUND_ONLY, Row, late

LAME_DELAY = 0.0221
"""Delay of the encoder where the container has no place for it, seconds; ffmpeg keeps it too."""
AMR_DELAY = 0.0145


def unknown_wav_size(data):
    """The sizes of a wav that was written to a pipe."""
    at = data.index(b"data")
    data[4:8] = data[at + 4 : at + 8] = b"\xff\xff\xff\xff"


def write_packed(path):
    """DivX's packed frames: a frame and the B frame after it share a packet, and an empty one follows."""
    source = film("one_b.avi", "mpeg4", None, codec_options={"bf": "1", "b_strategy": "0"}, gop=12)(path.parent)
    with av.open(str(source)) as opened, av.open(str(path), "w") as out:
        stream = out.add_stream_from_template(opened.streams.video[0])
        coded = [bytes(packet) for packet in opened.demux(video=0) if packet.size]
        is_b = [data[data.index(b"\0\0\1\xb6") + 4] >> 6 == 2 for data in coded]
        packets = []
        for number, data in enumerate(coded):
            if is_b[number]:
                packets[-1] += data
                packets.append(b"\0\0\1\xb6\x50\x7f")
            else:
                packets.append(data)
        packets[0] = b"\0\0\1\xb2DivX503b1393p\0" + packets[0]
        for number, data in enumerate(packets):
            packet = av.Packet(data)
            packet.pts = packet.dts = number
            packet.time_base, packet.stream, packet.is_keyframe = Fraction(1, FPS), stream, number % 12 == 0
            out.mux(packet)


ROWS = [
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
    Row(
        "avi with an empty frame, mpeg4 and mp3",
        film("a.avi", "mpeg4", "libmp3lame"),
        times=(0, *late(0.04, EVEN[1:])),
        beeps=late(LAME_DELAY, BEEPS),
    ),
    Row(
        "avi, mpeg4 with B frames",
        film("b.avi", "mpeg4", "libmp3lame", codec_options={"bf": "2"}),
        beeps=late(LAME_DELAY, BEEPS),
        as_ffmpeg=False,
    ),
    Row("avi, h264 with B frames", film("h264.avi", sound="pcm_s16le"), as_ffmpeg=False),
    Row("avi, mpeg4 with packed B frames", made_once("packed.avi", write_packed), beeps=None),
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
    Row("wmv", film("a.wmv", "wmv2", "wmav2", rate=44100, layout="stereo", codec={"bit_rate": 2_000_000})),
    Row(
        "3gp, h263 and amr",
        film("a.3gp", "h263", "libopencore_amrnb", rate=8000, size=(176, 144)),
        size=(192, 144),
        beeps=late(AMR_DELAY, BEEPS),
    ),
    Row("ogv, theora and vorbis", ff("a.ogv", "-i {base} -c:v libtheora -q:v 9 -c:a libvorbis", base=MKV)),
    Row("gif", film("a.gif", "gif", None, pix_fmt="rgb8"), beeps=None, colours=False),
    Row("fragmented mp4", film("frag.mp4", options={"movflags": "frag_keyframe+empty_moov+default_base_moof"})),
    Row("fragmented mp4 with an edit list", film("frag2.mp4", options={"movflags": "frag_keyframe+delay_moov"})),
    Row("mp4 with its index first", film("fast.mp4", options={"movflags": "faststart"})),
    Row("mkv without index, as a live recording", film("live.mkv", sound="libopus", options={"live": "1"})),
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
        film("ntsc.mp4", fps="60000/1001", frames=180),
        numbers=range(180),
        times=[n * 1001 / 60000 for n in range(180)],
    ),
    Row("h264 without B frames", film("nob.mp4", codec_options={"bf": "0"})),
    Row("ac3 in mp4", film("ac3.mp4", sound="ac3")),
    Row("eac3 in mkv", film("eac3.mkv", sound="eac3")),
    Row("alac in mov", film("alac.mov", sound="alac")),
    Row("opus in mp4", film("opus.mp4", sound="libopus")),
    Row("flac in mp4", film("flac.mp4", sound="flac")),
    Row("mp3 in mp4", film("mp3.mp4", sound="libmp3lame")),
    Row("aac in mkv", film("aac.mkv")),
    Row(
        "dnxhd in mov",
        film(
            "dnxhd.mov",
            "dnxhd",
            "pcm_s16le",
            size=(1280, 720),
            pix_fmt="yuv422p",
            frames=8,
            codec={"bit_rate": 90_000_000},
            matrix="ITU709",
        ),
        numbers=range(8),
        times=EVEN[:8],
        size=(1280, 720),
        duration=0.32,
    ),
    Row("vorbis in mkv", ff("vorbis.mkv", "-i {base} -c:v copy -c:a libvorbis", base=MKV)),
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
        beeps=late(LAME_DELAY, BEEPS),
        **SOUND_ONLY,
    ),
    Row("w64", film("a.w64", None, "pcm_s16le", rate=44100), **SOUND_ONLY),
    Row("mp3 with an ID3 tag", film("id3.mp3", None, "libmp3lame", metadata={"title": "x" * 5000}), **SOUND_ONLY),
    Row(
        "mp3 with a cover",
        ff(
            "cover.mp3",
            "-i {sound} -i {cover} -map 0 -map 1 -c:a copy -c:v png -disposition:v attached_pic",
            sound=film("a.mp3", None, "libmp3lame", rate=44100),
            cover=film("cover.png", "png", None, frames=1, pix_fmt="rgb24"),
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
    Row("aac (adts)", film("a.aac", None, "aac"), beeps=late(0.0205, BEEPS), **SOUND_ONLY),
    Row("amr", film("a.amr", None, "libopencore_amrnb", rate=8000), beeps=late(0.0205, BEEPS), **SOUND_ONLY),
    Row("webm, sound only", film("only.webm", None, "libopus"), **SOUND_ONLY),
    Row("mkv, 44.1 kHz", film("only.mka", None, "flac", rate=44100, container="matroska"), **SOUND_ONLY),
    Row(
        "wma",
        film("a.wma", None, "wmav2", rate=44100, layout="stereo", container="asf"),
        beeps=late(-0.047, BEEPS),
        **SOUND_ONLY,
    ),
]
