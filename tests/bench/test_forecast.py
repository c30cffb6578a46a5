"""What the clips of a run cost at most, told before the first call."""

from pathlib import Path
from typing import Any

import pytest

from aurelia.bench.forecast import MediaForecast, forecast_media, forecast_text
from aurelia.bench.records import Record
from aurelia.bench.run_plan import Plan
from aurelia_core.media import ClipStore
from aurelia_core.models.client import ModelClient
from state.context import ROLES, Context, make_context
from tests.support.google_server import Gemini

pytestmark = pytest.mark.enable_socket
# Two seconds, eight frames a second, by the table of Gemini 3.
WHOLE = 16 * 70 + 2 * 25
# A closer look at all of it shows sixteen frames and the sound again.
AGAIN = 2 * WHOLE


def records(clip: Path, count: int) -> list[Record]:
    asked: Any = {"column": "other", "question": "What is heard?", "answers": ["tones"], "video": str(clip)}
    asked["source"] = {"dataset": "own"}
    return [Record.model_validate({**asked, "id": str(number)}) for number in range(count)]


def settings(model: str, **more: Any) -> Context:
    return make_context({**dict.fromkeys(ROLES, model), **more})


def test_the_clips_of_all_calls_are_counted_at_the_models_price(
    gemini: Gemini, session_store: ClipStore, duet: Path
) -> None:
    client = ModelClient(session_store.settings, store=session_store)
    context = settings("google_genai:gemini-3.8-flash", max_iterations=3)
    found = forecast_media(records(duet, 10), context, Plan(), client)
    # Generator: one look and two closer ones; evaluator: three; target: with reasoning and without.
    each = (WHOLE + 2 * AGAIN) + 3 * WHOLE + 2 * WHOLE
    assert found and found.tokens == 10 * each
    assert found.cost_usd == pytest.approx(10 * each * 0.75 / 1e6)
    alone = forecast_media(records(duet, 10), context, Plan(arms=("zero_shot",)), client)
    assert alone and alone.tokens == 10 * WHOLE
    finer = settings("google_genai:gemini-3.8-flash", decoding={"target": {"media_resolution": "high"}})
    high = forecast_media(records(duet, 1), finer, Plan(arms=("zero_shot",)), client)
    assert high and high.tokens == 16 * 280 + 2 * 25
    assert not gemini.calls


def test_nothing_is_said_where_nothing_is_known(session_store: ClipStore, duet: Path) -> None:
    client = ModelClient(session_store.settings, store=session_store)
    assert forecast_media(records(duet, 2), settings("offline:measure"), Plan(), client) is None
    assert forecast_media(records(duet.parent / "none.mp4", 2), settings("offline:measure"), Plan(), client) is None


def test_the_line_says_what_is_counted() -> None:
    said = "Clips: at most about 12,345 input tokens, $0.50, without text, thinking and replies."
    assert forecast_text(MediaForecast(12345, 0.5)) == said
    assert "$" not in forecast_text(MediaForecast(12345, None))
