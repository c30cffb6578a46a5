"""Odd, broken and unusual clips: each works as stated or ends in one clear error, with decord and with PyAV."""

import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aurelia_core.errors import InputError, MediaError
from aurelia_core.media import ClipStore
from aurelia_core.media.resampling import downsample
from aurelia_core.media.sampling import normalize_windows, pick_frames
from aurelia_core.settings import Settings
from tests.support import clips

EVERYTHING = 10**6


@pytest.fixture(params=["decord", "pyav"])
def store(request, tmp_path):
    return ClipStore(Settings(home=tmp_path / "home", allow_any_file=True), reader=request.param)


def error(store, path, kind="video"):
    with pytest.raises(MediaError) as caught:
        store.admit(path, kind)
    message = str(caught.value)
    assert message.startswith(path.name)
    assert str(path.parent) not in message
    return message


def part(path, share):
    data = path.read_bytes()
    made = path.with_name("cut" + path.suffix)
    made.write_bytes(data[: int(len(data) * share)])
    return made


def loud(samples):
    return float(np.sqrt(np.mean(samples**2)))


def red(pixel):
    return pixel[0] > 150 and pixel[2] < 100


def test_a_plain_clip(store, tmp_path):
    ref = store.admit(clips.film(tmp_path / "a.mp4", sound_seconds=2.0))
    assert (ref["width"], ref["height"], ref["fps"], ref["duration"]) == (320, 240, 24.0, 2.0)
    assert (ref["has_audio"], ref["audio_channels"], ref["audio_seconds"]) == (True, 1, 2.0)
    frames = store.frames(ref, [], EVERYTHING)
    assert frames.images.shape == (24, 180, 240, 3)
    np.testing.assert_allclose(frames.times, np.arange(24) / 12, atol=1e-4)
    assert red(frames.images[0][10, 10]) and not red(frames.images[0][10, -10])
    (sound,) = store.audio(ref)
    assert len(sound.samples) == 32000
    spectrum = np.abs(np.fft.rfft(sound.samples[4000:20000]))
    assert abs(np.argmax(spectrum) - 440) <= 1


def test_frames_stand_at_their_true_times(store, tmp_path):
    """The white column of a frame tells its number, so a frame given for a wrong time would be seen."""
    ref = store.admit(clips.film(tmp_path / "a.mp4", seconds=1.5, fps=24))
    frames = store.frames(ref, [], EVERYTHING, height=240)
    for time, image in zip(frames.times, frames.images, strict=True):
        column = int(np.argmax(image[200, :, 0] > 150))
        assert abs(column - (round(time * 24) * 8) % 312) <= 2


def test_no_sound_track(store, tmp_path):
    path = clips.film(tmp_path / "silent.mp4")
    ref = store.admit(path)
    assert (ref["has_audio"], ref["audio_channels"], ref["audio_seconds"]) == (False, None, None)
    assert store.audio(ref) == []
    assert "has no sound track" in error(store, path, "audio")


@pytest.mark.parametrize(("name", "codec"), [("a.wav", "pcm_s16le"), ("a.m4a", "aac"), ("a.flac", "flac")])
def test_a_sound_given_as_a_clip(store, tmp_path, name, codec):
    ref = store.admit(clips.tune(tmp_path / name, codec=codec))
    assert (ref["width"], ref["has_audio"]) == (None, True)
    assert ref["duration"] == ref["audio_seconds"] == pytest.approx(1.0, abs=1e-3)
    before = store.decode_count
    assert len(store.audio(ref)[0].samples) == pytest.approx(16000, abs=16)
    assert store.decode_count == before
    with pytest.raises(MediaError, match="has no picture; ask about its sound"):
        store.frames(ref, [], 4)


