"""Where the nodes ask: a role's request in, a validated answer with its bill out, every call through the ledger."""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Generic, TypeVar

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, AnyMessage

from aurelia_core.errors import InputError, ModelError, ReplyError
from aurelia_core.media import ClipStore
from aurelia_core.models.base import ClipModel, as_clip_model
from aurelia_core.models.call_ledger import CallLedger, ModelCall
from aurelia_core.models.call_ledger import LedgerReply as Paid
from aurelia_core.models.media_request import MediaRequest
from aurelia_core.models.messages import RequestMessage, compose_messages
from aurelia_core.models.registry import Provider, make_model, model_display_name
from aurelia_core.models.registry import known_providers
from aurelia_core.models.replies import MAX_REPLY_BYTES, ModelReply, parse_reply
from aurelia_core.models.request_texts import RequestTexts
from aurelia_core.models.requests import RoleRequest
from aurelia_core.settings import Settings
from aurelia_core.types import NO_USAGE, Role, Sense, Usage, add_usage

_Reply = TypeVar("_Reply", bound=ModelReply)
_Value = TypeVar("_Value")
_ROLES_WITH_CLIP: tuple[Role, ...] = ("generator", "evaluator", "target")


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One call of one role.

    Attributes:
        model_id: the model, `provider:model`.
        text: the role's prompt, filled.
        fields: the same as data; a `ClipRequest` puts the clip before the text.
        texts: the words around the clip.
        run: the run that pays.
        rollout: number of the independent repetition.
        fallback: asked instead, once, when the model fails permanently.
    """

    model_id: str
    text: str
    fields: RoleRequest
    texts: RequestTexts
    run: str
    rollout: int = 0
    fallback: "Request | None" = None

    @property
    def role(self) -> str:
        """Who is asked."""
        return self.fields.role

    def messages(self) -> list[AnyMessage]:
        """The request as messages."""
        return compose_messages(self.text, self.fields, self.texts)


@dataclass(frozen=True, slots=True)
class Answer(Generic[_Value]):
    """A usable answer.

    Attributes:
        value: what was answered.
        usage: what it cost this run.
        seconds: how long it took.
        notes: for the result: what stood for what, and who for whom.
        by_fallback: whether the fallback gave it.
    """

    value: _Value
    usage: Usage
    seconds: float
    notes: list[str] = field(default_factory=list)
    by_fallback: bool = False


class ModelClient:
    """The models, the clip store and the ledger of one process, each made when first needed."""

    def __init__(
        self,
        settings: Settings | None = None,
        *,
        providers: Mapping[str, Provider] | None = None,
        store: ClipStore | None = None,
        ledger: CallLedger | None = None,
    ) -> None:
        """Opens nothing.

        Args:
            settings: the operator's settings (default: those of a server, from the environment).
            providers: further providers by name, beside the built-in ones.
            store: the clips to use (default: those in the settings' home).
            ledger: the ledger to use (default: the one in the settings' home).
        """
        self._settings = settings
        self._providers = {**known_providers(), **(providers or {})}
        self._ledger = ledger
        self._store = store
        self._models: dict[str, BaseChatModel] = {}

    @property
    def settings(self) -> Settings:
        """The operator's settings."""
        if self._settings is None:
            self._settings = Settings.from_environment(local=False)
        return self._settings

    @property
    def store(self) -> ClipStore:
        """The clips."""
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
        """The model that `model_id` names, made once.

        Raises:
            InputError: there is no such model.
        """
        if model_id not in self._models:
            self._models[model_id] = make_model(model_id, self.store, self._providers)
        return self._models[model_id]

    def preflight(self, asked: Sequence[tuple[Role, str]], media: MediaRequest, describer: str | None = None) -> None:
        """Makes every model of a run and checks clip and credentials, before anything is paid for.

        Args:
            asked: each role with a model that may play it, `provider:model`, fallbacks included.
            media: the clip as every role is shown it.
            describer: the model that describes senses that others cannot take.

        Raises:
            InputError: there is no such model, its key is missing or refused, it lacks a package, or it cannot carry
                the clip (the describer: the sense that it has to describe).
        """
        model_ids = [model_id for _, model_id in asked]
        for role, model_id in asked:
            self._adapter(model_id).check_clip(media, sees_clip=role in _ROLES_WITH_CLIP)
        if describer:
            for sense in self.missing_modalities(asked, media):
                self._check_describer(describer, sense, media)
                model_ids.append(describer)
        for model_id in dict.fromkeys(model_ids):
            self._adapter(model_id).check_credentials()

    def missing_modalities(self, asked: Sequence[tuple[Role, str]], media: MediaRequest) -> list[Sense]:
        """The senses of the clip that some role that is shown it cannot take.

        Raises:
            InputError: there is no such model.
        """
        missing: set[Sense] = set()
        for role, model_id in asked:
            if role in _ROLES_WITH_CLIP:
                missing.update(self._adapter(model_id).missing_modalities(media))
        senses: tuple[Sense, ...] = ("sound", "picture")
        return [sense for sense in senses if sense in missing]

    def _adapter(self, model_id: str) -> ClipModel:
        return as_clip_model(self.model(model_id))

    def _check_describer(self, describer: str, sense: Sense, media: MediaRequest) -> None:
        if describer.startswith("offline:"):
            raise InputError(
                f'{describer} cannot describe a clip in words: set unsupported_modality = "evidence" to use what it'
                " measures."
            )
        adapter = self._adapter(describer)
        if sense in adapter.missing_modalities(media):
            raise InputError(
                f"{describer} cannot describe the {sense}, because it does not take it: name another model."
            )
        adapter.check_clip(replace(media, only=sense), sees_clip=True)

    async def complete(self, request: Request) -> Answer[str]:
        """Asks for plain text.

        Raises:
            ModelError: neither the model nor its fallback answered, or answered with anything.
        """
        return await self._or_fallback(request, self._complete)

    async def complete_structured(self, request: Request, schema: type[_Reply]) -> Answer[_Reply]:
        """Asks for an answer that satisfies `schema`; one that does not is sent back once with what is wrong.

        The JSON schema rides in the request's fields, for an adapter whose provider can enforce one.

        Raises:
            ModelError: the model did not answer, or (ReplyError) not in the form asked for, nor did its fallback;
                `usage` is what was spent.
        """
        return await self._or_fallback(request, lambda one: self._complete_structured(one, schema))

    async def _or_fallback(
        self, request: Request, once: Callable[[Request], Awaitable[Answer[_Value]]]
    ) -> Answer[_Value]:
        began = time.perf_counter()
        try:
            return await once(request)
        except ModelError as fault:
            if request.fallback is None:
                raise
            failed, spent = fault, fault.usage or NO_USAGE
        instead = request.fallback
        try:
            answer = await once(instead)
        except ModelError as fault:
            told = ModelError(f"{failed} Its fallback failed too: {fault}")
            raise _having_spent(add_usage(spent, fault.usage or NO_USAGE), told) from fault
        who = f"{model_display_name(instead.model_id)} answered as {request.role} in the place of {model_display_name(request.model_id)}"
        note = f"{who}, which failed: {failed}"
        usage, seconds = add_usage(spent, answer.usage), time.perf_counter() - began
        return replace(answer, usage=usage, seconds=seconds, notes=[note, *answer.notes], by_fallback=True)

    async def _complete(self, request: Request) -> Answer[str]:
        began = time.perf_counter()
        reply = await self._call(request, request.messages())
        self.ledger.mark_billed(request.run, reply)
        if not (text := reply.message.text.strip()):
            raise _having_spent(
                reply.usage,
                ReplyError(f"{model_display_name(request.model_id)} answered with nothing as {request.role}."),
            )
        if len(text) > MAX_REPLY_BYTES:
            said = f"{model_display_name(request.model_id)} answered with {len(text)} characters as {request.role}"
            raise _having_spent(reply.usage, ReplyError(f"{said}: at most {MAX_REPLY_BYTES} are read."))
        return Answer(text, reply.usage, time.perf_counter() - began, _notes(reply))

    async def _complete_structured(self, request: Request, schema: type[_Reply]) -> Answer[_Reply]:
        began = time.perf_counter()
        fields = replace(request.fields, schema=json.loads(_schema_text(schema)))
        request = replace(request, fields=fields)
        messages = request.messages()
        first = await self._call(request, messages)
        try:
            value = parse_reply(first.message.text, schema)
            self.ledger.mark_billed(request.run, first)
            return Answer(value, first.usage, time.perf_counter() - began, _notes(first))
        except ReplyError as fault:
            correction = request.texts.correction(str(fault))
            again = RequestMessage(correction, request.fields.fields(), request.texts)
        second = await self._call(request, [*messages, AIMessage(first.message.text), again], spent=first)
        self.ledger.mark_billed(request.run, first, second)
        usage = add_usage(first.usage, second.usage)
        try:
            return Answer(parse_reply(second.message.text, schema), usage, time.perf_counter() - began, _notes(second))
        except ReplyError as fault:
            said = (
                f"{model_display_name(request.model_id)} gave no usable reply as {request.role}, asked twice: {fault}"
            )
            raise _having_spent(usage, ReplyError(said)) from None

    async def _call(self, request: Request, messages: list[AnyMessage], spent: Paid | None = None) -> Paid:
        model = await asyncio.to_thread(self.model, request.model_id)
        call = ModelCall(model, request.model_id, request.role, request.run, request.rollout, messages)
        try:
            return await self.ledger.call(call, {"tags": [request.role], "metadata": {"model": request.model_id}})
        except ModelError as fault:
            if spent:
                self.ledger.mark_billed(request.run, spent)
            usage = add_usage(spent.usage if spent else NO_USAGE, fault.usage or NO_USAGE)
            raise _having_spent(usage, fault) from fault.__cause__

    def close(self) -> None:
        """Closes the ledger; it opens again when needed."""
        if self._ledger is not None:
            self._ledger.close()


@cache
def _schema_text(schema: type[ModelReply]) -> str:
    # Making a schema takes milliseconds, reading its text does not.
    return json.dumps(schema.model_json_schema())


def _notes(reply: Paid) -> list[str]:
    return list(reply.message.response_metadata.get("notes") or [])


def _having_spent(usage: Usage, fault: ModelError) -> ModelError:
    fault.usage = usage
    return fault
