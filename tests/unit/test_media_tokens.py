"""What a clip costs in tokens before a call: the table of each generation, and what no context holds."""

from datetime import date
from pathlib import Path
from typing import Any

import pytest

from aurelia_core.errors import InputError
from aurelia_core.models.media_tokens import PictureSize, check_context, find_media_tokens, token_rows

# Google's own table (ai.google.dev/gemini-api/docs/media-resolution, 2026-09-19).
GOOGLE = [
    ("gemini-3.8-flash", {}, 70, 1120, 25),
    ("gemini-3.8-flash", {"media_resolution": "low"}, 70, 280, 25),
    ("gemini-3.8-flash", {"media_resolution": "high"}, 280, 1120, 25),
    ("gemini-2.5-flash", {}, 256, 2048, 32),
    ("gemini-2.5-pro", {"media_resolution": "low"}, 64, 64, 32),
    ("models/gemini-2.5-flash", {"media_resolution": "medium"}, 256, 256, 32),
]


@pytest.mark.parametrize(("model", "decoding", "frame", "still", "second"), GOOGLE)
def test_a_frame_a_picture_and_a_second_cost_what_google_says(
    model: str, decoding: dict[str, Any], frame: int, still: int, second: int
) -> None:
    rates = find_media_tokens(f"google_genai:{model}")
    assert rates
    found = rates.frames(10, decoding), rates.pictures([PictureSize(640, 360)], decoding), rates.seconds(2.0)
    assert found == (10 * frame, still, 2 * second)


@pytest.mark.parametrize(
    ("model", "size", "detail", "tokens"),
    [
        ("openai:gpt-4o", (911, 512), None, 85 + 2 * 170),
        ("openai:gpt-4o-2024-08-06", (911, 512), "low", 85),
        ("openai:gpt-4o-mini", (500, 500), "high", 2833 + 5667),
        ("openai:gpt-4.1-mini", (640, 360), None, 389),
        ("openai:gpt-5.6-terra", (640, 360), None, 20 * 12),
        ("openai:gpt-5.6-terra", (640, 360), "low", 16 * 9),
        ("openai:o3", (640, 512), "auto", 75 + 2 * 150),
    ],
)
def test_a_picture_costs_by_its_size_at_openai(
    model: str, size: tuple[int, int], detail: str | None, tokens: int
) -> None:
    rates = find_media_tokens(model)
    assert rates and rates.pictures([PictureSize(*size)], {"detail": detail}) == tokens


def test_what_is_unknown_is_not_guessed() -> None:
    assert find_media_tokens("compatible:omni") is None and find_media_tokens("transformers:x/y") is None
    check_context("compatible:omni", None, 10**9)
    check_context("compatible:omni", 10, None)
    check_context("compatible:omni", 10, 10)
    with pytest.raises(InputError, match="takes 10 tokens, and this clip has about 11: .* lower frames"):
        check_context("compatible:omni", 10, 11)


def test_every_row_has_a_date_and_a_way_to_count() -> None:
    for row in token_rows():
        assert date(2025, 1, 1) < row.read <= date.today(), row.models
        ways = [
            bool(row.frame and row.still and row.sound),
            bool(row.tiles),
            bool(row.patches),
            "audio" in row.models[0],
        ]
        assert sum(ways) == 1, row.models


@pytest.fixture
def clip_size(session_store: Any, duet: Path) -> PictureSize:
    clip = session_store.admit(duet)
    return PictureSize(clip["width"], clip["height"])


def test_a_size_is_shrunk_and_never_enlarged(clip_size: PictureSize) -> None:
    assert clip_size.of_height(10_000) == clip_size
    assert PictureSize(1920, 1080).of_height(512) == (911, 512)
    assert PictureSize(1920, 1080).limited(512) == (512, 288)
    assert PictureSize(0, 0).limited(512) == (0, 0)
