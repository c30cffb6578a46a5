"""What clips cost at most, before anything is paid: their tokens by the models' own tables, for runs and recipes.

Text, thinking and replies are not counted, nor what a provider's cache saves. After the first answers the run itself
tells what is to come (`aurelia.bench.preflight.cost_to_come`).
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

from aurelia.bench.records import Record
from aurelia.bench.run_plan import Plan
from aurelia_core.errors import AureliaError
from aurelia_core.models.base import as_clip_model
from aurelia_core.models.client import ModelClient
from aurelia_core.models.media_request import MediaRequest
from aurelia_core.models.prices import model_price
from aurelia_core.types import Role, Window
from nodes.prepare import admit_media
from nodes.requests import decoding_settings, media_request
from state.context import Context

_CLIPS_COUNTED = 3
_MILLION = 1e6


class MediaForecast(NamedTuple):
    """Input tokens of all clips at most, and dollars for them (None: a price is unknown)."""

    tokens: int
    cost_usd: float | None


def forecast_media(
    records: Sequence[Record], context: Context, plan: Plan, client: ModelClient
) -> MediaForecast | None:
    """The forecast of a run, from its first clips.

    Args:
        records: the questions.
        context: settings of every question.
        plan: how the run is carried out.
        client: makes the models.

    Returns:
        None if no model of the run counts tokens, or no clip can be read.
    """
    found: list[MediaForecast] = []
    for media in first_clips(records, context, client):
        parts = [_of_arm(arm, media, context, client) for arm in plan.arms]
        if counted := [part for arm in parts for part in arm if part is not None]:
            found.append(_total(counted))
    if not found:
        return None
    mean = len(records) / len(found)
    total = _total(found)
    return MediaForecast(round(total.tokens * mean), None if total.cost_usd is None else total.cost_usd * mean)


class ClipLook(NamedTuple):
    """Input tokens of one clip in a call: a first look at all of it, and one with a closer look at its windows."""

    first: int
    again: int


def first_clips(records: Sequence[Record], context: Context, client: ModelClient) -> list[MediaRequest]:
    """The first clips of the records that can be read, as they are shown with these settings."""
    found = []
    for record in list({tuple(record.media_names): record for record in records}.values())[:_CLIPS_COUNTED]:
        try:
            state: Any = admit_media(client.store, record.video, record.images, record.audio)._asdict()
        except AureliaError:
            continue
        found.append(media_request(state, context))
    return found


def clip_look(role: Role, media: MediaRequest, context: Context, client: ModelClient) -> ClipLook | None:
    """The tokens of a clip in a call of a role; None if its model does not count them.

    Raises:
        AureliaError: the model cannot be made.
    """
    model_id = context.model_of(role)
    model = as_clip_model(client.model(model_id))
    decoding = decoding_settings(context, role, model_id)
    windows = [Window(start=0.0, end=media.arranged.seconds)] if media.has_video else []
    first, again = model.clip_tokens(media, decoding), model.clip_tokens(media, decoding, windows)
    if first is None or again is None:
        return None
    return ClipLook(first, again)


def forecast_text(forecast: MediaForecast) -> str:
    """The forecast as a line for a terminal."""
    dollars = ""
    if forecast.cost_usd is not None:
        dollars = f", ${forecast.cost_usd:.2f}"
    return f"Clips: at most about {forecast.tokens:,} input tokens{dollars}, without text, thinking and replies."


def _of_arm(arm: str, media: MediaRequest, context: Context, client: ModelClient) -> list[MediaForecast | None]:
    """The clip in every call of one question in one arm."""
    if arm != "aurelia":
        return [_of_calls("target", 1, 0, media, context, client)]
    again = context.max_iterations - 1
    return [
        _of_calls("generator", 1, again, media, context, client),
        _of_calls("evaluator", 1 + again, 0, media, context, client),
        _of_calls("target", 1, 0, media, context, client),
    ]


def _of_calls(
    role: Role, whole: int, closer: int, media: MediaRequest, context: Context, client: ModelClient
) -> MediaForecast | None:
    """The clip in the calls of a role: `whole` looks at all of it, and `closer` looks at its windows too."""
    look = clip_look(role, media, context, client)
    if look is None:
        return None
    tokens = whole * look.first + closer * look.again
    price = model_price(context.model_of(role)).input
    return MediaForecast(tokens, None if price is None else tokens * price / _MILLION)


def _total(parts: Sequence[MediaForecast]) -> MediaForecast:
    costs: Any = [part.cost_usd for part in parts]
    return MediaForecast(sum(part.tokens for part in parts), None if None in costs else sum(costs))
