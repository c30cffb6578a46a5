"""Long sound is resampled in blocks: the same sound as in one piece, in memory that does not grow with it."""

import tracemalloc
import wave

import numpy as np
import pytest

from aurelia_core.arrays import Samples
from aurelia_core.errors import MediaError
from aurelia_core.media import ClipStore, ingest, resampling, sound
from aurelia_core.media.resampling import MAX_BLOCK_SAMPLES, downsample
from aurelia_core.media.source import DecodeSource
from aurelia_core.settings import Settings
from tests.support.clips import film

LONG = 3 * MAX_BLOCK_SAMPLES + 4567


def heard(kind: str) -> Samples:
    """Over three blocks of noise, or of a tone that rises from 20 to 6,000 Hz."""
    if kind == "noise":
        return (np.random.default_rng(3).standard_normal(LONG) * 0.2).clip(-1, 1).astype(np.float32)
    pitch = np.geomspace(20.0, 6000.0, LONG)
    return (0.8 * np.sin(2 * np.pi * np.cumsum(pitch) / 16000)).astype(np.float32)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["noise", "tone"])
@pytest.mark.parametrize("rate", [200, 1333, 1600, 4000, 8000, 15999])
def test_long_sound_in_blocks_is_what_it_is_in_one_piece(kind, rate, monkeypatch):
    samples = heard(kind)
    made = downsample(samples, rate)
    monkeypatch.setattr(resampling, "MAX_BLOCK_SAMPLES", 2 * LONG)
    wanted = downsample(samples, rate)
    assert made.shape == wanted.shape and made.dtype == np.float32
    assert np.abs(made - wanted).max() < 2e-3
    assert np.sqrt(np.mean((made - wanted) ** 2)) < 2e-5


@pytest.mark.parametrize("rate", [1, 37, 160])
def test_a_rate_far_below_is_reached_in_steps(rate):
    slow = np.sin(2 * np.pi * 0.1 * rate * np.arange(LONG) / 16000).astype(np.float32)
    made = downsample(slow, rate)
    assert len(made) == round(LONG * rate / 16000)
    inner = slice(10, -10)
    assert np.abs(made - np.sin(2 * np.pi * 0.1 * np.arange(len(made))))[inner].max() < 2e-2


@pytest.mark.slow
@pytest.mark.parametrize("rate", [1, 200, 7919, 8000])
def test_memory_does_not_grow_with_the_length(rate):
    taken = []
    for many in (3, 12):
        samples = np.zeros(many * MAX_BLOCK_SAMPLES, np.float32)
        tracemalloc.start()
        made = downsample(samples, rate)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        # What a first step leaves of sound that goes lower in steps is a tenth of it.
        taken.append(peak - made.nbytes - (samples.nbytes // 10 if rate < 200 else 0))
    short, long = taken
    assert long < short + MAX_BLOCK_SAMPLES and long < 100 * MAX_BLOCK_SAMPLES


def test_packets_of_one_sample_are_brought_to_another_rate_together(tmp_path, monkeypatch):
    path, tone = tmp_path / "slow.wav", (np.sin(np.arange(4800) * 0.3) * 20000).astype("<i2")
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8)
        file.writeframes(tone.tobytes())
    asked, made = [], sound._Timeline._resample
    monkeypatch.setattr(sound._Timeline, "_resample", lambda *given: asked.append(given) or made(*given))
    status = path.stat()
    stamp = (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)
    ingest.ingest(DecodeSource(str(path), stamp, "wav"), str(tmp_path), 3600.0, False)
    found = np.load(tmp_path / "audio.npy")
    assert len(found) == 600 * 16000
    assert np.abs(found[1000:-20000:2000] - np.interp(np.arange(1000, len(found) - 20000, 2000) / 2000,
                  np.arange(4800), tone / 32768)).max() < 0.05  # fmt: skip
    assert len(asked) <= 4800 // sound.RESAMPLE_BATCH_SAMPLES + 2


def test_sound_that_decodes_to_hours_it_does_not_declare_is_refused(tmp_path):
    sounding = {"sound_seconds": 0.4, "codec": "mpeg4", "sound_codec": "pcm_s16le"}
    path = film(tmp_path / "a.avi", seconds=0.4, fps=10, size=(64, 48), **sounding)
    content = path.read_bytes()
    format_at = content.index(b"strf", content.index(b"auds")) + 8
    # Samples a second, in the sound's WAVEFORMATEX: every frame of it lasts a quarter of an hour now.
    path.write_bytes(content[: format_at + 4] + (1).to_bytes(4, "little") + content[format_at + 8 :])
    with pytest.raises(MediaError, match="a.avi decodes to far more sound than it declares"):
        ClipStore(Settings(home=tmp_path / "home", allow_any_file=True)).admit(path)
