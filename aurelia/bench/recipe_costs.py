"""What a recipe will cost before it starts: calls, tokens and dollars of every condition. Nothing is asked or decoded.

Tokens of answers that a run file holds already are measured; the others are assumed, and the forecast says so: the clip
by the model's own table (`aurelia.bench.forecast`), where it has none by frames and seconds.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from aurelia.bench.conditions import Condition
from aurelia.bench.forecast import clip_look, first_clips
from aurelia.bench.preflight import CallRange, calls_of_question
from aurelia.bench.records import Record, read_records
from aurelia.bench.run_file import RunFile
from aurelia_core.errors import AureliaError, InputError
from aurelia_core.models.client import ModelClient
from aurelia_core.models.media_request import MediaRequest
from aurelia_core.models.prices import model_price
from aurelia_core.types import Role
from nodes.candidates import calls_of_round, check_strategy, strategy_roles
from state.context import ROLES, Context

TOKENS_OF_TEXT = 1_000
"""Assumed tokens of a prompt without its clip."""
TOKENS_OF_FRAME, TOKENS_OF_SECOND = 258, 32
"""Assumed tokens of a frame and of a second of sound (Gemini's figures)."""
TOKENS_OF_REPLY = 350
"""Assumed tokens of a reply."""
ASSUMED_SECONDS = 30.0
_CLIP_ROLES = ("generator", "evaluator", "target", "describer")


class Forecast(NamedTuple):
    """One condition before it starts.

    Attributes:
        name: the condition.
        questions: questions that have no answer yet.
        calls: calls of models, at least and at most.
        clip_calls: of them with the clip, at most.
        input_tokens, output_tokens: at most.
        cost: dollars at most; None if a price is not known.
        measured: whether the tokens are those of the answers that the run file holds.
    """

    name: str
    questions: int
    calls: CallRange
    clip_calls: int
    input_tokens: int
    output_tokens: int
    cost: float | None
    measured: bool


def forecast(conditions: Sequence[Condition], out: Path, client: ModelClient | None = None) -> list[Forecast]:
    """The forecast of every condition.

    Args:
        conditions: the conditions.
        out: folder of their run files.
        client: makes the models and reads the first clips; None: clips of 30 s are assumed.
    """
    return [_forecast(condition, out / condition.file_name, client) for condition in conditions]


def _forecast(condition: Condition, path: Path, client: ModelClient | None) -> Forecast:
    context = condition.context
    try:
        check_strategy(context)
    except InputError:
        return Forecast(f"{condition.name}: refused", 0, CallRange(0, 0), 0, 0, 0, 0.0, False)
    records = list(read_records(condition.records))
    questions, usage = len(records), None
    if RunFile.holds_run(path):
        with RunFile.open(path) as run:
            done = sum(one.state == "answered" and one.arm == condition.arm for one in run.outcome_summaries(0))
            usage = run.usage()
        made, questions = done, questions - done
    by_role = _calls_by_role(context) if condition.arm == "aurelia" else {"target": CallRange(1, 1)}
    calls = CallRange(*(questions * sum(part[end] for part in by_role.values()) for end in (0, 1)))
    if usage and made:
        cost = None if usage["cost_usd"] is None else usage["cost_usd"] / made * questions
        tokens = [round(usage[name] / made * questions) for name in ("input_tokens", "output_tokens")]
        clip = questions * sum(part.most for role, part in by_role.items() if role in _CLIP_ROLES)
        return Forecast(condition.name, questions, calls, clip, tokens[0], tokens[1], cost, True)
    return _assumed(condition, questions, calls, by_role, _Clips(records, context, client))


def _assumed(
    condition: Condition, questions: int, calls: CallRange, by_role: dict[Role, CallRange], clips: "_Clips"
) -> Forecast:
    context = condition.context
    sent = received = clip_calls = 0
    cost: float | None = 0.0
    for role, part in by_role.items():
        tokens = TOKENS_OF_TEXT
        if role in _CLIP_ROLES and not (
            context.strategy == "script" and role == "target" and condition.arm != "zero_shot"
        ):
            tokens += clips.tokens(role)
            clip_calls += questions * part.most
        many = questions * part.most
        sent, received = sent + many * tokens, received + many * TOKENS_OF_REPLY
        price = model_price(context.describer or "" if role == "describer" else context.model_of(role))
        if price.input is None or price.output is None or cost is None:
            cost = None
        else:
            cost += many * (tokens * price.input + TOKENS_OF_REPLY * price.output) / 1e6
    return Forecast(condition.name, questions, calls, clip_calls, sent, received, cost, False)


def _calls_by_role(context: Context) -> dict[Role, CallRange]:
    """The calls of one question by role."""
    whole = calls_of_question(context)
    if context.strategy == "vote":
        return {"target": CallRange(context.candidates, context.candidates), "summarizer": CallRange(0, 1)}
    if context.strategy == "script":
        return {"describer": CallRange(1, 1), "target": CallRange(1, 1)}
    if context.strategy == "own_steps":
        return {"target": whole}
    attempts = CallRange(context.candidates, context.candidates)
    if context.strategy == "refine":
        # Every attempt has three calls; the last one has no feedback.
        attempts = CallRange((whole.least - 1) // calls_of_round(context), context.max_iterations)
        if not (context.early_stop or context.patience):
            attempts = CallRange(context.max_iterations, context.max_iterations)
    found: dict[Role, CallRange] = {role: attempts for role in strategy_roles(context, ROLES) if role != "target"}
    if "feedback" in found:
        found["feedback"] = CallRange(attempts.least - 1, attempts.most - 1)
    return {**found, "target": CallRange(1, 1)}


class _Clips:
    """The first clips of a condition, and what one costs in a call of a role."""

    def __init__(self, records: Sequence[Record], context: Context, client: ModelClient | None) -> None:
        self._context = context
        self._client = client
        self._shown: list[MediaRequest] = []
        if client is not None:
            self._shown = first_clips(records, context, client)

    def tokens(self, role: Role) -> int:
        """Input tokens of a clip at most: with a closer look, as a later attempt of the generator takes."""
        counted = []
        for media in self._shown:
            look = self._look(role, media)
            if look is not None:
                counted.append(look)
        if counted:
            return round(sum(counted) / len(counted))
        seconds = ASSUMED_SECONDS
        if self._shown:
            seconds = sum(media.arranged.seconds for media in self._shown) / len(self._shown)
        return round(self._context.frames * TOKENS_OF_FRAME + seconds * TOKENS_OF_SECOND)

    def _look(self, role: Role, media: MediaRequest) -> int | None:
        if self._client is None or role == "describer":
            return None
        try:
            look = clip_look(role, media, self._context, self._client)
        except AureliaError:
            return None
        if look is None:
            return None
        return look.again if role == "generator" else look.first
