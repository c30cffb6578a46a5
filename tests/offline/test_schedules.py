"""The offline agents answer about any clip; a crash of their code is an error of Aurelia, not of a provider."""

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from aurelia.cli import main as cli
from aurelia_core.errors import InternalError
from aurelia_offline.critic import evaluate
from aurelia_offline.critic.signal_pitch import classify_sound
from benchmarks.offline.schedules import QUESTIONS, RATE, MemoryStore, play_all_roles, random_clip

_GREY = np.full((24, 90, 160, 3), 128, np.uint8)


def clip_of(wave: np.ndarray, images: np.ndarray = _GREY) -> MemoryStore:
    seconds = len(wave) / RATE
    return MemoryStore(wave.astype(np.float32), np.linspace(0, seconds, len(images), endpoint=False), images, seconds)


def sparse_tones() -> np.ndarray:
    """Tones of 0.2 s at 1, 3, 6 and 8.5 s: no beat fits them."""
    clock = np.arange(10 * RATE) / RATE
    inside = np.any([(clock >= start) & (clock < start + 0.2) for start in (1.0, 3.0, 6.0, 8.5)], axis=0)
    return 0.2 * np.sin(2 * np.pi * 440 * clock) * inside


def rumble(seconds: float = 6.0) -> np.ndarray:
    """Rumble of 40 Hz with a faint ripple, which repeats at no period in the range of pitches."""
    clock = np.arange(round(seconds * RATE)) / RATE
    return 0.3 * (np.sin(2 * np.pi * 39.9 * clock) + 0.071 * np.sin(2 * np.pi * 884 * clock))


def test_a_sound_without_any_period_is_classified() -> None:
    nature = classify_sound(rumble(0.211), RATE)
    assert (nature.voice, nature.pitch) == ("noise", None) and nature.brightness < 60


@pytest.mark.parametrize(
    "wave",
    [sparse_tones(), rumble(), np.zeros(3 * RATE), np.ones(3 * RATE), np.eye(1, 2 * RATE)[0], 1e-5 * rumble()],
    ids=["sparse tones", "rumble", "digital silence", "constant", "one sample", "faint rumble"],
)
def test_a_sound_that_is_rare_low_or_empty_is_judged(wave: np.ndarray, request: pytest.FixtureRequest) -> None:
    found = play_all_roles(clip_of(wave), f"{abs(hash(request.node.name)):x}"[:60], "How many sounds are there?")
    assert found["caption"] and found["verdict"]["justification"]


@pytest.mark.parametrize("size", [(1, 1), (1, 7), (2, 2), (90, 3), (7, 90)])
def test_a_picture_of_any_size_is_judged(size: tuple[int, int]) -> None:
    noise = np.random.default_rng(1).integers(0, 256, (24, *size, 3)).astype(np.uint8)
    found = play_all_roles(clip_of(np.zeros(2 * RATE), noise), f"{size[0]:x}{size[1]:x}", "What moves?")
    assert found["caption"] and found["verdict"]["justification"]


@pytest.mark.parametrize("seed", range(1000, 1012))
def test_random_schedules_make_no_role_fail(seed: int) -> None:
    """`python -m benchmarks.offline.schedules` plays 500."""
    found = play_all_roles(random_clip(seed), f"{seed:x}", QUESTIONS[seed % len(QUESTIONS)])
    assert all(found["answers"])


def test_a_crash_of_the_offline_evaluator_is_an_error_of_aurelia(
    duet: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    calls = []

    def crash(request: Any, store: Any) -> Any:
        calls.append(request)
        return [][0]

    monkeypatch.setattr(evaluate, "evaluate_caption", crash)
    monkeypatch.setenv("AURELIA_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(sys, "argv", ["aurelia", "ask", "--video", str(duet), "--question", "How many sounds?"])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    said = capsys.readouterr().err.splitlines()[-1]
    assert ended.value.code == 1 and len(calls) == 1
    assert "The offline evaluator failed through an error of Aurelia itself (IndexError" in said
    assert "test_schedules.py, line" in said and "did not answer" not in said


def test_an_internal_error_of_the_zero_shot_target_ends_the_run_too(
    duet: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from aurelia import ask_sync
    from aurelia_offline.agents import chat

    def crash(*arguments: Any) -> Any:
        raise KeyError("no such key")

    monkeypatch.setattr(chat, "answer_as_target", crash)
    monkeypatch.setenv("AURELIA_HOME", str(tmp_path / "home"))
    with pytest.raises(InternalError, match="The offline target failed through an error of Aurelia"):
        ask_sync("How many sounds are there?", video=str(duet))
