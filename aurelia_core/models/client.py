"""The client that the nodes call: it takes a role's request and returns a validated answer with its usage.

Every call goes through the call ledger, which retries, counts and stores it.
"""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Generic, TypeVar

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, AnyMessage
from langchain_core.runnables import RunnableConfig

from aurelia_core.errors import InputError, ModelError, ReplyError
from aurelia_core.media import ClipStore
from aurelia_core.models.base import ClipModel, as_clip_model
from aurelia_core.models.call_ledger import CallLedger, LedgerReply, ModelCall
from aurelia_core.models.decoding import check_decoding
from aurelia_core.models.failed_calls import FailedCalls
from aurelia_core.models.media_request import MediaRequest
from aurelia_core.models.media_tokens import check_context
from aurelia_core.models.messages import RequestMessage, compose_messages
from aurelia_core.models.registry import Provider, known_providers, make_model, model_display_name
from aurelia_core.models.replies import MAX_REPLY_BYTES, ModelReply, parse_reply, schema_text
from aurelia_core.models.reply_ending import ending_text, refusal_text
from aurelia_core.models.request_texts import RequestTexts
from aurelia_core.models.requests import RoleRequest
from aurelia_core.models.thinking import split_thinking
from aurelia_core.settings import Settings
from aurelia_core.types import NO_USAGE, Role, Sense, Usage, add_usage

