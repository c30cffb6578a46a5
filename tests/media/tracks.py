"""Situations: several tracks, of which a player shows and plays one each."""

from fractions import Fraction
from io import BytesIO

from av.stream import Disposition
from PIL import Image

from tests.media.makers import BEEPS, SIZE, ff, film, made_once, merged, patched
from tests.media.row import BASE, MOV, SOUND_ONLY, Row

NONE = Disposition(0)
DEFAULT = Disposition.default
OTHER_BEEPS = (0.8, 1.9)
OTHER = film("other.mov", sound="pcm_s16le", first=100, size=(64, 48), beeps=OTHER_BEEPS)
THUMBNAIL = film("thumbnail.mov", "mjpeg", None, frames=1, pix_fmt="yuvj420p", first=200, size=(64, 48))
AC3 = film("other_ac3.mov", sound="ac3", beeps=OTHER_BEEPS)
PICTURE, SOUND = (BASE, "video", DEFAULT, "und"), (BASE, "audio", DEFAULT, "und")
MOV_PICTURE, MOV_SOUND = (MOV, "video", DEFAULT, "und"), (MOV, "audio", DEFAULT, "und")
WITH_SUBTITLE = "-i {film} -i {text} -map 0 -map 1 -c copy -c:s"
NO_DECODER = "has a sound track in a format that cannot be decoded here"


def with_two_sounds(name, first, second, **row):
    """A row with two sound tracks: beeps at `BEEPS`, then at `OTHER_BEEPS`."""
    return Row(
        f"two sounds, {name}",
        merged(f"sounds {name}.mkv".replace(" ", "_"), PICTURE, (MOV, "audio", *first), (OTHER, "audio", *second)),
        **{"note": "has 2 sound tracks", **row},
    )


def write_subtitle(path):
    """A subtitle that is longer than the film."""
    path.write_text("1\n00:00:01,000 --> 00:00:02,000\nhello\n\n2\n00:00:02,500 --> 00:00:05,500\nlate\n")


def jpeg():
    """A small jpeg."""
    out = BytesIO()
    Image.new("RGB", (64, 48), "red").save(out, "JPEG")
    return out.getvalue()


def chapters():
    """Two chapters; the second one ends after the film."""
    base = {"time_base": Fraction(1, 1000), "metadata": {"title": "part"}}
    return [{"id": 1, "start": 0, "end": 1500, **base}, {"id": 2, "start": 1500, "end": 9000, **base}]


