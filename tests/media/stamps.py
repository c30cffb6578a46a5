"""Situations: time stamps, edit lists, gaps, overlaps, pieces and joined files."""

import struct

from tests.media.makers import BEEPS, at_seconds, ff, film, joined_bytes, made_once, patched, remux, run_ffmpeg
from tests.media.row import BASE, EVEN, LONG, MOV, OPUS, SOUND_ONLY, Row, late


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


MPG = film("a.mpg", "mpeg1video", "mp2", codec={"bit_rate": 2_000_000})
MP3 = film("a.mp3", None, "libmp3lame", rate=44100)
FROM_FRAME_30 = {"numbers": range(30, 75), "times": EVEN[:45], "beeps": (0.1, 1.0), "duration": 1.8}
VARIABLE = {"numbers": range(9), "times": (0, 0.1, 0.2, 0.9, 1.0, 1.7, 1.8, 2.4, 2.5), "duration": 2.6}
TWICE = {
    "numbers": range(150),
    "times": [number / 25 for number in range(150)],
    "beeps": (*BEEPS, *late(3.0, BEEPS)),
    "duration": 6.0,
    "as_ffmpeg": False,
}
"""Of two files that were put together; ffmpeg's -copyts keeps the restarted stamps."""
ROWS = [
    Row(
        "sound 0.7 s late (mp4: empty edit)",
        remux("sound_late.mp4", BASE, edit=shifted(sound=0.7)),
        beeps=late(0.7, BEEPS),
    ),
    Row("sound 0.7 s late (mkv)", remux("sound_late.mkv", MOV, edit=shifted(sound=0.7)), beeps=late(0.7, BEEPS)),
    Row(
        "picture 0.7 s late (mp4: empty edit)",
        remux("picture_late.mp4", BASE, edit=shifted(picture=0.7)),
        times=late(0.7),
        duration=3.7,
    ),
    Row(
        "picture 0.7 s late (mkv)",
        remux("picture_late.mkv", MOV, edit=shifted(picture=0.7)),
        times=late(0.7),
        duration=3.7,
    ),
    Row("stamps kept from 4 s on (mkv)", remux("kept.mkv", MOV, edit=shifted(4.0, 4.0))),
    Row("stamps kept from 1 h on (mkv)", remux("hour.mkv", MOV, edit=shifted(3600.0, 3600.0))),
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
        remux("closer.mkv", MOV, edit=scaled(0.9)),
        beeps=[0.9 * beep for beep in BEEPS],
    ),
    Row(
        "sound's stamps wider (x 1.1)", remux("wider.mkv", MOV, edit=scaled(1.1)), beeps=[1.1 * beep for beep in BEEPS]
    ),
    Row("sound's stamps jittered by 5 ms (mkv)", remux("jitter.mkv", film("j.mp4", sound="libopus"), edit=jittered)),
    Row("sound's stamps jittered by 5 ms (webm)", remux("jitter.webm", OPUS, edit=jittered)),
    Row("gap in the sound (webm)", remux("gap.webm", OPUS, edit=without_sound(1.5, 2.1))),
    Row("gap in the sound (mkv, pcm)", remux("gap.mkv", MOV, edit=without_sound(1.5, 2.1))),
    Row("gap in the sound (mp4)", remux("gap.mp4", BASE, edit=without_sound(1.5, 2.1))),
    Row("gap in the sound (ts)", remux("gap.ts", film("a.ts"), edit=without_sound(1.5, 2.1))),
    Row(
        "sound that overlaps (mkv)",
        remux(
            "overlap.mkv",
            MOV,
            edit=lambda packet, _: -0.2 if is_sound(packet) and packet.pts * packet.time_base > 1.8 else 0.0,
        ),
        beeps=(0.5, 1.3, 2.0),
    ),
    Row("variable frame rate (mp4)", film("vfr.mp4", stamps=at_seconds(VARIABLE["times"])), **VARIABLE),
    Row(
        "variable frame rate (mkv)", film("vfr.mkv", sound="libopus", stamps=at_seconds(VARIABLE["times"])), **VARIABLE
    ),
    Row(
        "gap in the picture (mkv)",
        remux(
            "picgap.mkv",
            film("nobg.mov", codec_options={"bf": "0"}, sound="pcm_s16le", gop=5),
            edit=lambda packet, _: None if not is_sound(packet) and 1.0 <= packet.pts * packet.time_base < 2.0 else 0.0,
        ),
        numbers=[*range(25), *range(50, 75)],
        times=[n / 25 for n in [*range(25), *range(50, 75)]],
    ),
    Row("cut by ffmpeg -ss 1.2 -c copy (mp4)", ff("cut.mp4", "-ss 1.2 -i {film} -c copy", film=LONG), **FROM_FRAME_30),
    Row(
        "cut by ffmpeg -ss 0.64 -t 1.6 -c copy (mp4)",
        ff("cut2.mp4", "-ss 0.64 -i {film} -t 1.6 -c copy", film=film("nob.mp4", codec_options={"bf": "0"}, gop=250)),
        numbers=range(16, 56),
        times=EVEN[:40],
        beeps=(0.66, 1.56),
        duration=1.6,
    ),
    Row(
        "cut by ffmpeg -ss 1.2 -c copy (mov)",
        ff("cut.mov", "-ss 1.2 -i {film} -c copy", film=film("long.mov", gop=250, sound="pcm_s16le")),
        **FROM_FRAME_30,
    ),
    Row(
        "cut by ffmpeg -i ... -ss 0.6 -c copy: the picture begins at the next key frame",
        ff("cut3.mp4", "-i {film} -ss 0.6 -c copy", film=film("nob25.mp4", codec_options={"bf": "0"})),
        numbers=range(25, 75),
        times=late(0.3804, EVEN[:50]),
        beeps=(0.6804, 1.5804),
        duration=2.4,
    ),
    Row(
        "piece of ffmpeg -f segment that keeps its stamps",
        made_once(
            "piece1.mkv",
            lambda path: run_ffmpeg(
                "-i", MOV(path.parent), "-c", "copy", "-f", "segment", "-segment_time", 1, path.with_name("piece%d.mkv")
            ),
        ),
        numbers=range(25, 50),
        times=EVEN[:25],
        beeps=(0.3,),
        duration=1.0,
    ),
    Row(
        "joined by ffmpeg: the sound of each piece is 8 ms longer than its picture",
        ff("joined.mp4", "-stream_loop 3 -i {film} -c copy", film=BASE),
        numbers=[*range(75)] * 4,
        times=[3.008 * piece + time for piece in range(4) for time in EVEN],
        beeps=[3.008 * piece + time for piece in range(4) for time in BEEPS],
        duration=12.0,
    ),
    Row(
        "trimmed by an edit list only", patched("trimmed.mp4", LONG, lambda data: move_edit(data, 1.2)), **FROM_FRAME_30
    ),
    Row("ts, two files put together", joined_bytes("two.ts", film("a.ts"), film("second.ts", first=75)), **TWICE),
    Row("mpg, two files put together", joined_bytes("two.mpg", MPG, MPG), **{**TWICE, "numbers": [*range(75)] * 2}),
    Row(
        "ts, its sample rate changes",
        joined_bytes("rates.ts", film("a.ts"), film("second_24.ts", first=75, rate=24000)),
        **TWICE,
    ),
    Row(
        "ts, mono, then stereo",
        joined_bytes("stereo.ts", film("a.ts"), film("second_stereo.ts", first=75, layout="stereo")),
        **TWICE,
    ),
    Row(
        "aac (adts), its sample rate changes",
        joined_bytes("rates.aac", film("a.aac", None, "aac"), film("b.aac", None, "aac", rate=24000)),
        beeps=(*late(0.0205, BEEPS), *late(3.0719, BEEPS)),
        duration=6.08,
        as_ffmpeg=False,
        **SOUND_ONLY,
    ),
    Row(
        "aac (adts), mono, then stereo",
        joined_bytes("stereo.aac", film("a.aac", None, "aac"), film("c.aac", None, "aac", layout="stereo")),
        beeps=(*late(0.0205, BEEPS), *late(3.0507, BEEPS)),
        duration=6.06,
        **SOUND_ONLY,
    ),
    Row(
        "ogg opus, two files put together",
        joined_bytes("two.ogg", film("a.ogg", None, "libopus"), film("b.ogg", None, "libopus")),
        beeps=(*BEEPS, *late(3.0065, BEEPS)),
        duration=6.0,
        as_ffmpeg=False,
        **SOUND_ONLY,
    ),
    Row(
        "mp3, two files put together",
        joined_bytes("two.mp3", MP3, MP3),
        beeps=(*BEEPS, *late(3.0297, BEEPS)),
        duration=6.03,
        as_ffmpeg=False,
        **SOUND_ONLY,
    ),
]