_Reply = TypeVar("_Reply", bound=ModelReply)
_Value = TypeVar("_Value")
_LONGEST_REPEATED_REPLY = 4000
_ROLES_WITH_CLIP: tuple[Role, ...] = ("generator", "evaluator", "target", "arbiter")


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One call of one role.

    Attributes:
        model_id: the model, `provider:model`.
        text: the role's prompt with its fields filled in.
        fields: the request as data; for a `ClipRequest` the clip comes before the text.
        texts: the texts around the clip.
        run: id of the run that is billed.
        rollout: number of the independent repetition.
        fallback: the request to send once if the model fails permanently.
        label: the call's name and tag in a trace; empty: its role.
        seconds: time limit of the answer, retries included; None: no limit. With a fallback each model gets half.
    """

    model_id: str
    text: str
    fields: RoleRequest
    texts: RequestTexts
    run: str
    rollout: int = 0
    fallback: "Request | None" = None
    label: str = ""
    seconds: float | None = None

    @property
    def role(self) -> str:
        """The role that is called."""
        return self.fields.role

    def messages(self) -> list[AnyMessage]:
        """The request as messages."""
        return compose_messages(self.text, self.fields, self.texts)


@dataclass(frozen=True, slots=True)
class Answer(Generic[_Value]):
    """A usable answer.

    Attributes:
        value: the answer.
        usage: tokens, calls and dollars that this run pays for it.
        seconds: duration of the call.
        notes: warnings for the result: which text replaced which sense, which fallback answered.
        by_fallback: whether the fallback answered.
    """

    value: _Value
    usage: Usage
    seconds: float
    notes: list[str] = field(default_factory=list)
    by_fallback: bool = False


class ModelClient:
    """The models, the clip store and the ledger of one process, each created at its first use."""

    def __init__(
        self,
        settings: Settings | None = None,
        *,
        providers: Mapping[str, Provider] | None = None,
        store: ClipStore | None = None,
        ledger: CallLedger | None = None,
    ) -> None:
        """Open nothing.

        Args:
            settings: the operator's settings (default: those of a server, from the environment).
            providers: further providers by name, in addition to the built-in ones.
            store: the clip store (default: the one in the settings' home).
            ledger: the ledger to use (default: the one in the settings' home).
        """
        self._settings = settings
        self._providers = {**known_providers(), **(providers or {})}
        self._ledger = ledger
        self._store = store
        self._models: dict[str, BaseChatModel] = {}
        self._failed = FailedCalls()

    @property
    def settings(self) -> Settings:
        """The operator's settings."""
        if self._settings is None:
            self._settings = Settings.from_environment(local=False)
        return self._settings

    @property
    def store(self) -> ClipStore:
        """The clip store."""
        if self._store is None:
            self._store = ClipStore(self.settings, copy=not self.settings.allow_any_file)
        return self._store

    @property
    def ledger(self) -> CallLedger:
        """The call ledger."""
        if self._ledger is None:
            self._ledger = CallLedger(self.settings.ledger_file)
        return self._ledger

    def model(self, model_id: str) -> BaseChatModel:
        """The model that `model_id` names; created once.

        Raises:
            InputError: the model does not exist.
        """
        if model_id not in self._models:
            self._models[model_id] = make_model(model_id, self.store, self._providers)
        return self._models[model_id]

    def preflight(self, asked: Sequence[tuple[Role, str]], media: MediaRequest, describer: str | None = None) -> None:
        """Create every model of a run and check clip and credentials before the first paid call.

        Args:
            asked: pairs of a role and a model that may play it (`provider:model`), including fallbacks.
            media: the clip as every role receives it.
            describer: the model that describes senses that other models do not accept.

        Raises:
            InputError: a model does not exist, its key is missing or refused, a package is missing, or the model does
                not accept the clip (the describer: the sense to describe).
        """
        model_ids = [model_id for _, model_id in asked]
        for role, model_id in asked:
            self.adapter(model_id).check_clip(media, sees_clip=role in _ROLES_WITH_CLIP)
        if describer:
            for sense in self.missing_modalities(asked, media):
                self._check_describer(describer, sense, media)
                model_ids.append(describer)
        for model_id in dict.fromkeys(model_ids):
            self.adapter(model_id).check_credentials()

    def check_decoding(self, role: Role, model_id: str, values: Mapping[str, Any], media: MediaRequest) -> None:
        """Refuse decoding settings that a model cannot carry, or with which the clip fills its context.

        Raises:
            InputError: a setting would be lost, or the clip costs more tokens than the model takes.
        """
        adapter = self.adapter(model_id)
        if values:
            check_decoding(model_id, role, values, adapter.decoding_settings)
        if role in _ROLES_WITH_CLIP:
            check_context(model_id, adapter.context_tokens, adapter.clip_tokens(media, values))

    def missing_modalities(self, asked: Sequence[tuple[Role, str]], media: MediaRequest) -> list[Sense]:
        """The senses of the clip that at least one role with the clip does not accept.

        Raises:
            InputError: a model does not exist.
        """
        missing: set[Sense] = set()
        for role, model_id in asked:
            if role in _ROLES_WITH_CLIP:
                missing.update(self.adapter(model_id).missing_modalities(media))
        senses: tuple[Sense, ...] = ("sound", "picture")
        return [sense for sense in senses if sense in missing]

    def adapter(self, model_id: str) -> ClipModel:
        """What the model says about itself; a plain LangChain chat model says that it takes everything.

        Raises:
            InputError: the model does not exist.
        """
        return as_clip_model(self.model(model_id))

    def _check_describer(self, describer: str, sense: Sense, media: MediaRequest) -> None:
        if describer.startswith("offline:"):
            raise InputError(
                f'{describer} cannot describe a clip in words: set unsupported_modality = "evidence" to use its'
                " measurements."
            )
        adapter = self.adapter(describer)
        if sense in adapter.missing_modalities(media):
            raise InputError(
                f"{describer} cannot describe the {sense} because it does not accept {sense}: name another model."
            )
        adapter.check_clip(replace(media, only=sense), sees_clip=True)

    async def complete(self, request: Request) -> Answer[str]:
        """Ask for plain text.

        Raises:
            ModelError: the model and its fallback failed or gave an empty reply.
        """
        return await self._or_fallback(request, self._complete)

    async def complete_structured(self, request: Request, schema: type[_Reply]) -> Answer[_Reply]:
        """Ask for an answer that satisfies `schema`; send an invalid reply back once with the reason.

        The JSON schema is part of the request's fields: an adapter passes it to a provider that can enforce it.

        Raises:
            ModelError: the model and its fallback failed, or (ReplyError) gave no valid reply; its `usage` holds the
                usage of all calls.
        """
        return await self._or_fallback(request, lambda attempt: self._complete_structured(attempt, schema))

    async def _or_fallback(
        self, request: Request, once: Callable[[Request], Awaitable[Answer[_Value]]]
    ) -> Answer[_Value]:
        began = time.perf_counter()
        if request.fallback is None:
            return await _within(request.seconds, request, once)
        half = None if request.seconds is None else request.seconds / 2
        try:
            return await _within(half, request, once)
        except ModelError as fault:
            first_fault = fault
        first_usage = first_fault.usage or NO_USAGE
        try:
            answer = await _within(half, request.fallback, once)
        except ModelError as fault:
            both_failed = ModelError(f"{first_fault} Its fallback failed too: {fault}")
            raise _with_usage(both_failed, add_usage(first_usage, fault.usage or NO_USAGE)) from fault
        fallback_name = model_display_name(request.fallback.model_id)
        model_name = model_display_name(request.model_id)
        note = f"{fallback_name} answered as {request.role} instead of {model_name}, which failed: {first_fault}"
        usage = add_usage(first_usage, answer.usage)
        seconds = time.perf_counter() - began
        return replace(answer, usage=usage, seconds=seconds, notes=[note, *answer.notes], by_fallback=True)

    async def _complete(self, request: Request) -> Answer[str]:
        began = time.perf_counter()
        reply = await self._call(request, request.messages())
        self.ledger.mark_billed(request.run, reply)
        spoken = split_thinking(reply.message.text)
        text = spoken.answer
        model_name = model_display_name(request.model_id)
        if not text:
            problem = "gave only its thinking and no answer" if spoken.has_thinking else "gave an empty reply"
            raise _with_usage(ReplyError(f"{model_name} {problem} as {request.role}."), reply.usage)
        if len(text) > MAX_REPLY_BYTES:
            problem = f"{model_name} answered with {len(text)} characters as {request.role}"
            raise _with_usage(ReplyError(f"{problem}: the limit is {MAX_REPLY_BYTES}."), reply.usage)
        notes = _notes(reply)
        if refusal_text(reply.message):
            notes.append(f"{model_name} refused to answer as {request.role}; its words stand in place of an answer.")
        return Answer(text, reply.usage, time.perf_counter() - began, notes)

    async def _complete_structured(self, request: Request, schema: type[_Reply]) -> Answer[_Reply]:
        began = time.perf_counter()
        fields = replace(request.fields, schema=json.loads(schema_text(schema)))
        request = replace(request, fields=fields)
        messages = request.messages()
        first = await self._call(request, messages)
        try:
            value = parse_reply(first.message.text, schema, request.text)
            self.ledger.mark_billed(request.run, first)
            return Answer(value, first.usage, time.perf_counter() - began, _reply_notes(request, first, value))
        except ReplyError as fault:
            correction = request.texts.correction(str(fault))
            retry_message = RequestMessage(correction, request.fields.fields(), request.texts)
        repeated = AIMessage(_repeated_text(first.message))
        second = await self._call(request, [*messages, repeated, retry_message], earlier=first)
        self.ledger.mark_billed(request.run, first, second)
        usage = add_usage(first.usage, second.usage)
        try:
            value = parse_reply(second.message.text, schema, request.text)
            return Answer(value, usage, time.perf_counter() - began, _reply_notes(request, second, value))
        except ReplyError as fault:
            model_name = model_display_name(request.model_id)
            problem = f"{model_name} gave no usable reply as {request.role} in two attempts: {fault}"
            failure = ReplyError(f"{problem}{ending_text(second.message)}")
            failure.notes = _notes(second)
            raise _with_usage(failure, usage) from None

    async def _call(
        self, request: Request, messages: list[AnyMessage], earlier: LedgerReply | None = None
    ) -> LedgerReply:
        model = self._models.get(request.model_id)
        if model is None:
            model = await asyncio.to_thread(self.model, request.model_id)
        call = ModelCall(model, request.model_id, request.role, request.run, request.rollout, messages)
        try:
            self._failed.check(request.run, request.model_id, messages)
            return await self.ledger.call(call, _span_config(request))
        except ModelError as fault:
            self._failed.remember(request.run, request.model_id, messages, fault)
            usage = fault.usage or NO_USAGE
            if earlier:
                self.ledger.mark_billed(request.run, earlier)
                usage = add_usage(earlier.usage, usage)
            raise _with_usage(fault, usage) from fault.__cause__

    def close(self) -> None:
        """Close the ledger; the next use opens it again."""
        if self._ledger is not None:
            self._ledger.close()


def _span_config(request: Request) -> RunnableConfig:
    """How a trace names a call: by its role (or label) and its model."""
    label = request.label or request.role
    name = f"{label}: {model_display_name(request.model_id)}"
    return {"run_name": name, "tags": [label], "metadata": {"model": request.model_id}}


async def _within(
    seconds: float | None, request: Request, once: Callable[[Request], Awaitable[Answer[_Value]]]
) -> Answer[_Value]:
    """Ask once, for at most `seconds`.

    Raises:
        ModelError: the model failed, or did not answer in time.
    """
    try:
        async with asyncio.timeout(seconds) as limit:
            return await once(request)
    except TimeoutError:
        if not limit.expired():
            raise
        problem = f"{model_display_name(request.model_id)} gave no answer as {request.role} within {seconds:g} s"
        raise ModelError(f"{problem}: raise node_seconds, or name another model.") from None


def _notes(reply: LedgerReply) -> list[str]:
    return list(reply.message.response_metadata.get("notes") or [])


def _reply_notes(request: Request, reply: LedgerReply, value: ModelReply) -> list[str]:
    prefix = f"{model_display_name(request.model_id)} as {request.role}: "
    return [*_notes(reply), *(prefix + note for note in value.notes)]


def _repeated_text(message: AIMessage) -> str:
    """A reply as it is sent back to its model: without thinking, and cut if it is long."""
    text = split_thinking(message.text).answer or message.text
    if len(text) > _LONGEST_REPEATED_REPLY:
        return f"{text[:_LONGEST_REPEATED_REPLY]} […]"
    return text


def _with_usage(fault: ModelError, usage: Usage) -> ModelError:
    fault.usage = usage
    return fault