@pytest.mark.parametrize(
    ("name", "codec", "slack"),
    [("a.wav", "pcm_s16le", 0), ("a.flac", "flac", 0), ("a.m4a", "aac", 0), ("a.mp3", "libmp3lame", 0.05)]
    + [("a.ogg", "libopus", 0.05)],
)
def test_a_separate_sound(store, tmp_path, name, codec, slack):
    ref = store.admit(clips.tune(tmp_path / name, codec=codec), "audio")
    assert (ref["width"], ref["height"], ref["fps"]) == (None, None, None)
    assert ref["duration"] == ref["audio_seconds"] == pytest.approx(1.0, abs=slack + 1e-3)
    (sound,) = store.audio(ref)
    assert len(sound.samples) == pytest.approx(16000, abs=16000 * slack)
    assert np.argmax(np.abs(np.fft.rfft(sound.samples[2000:14000]))) == 330
    with pytest.raises(MediaError, match="no picture"):
        store.frames(ref, [], 4)


def test_a_video_given_as_sound_gives_its_track(store, tmp_path):
    ref = store.admit(clips.film(tmp_path / "a.mp4", sound_seconds=1.0), "audio")
    assert (ref["duration"], ref["width"]) == (1.0, None)
    assert len(store.audio(ref)[0].samples) == 16000


def columns_of(frames):
    return [round(int(np.argmax(image[200, :, 0] > 150)) / 8) for image in frames.images]


@pytest.mark.parametrize(
    ("name", "codecs"),
    [("a.mov", ("libx264", "aac")), ("a.mkv", ("libx264", "aac")), ("a.webm", ("libvpx-vp9", "libopus"))],
)
def test_containers(store, tmp_path, name, codecs):
    ref = store.admit(clips.film(tmp_path / name, codec=codecs[0], sound_codec=codecs[1], sound_seconds=2.0))
    assert ref["duration"] == pytest.approx(2.0, abs=0.05)
    assert ref["audio_seconds"] == pytest.approx(2.0, abs=0.05)
    frames = store.frames(ref, [], EVERYTHING, height=240)
    assert 23 <= len(frames.times) <= 25
    assert columns_of(frames) == [round(time * 24) % 39 for time in frames.times]


@pytest.mark.parametrize("reader", ["decord", "pyav"])
def test_an_avi_with_frames_out_of_order(tmp_path, reader):
    """An avi has no time stamps, and FFmpeg guesses wrong ones; frames are counted, and decord leaves it to PyAV."""
    store = ClipStore(Settings(home=tmp_path / "home", allow_any_file=True), reader=reader)
    ref = store.admit(clips.film(tmp_path / "a.avi", sound_codec="libmp3lame", sound_seconds=2.0))
    assert ref["duration"] == pytest.approx(2.0, abs=0.05)
    frames = store.frames(ref, [], EVERYTHING, height=240)
    assert len(frames.times) == 24
    assert columns_of(frames) == [round(time * 24) % 39 for time in frames.times]


def test_a_very_short_clip(store, tmp_path):
    ref = store.admit(clips.film(tmp_path / "a.mp4", seconds=0.2, fps=25, sound_seconds=0.2))
    assert ref["duration"] == pytest.approx(0.2)
    assert ref["audio_seconds"] == pytest.approx(0.2, abs=1e-3)
    assert 2 <= len(store.frames(ref, [], 16).times) <= 5
    assert len(store.audio(ref)[0].samples) == 3200


def test_one_frame_a_second(store, tmp_path):
    ref = store.admit(clips.film(tmp_path / "a.mp4", seconds=5, fps=1))
    assert (ref["fps"], ref["duration"]) == (1.0, 5.0)
    np.testing.assert_allclose(store.frames(ref, [], EVERYTHING).times, [0, 1, 2, 3, 4], atol=1e-3)
    between = store.frames(ref, [{"start": 2.3, "end": 2.6}], 4)
    assert between.times.tolist() == pytest.approx([2.0], abs=1e-3)