SUBTITLE = made_once("subtitle.srt", write_subtitle)
ROWS = [
    with_two_sounds("the first by default", (DEFAULT, "eng"), (NONE, "deu"), note="track 1 (eng"),
    with_two_sounds(
        "the second by default", (NONE, "eng"), (DEFAULT, "deu"), beeps=OTHER_BEEPS, sound=1, note="track 2 (deu"
    ),
    with_two_sounds("none by default", (NONE, "eng"), (NONE, "deu")),
    with_two_sounds("both by default", (DEFAULT, "eng"), (DEFAULT, "deu")),
    with_two_sounds(
        "the first is a commentary", (Disposition.comment, "eng"), (NONE, "eng"), beeps=OTHER_BEEPS, sound=1
    ),
    with_two_sounds(
        "the first describes the picture",
        (Disposition.visual_impaired, "eng"),
        (NONE, "eng"),
        beeps=OTHER_BEEPS,
        sound=1,
    ),
    Row(
        "two sounds in mp4",
        merged("sounds.mp4", PICTURE, (BASE, "audio", DEFAULT, "eng"), (AC3, "audio", NONE, "fra")),
        note="has 2 sound tracks",
    ),
    Row(
        "two sounds in ts",
        merged("sounds.ts", PICTURE, (BASE, "audio", DEFAULT, "eng"), (AC3, "audio", NONE, "fra")),
        note="has 2 sound tracks",
    ),
    Row(
        "the default sound has no decoder (mkv)",
        patched(
            "nodecoder.mkv",
            merged("toplay.mkv", PICTURE, (AC3, "audio", DEFAULT, "eng"), (MOV, "audio", NONE, "eng")),
            lambda data: data.replace(b"A_AC3", b"A_QQ3"),
        ),
        sound=1,
        note=NO_DECODER,
    ),
    Row(
        "the default sound has no decoder (mp4)",
        patched(
            "nodecoder.mp4",
            merged("toplay.mp4", PICTURE, (AC3, "audio", DEFAULT, "eng"), (BASE, "audio", NONE, "eng")),
            lambda data: data.replace(b"ac-3", b"qq-3"),
        ),
        sound=1,
        note=NO_DECODER,
    ),
    Row(
        "two pictures, the first by default",
        merged("pictures.mkv", MOV_PICTURE, (OTHER, "video", NONE, "und"), MOV_SOUND),
        note="has 2 picture tracks; track 1",
    ),
    Row(
        "two pictures, the second by default",
        merged("pictures2.mkv", (OTHER, "video", NONE, "und"), MOV_PICTURE, MOV_SOUND),
        picture=1,
        note="has 2 picture tracks; track 2",
    ),
    Row(
        "two pictures, none by default",
        merged("pictures3.mkv", (MOV, "video", NONE, "und"), (OTHER, "video", NONE, "und"), MOV_SOUND),
        note="track 1",
    ),
    Row("two pictures in mp4", merged("pictures.mp4", PICTURE, (OTHER, "video", NONE, "und"), SOUND), note="track 1"),
    Row(
        "two pictures in mp4, the second alone enabled",
        merged("pictures2.mp4", (OTHER, "video", NONE, "und"), PICTURE, SOUND),
        picture=1,
        note="track 2",
    ),
    Row(
        "thumbnail first",
        merged("thumbnail.mkv", (THUMBNAIL, "video", NONE, "und"), (MOV, "video", NONE, "und"), MOV_SOUND),
        picture=1,
    ),
    Row(
        "thumbnail first, by default",
        merged("thumbnail2.mkv", (THUMBNAIL, "video", DEFAULT, "und"), (MOV, "video", NONE, "und"), MOV_SOUND),
        picture=1,
    ),
    Row(
        "thumbnail first in mp4", merged("thumbnail.mp4", (THUMBNAIL, "video", NONE, "und"), PICTURE, SOUND), picture=1
    ),
    Row(
        "cover in a film (mp4)",
        merged("cover.mp4", PICTURE, SOUND, (THUMBNAIL, "video", Disposition.attached_pic, "und")),
    ),
    Row(
        "cover in m4a",
        merged("cover.m4a", SOUND, (THUMBNAIL, "video", Disposition.attached_pic, "und"), container="mp4"),
        **SOUND_ONLY,
    ),
    Row(
        "cover in mkv",
        merged(
            "attached.mkv",
            MOV_PICTURE,
            MOV_SOUND,
            change=lambda out: out.add_attachment("cover.jpg", "image/jpeg", jpeg()),
        ),
    ),
    Row(
        "font in mkv",
        merged(
            "font.mkv",
            MOV_PICTURE,
            MOV_SOUND,
            change=lambda out: out.add_attachment("font.ttf", "application/x-truetype-font", b"x" * 100),
        ),
    ),
    Row("chapters in mp4", merged("chapters.mp4", PICTURE, SOUND, change=lambda out: out.set_chapters(chapters()))),
    Row("time code track in mov", ff("timecode.mov", "-i {film} -c copy -timecode 01:00:00:00", film=MOV)),
    Row(
        "subtitle longer than the film (mp4)", ff("subtitle.mp4", f"{WITH_SUBTITLE} mov_text", film=BASE, text=SUBTITLE)
    ),
    Row("subtitle longer than the film (mkv)", ff("subtitle.mkv", f"{WITH_SUBTITLE} srt", film=BASE, text=SUBTITLE)),
    Row("sound shorter than the picture", film("short_sound.mp4", seconds=1.8), beeps=BEEPS[:2]),
    Row("sound longer than the picture", film("long_sound.mp4", seconds=5.0)),
    Row("picture alone", film("silent.mp4", sound=None), beeps=None, size=SIZE),
    Row(
        "the sound's packets come late in the file (ts)",
        film("behind.ts", fps=5, frames=150),
        numbers=range(150),
        times=[number / 5 for number in range(150)],
        duration=30.0,
    ),
]