def test_six_channels(store, tmp_path):
    ref = store.admit(clips.film(tmp_path / "a.mp4", sound_seconds=2.0, layout="5.1"))
    assert ref["audio_channels"] == 6
    (sound,) = store.audio(ref)
    assert sound.samples.shape == (32000,) and loud(sound.samples) > 0.05


@pytest.mark.parametrize("seconds", [0.7, 5.0])
def test_sound_longer_or_shorter_than_the_picture(store, tmp_path, seconds):
    ref = store.admit(clips.film(tmp_path / "a.mp4", sound_seconds=seconds))
    assert ref["duration"] == 2.0
    assert ref["audio_seconds"] == pytest.approx(seconds, abs=1e-3)
    assert len(store.audio(ref)[0].samples) == pytest.approx(seconds * 16000, abs=16)


def test_odd_sizes(store, tmp_path):
    ref = store.admit(clips.film(tmp_path / "a.mkv", size=(321, 241), codec="ffv1", pix_fmt="bgr0"))
    assert (ref["width"], ref["height"]) == (321, 241)
    assert store.frames(ref, [], 4, height=101).images.shape == (4, 101, 135, 3)


def test_nothing_is_enlarged(store, tmp_path):
    ref = store.admit(clips.film(tmp_path / "a.mp4", size=(64, 34)))
    assert store.frames(ref, [], 2).images.shape == (2, 34, 64, 3)
    assert store.frames(ref, [], 2, height=512).images.shape == (2, 34, 64, 3)


@pytest.mark.parametrize(
    ("turns", "size", "corner"), [(1, (240, 320), (5, -5)), (2, (320, 240), (-5, -5)), (3, (240, 320), (-5, 5))]
)
def test_rotation(tmp_path, turns, size, corner):
    path = clips.turned(clips.film(tmp_path / "a.mp4"), turns)
    for reader in ("decord", "pyav"):
        store = ClipStore(Settings(home=tmp_path / reader, allow_any_file=True), reader=reader)
        ref = store.admit(path)
        assert (ref["width"], ref["height"]) == size
        image = store.frames(ref, [], 1).images[0]
        corners = [(5, 5), (5, -5), (-5, 5), (-5, -5)]
        assert [place for place in corners if red(image[place])] == [corner]


def test_a_variable_frame_rate(store, tmp_path):
    stamps = [0, 100, 200, 900, 1000, 1700, 1800]
    ref = store.admit(clips.film(tmp_path / "a.mp4", stamps=stamps))
    assert ref["duration"] == pytest.approx(1.84, abs=0.05)
    np.testing.assert_allclose(store.frames(ref, [], EVERYTHING).times, np.array(stamps) / 1000, atol=2e-3)
    window = store.frames(ref, [{"start": 0.85, "end": 1.05}], 8)
    np.testing.assert_allclose(window.times, [0.9, 1.0], atol=2e-3)


def test_a_truncated_clip_says_what_it_declares_and_what_it_contains(store, tmp_path):
    film = clips.film(tmp_path / "a.mp4", seconds=5, sound_seconds=5, options={"movflags": "faststart"})
    message = error(store, part(film, 0.6))
    assert "cut short: it declares 5.0 s but contains only " in message
    held = float(message.split("contains only ")[1].split(" s")[0])
    assert 1.5 < held < 4.0


@pytest.mark.parametrize(
    ("name", "codec"),
    [("a.mkv", "libx264"), ("a.webm", "libvpx-vp9"), ("a.avi", "mpeg4")],
)
def test_other_truncated_videos(store, tmp_path, name, codec):
    assert "cut short" in error(store, part(clips.film(tmp_path / name, seconds=4, codec=codec), 0.6))


@pytest.mark.parametrize(
    ("name", "codec"),
    [("a.wav", "pcm_s16le"), ("a.flac", "flac"), ("a.mp3", "libmp3lame"), ("a.ogg", "libopus"), ("a.m4a", "aac")],
)
def test_truncated_sounds(store, tmp_path, name, codec):
    assert "cut short" in error(store, part(clips.tune(tmp_path / name, codec=codec, seconds=5), 0.6), "audio")


def test_no_moov(store, tmp_path):
    assert "no index (moov)" in error(store, part(clips.film(tmp_path / "a.mp4"), 0.7))


def test_a_container_that_is_only_a_header(store, tmp_path):
    path = tmp_path / "a.mp4"
    path.write_bytes(b"\x00\x00\x00\x20ftypisom" + bytes(20))
    assert "no index (moov)" in error(store, path)
    path = tmp_path / "a.mkv"
    path.write_bytes(b"\x1aE\xdf\xa3" + bytes(64))
    assert "cannot be opened" in error(store, path)


def test_a_header_with_a_wrong_length_does_not_make_a_whole_file_damaged(store, tmp_path):
    """The index and all bytes are there; FFmpeg plays it, as two seconds."""
    ref = store.admit(clips.declared(clips.film(tmp_path / "a.mp4", sound_seconds=2.0), 36000))
    assert (ref["duration"], ref["audio_seconds"]) == (2.0, 2.0)
    assert columns_of(store.frames(ref, [], EVERYTHING, height=240))[:3] == [0, 2, 4]


def test_a_clip_beyond_the_limit(tmp_path):
    store = ClipStore(Settings(home=tmp_path / "home", allow_any_file=True, max_clip_seconds=4.0))
    message = error(store, clips.film(tmp_path / "a.mp4", seconds=5, fps=5, size=(64, 64)))
    assert "is 5 s long, more than the allowed 4 s" in message and "cut out the part" in message


@pytest.mark.slow
@pytest.mark.parametrize(("name", "codecs"), [("a.mp4", ("libx264", "aac")), ("a.webm", ("libvpx-vp9", "libopus"))])
def test_flipped_bits_are_never_silently_less(tmp_path, name, codecs):
    store = ClipStore(Settings(home=tmp_path / "home", allow_any_file=True))
    whole = clips.film(tmp_path / name, seconds=1.0, codec=codecs[0], sound_codec=codecs[1], sound_seconds=1.0)
    good = store.admit(whole)
    frames = len(store.frames(good, [], EVERYTHING).times)
    rng = random.Random(20250603)
    refused = 0
    for number in range(24):
        data = bytearray(whole.read_bytes())
        for _ in range(1 + number % 4):
            data[rng.randrange(64, len(data))] ^= 1 << rng.randrange(8)
        path = tmp_path / f"{number}-{name}"
        path.write_bytes(data)
        try:
            ref = store.admit(path)
            seen, heard = store.frames(ref, [], EVERYTHING), store.audio(ref)
        except MediaError as caught:
            refused += 1
            assert str(caught).startswith(path.name)
        else:
            assert ref["duration"] == pytest.approx(good["duration"], abs=0.1)
            assert abs(len(seen.times) - frames) <= 1
            assert len(heard) == 0 or len(heard[0].samples) / 16000 == pytest.approx(1.0, abs=0.1)
    if name == "a.mp4":
        assert refused >= 5


def test_windows_share_the_count_by_their_lengths(store, tmp_path):
    ref = store.admit(clips.film(tmp_path / "a.mp4", seconds=6, size=(64, 64)))
    frames = store.frames(ref, [{"start": 4.0, "end": 5.0}, {"start": 1.0, "end": 3.0}], 12)
    assert len(frames.times) == 12 and (np.diff(frames.times) > 0).all()
    assert ((frames.times >= 1) & (frames.times < 3)).sum() == 8
    assert ((frames.times >= 4) & (frames.times < 5)).sum() == 4


def test_what_cannot_be_asked(store, tmp_path):
    ref = store.admit(clips.film(tmp_path / "a.mp4", size=(64, 64), sound_seconds=2.0))
    for window in ({"start": 3.0, "end": 4.0}, {"start": 1.0, "end": 1.0}, {"start": -2.0, "end": -1.0}):
        with pytest.raises(InputError, match="outside this clip"):
            store.frames(ref, [window], 4)
    with pytest.raises(InputError, match="at least 1"):
        store.frames(ref, [], 0)
    with pytest.raises(InputError, match="Hz"):
        store.audio(ref, [], 44100)


def test_sound_windows_and_lower_rates(store, tmp_path):
    path = tmp_path / "two.wav"
    clips.tune(path, seconds=4.0, tone=3000.0)
    ref = store.admit(path, "audio")
    low = store.audio(ref, [{"start": 1.0, "end": 3.0}, {"start": 3.5, "end": 9.0}], rate=2000)
    assert [len(sound.samples) for sound in low] == [4000, 1000]
    assert [sound.start for sound in low] == [1.0, 3.5]
    assert all(loud(sound.samples) < 0.002 for sound in low)
    full = store.audio(ref, [{"start": 1.0, "end": 3.0}], rate=8000)[0]
    assert loud(full.samples) == pytest.approx(0.25 / np.sqrt(2), rel=0.005)


def test_a_long_clip_is_coarse_as_a_whole_and_fine_in_a_window(store, tmp_path):
    path = clips.film(tmp_path / "a.mp4", seconds=100, fps=10, size=(64, 48), gop=50)
    ref = store.admit(path)
    whole = store.frames(ref, [], 16)
    assert len(whole.times) == 16 and whole.times[0] < 10 and whole.times[-1] > 90
    before = store.decode_count
    assert len(store.frames(ref, [], 12).times) == 12
    assert store.decode_count == before
    close = store.frames(ref, [{"start": 39.5, "end": 41.1}], 16)
    np.testing.assert_allclose(close.times, np.arange(39.5, 41.05, 0.1), atol=1e-3)
    assert store.decode_count == before + 2
    store.frames(ref, [{"start": 44.0, "end": 45.0}], 10)
    assert store.decode_count == before + 2


@pytest.mark.parametrize(("rate", "pitch"), [(1600, 300), (4800, 2000), (12000, 5000), (1333, 220)])
def test_resampling_keeps_what_is_below_the_band_and_its_time(rate, pitch):
    times = np.arange(48000) / 16000
    made = downsample(np.sin(2 * np.pi * pitch * times).astype(np.float32), rate)
    assert len(made) == round(3 * rate)
    wanted = np.sin(2 * np.pi * pitch * np.arange(len(made)) / rate)
    inner = slice(rate // 10, -rate // 10)
    assert np.abs(made[inner] - wanted[inner]).max() < 1e-4


@pytest.mark.parametrize("count", [0, 1, 5, 161, 16000])
@pytest.mark.parametrize("rate", [1, 1333, 8000, 15999, 16000])
def test_resampling_takes_any_length(rate, count):
    made = downsample(np.full(count, 0.5, np.float32), rate)
    assert made.dtype == np.float32 and len(made) == round(count * rate / 16000)
    assert np.abs(made - 0.5).max(initial=0.0) < 1e-3


@given(
    st.lists(st.floats(0.01, 0.5), min_size=1, max_size=60),
    st.lists(st.tuples(st.floats(0, 9), st.floats(0.01, 3)), min_size=1, max_size=4),
    st.integers(1, 40),
)
def test_picking_never_leaves_the_budget_nor_the_order(gaps, windows, count):
    times = np.cumsum([0.0, *gaps])
    spans = normalize_windows([{"start": start, "end": start + length} for start, length in windows], 12.0)
    chosen = pick_frames(times, spans, count)
    inside = [index for index, time in enumerate(times) if any(low <= time < high for low, high in spans)]
    assert 1 <= len(chosen) <= count and (np.diff(chosen) > 0).all()
    assert len(chosen) >= min(count, len(inside))
    if len(inside) >= count + len(spans):
        assert len(chosen) == count
