"""Where the nodes ask: a role's request in, a validated answer with its bill out, every call through the ledger."""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any, Generic, Literal, TypeVar

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, AnyMessage

import prompts
from aurelia_core.errors import InputError, ModelError, ReplyError
from aurelia_core.media import ClipStore
from aurelia_core.models.call_ledger import Call, Ledger
from aurelia_core.models.call_ledger import Reply as Paid
from aurelia_core.models.messages import RequestMessage, compose
from aurelia_core.models.registry import Provider, make_model, shown
from aurelia_core.models.registry import providers as known_providers
from aurelia_core.models.replies import LONGEST_REPLY, Reply, read
from aurelia_core.settings import Settings
from aurelia_core.types import NO_USAGE, Role, Sense, Usage, add_usage

R = TypeVar("R", bound=Reply)
V = TypeVar("V")
SEEING: tuple[Role, ...] = ("generator", "evaluator", "target")


@dataclass(frozen=True, slots=True)
class Request:
    """What a role is asked.

    Attributes:
        role: who is asked.
        spec: the model, `provider:model`.
        text: the role's prompt, filled.
        fields: the same as data.
        run: names the run that pays.
        rollout: number of the independent repetition.
        sees_clip: whether the clip stands before the text.
        fallback: what is asked instead, once, when the model fails for good.
    """

    role: Role | Literal["describer", "judge"]
    spec: str
    text: str
    fields: dict[str, Any]
    run: str
    rollout: int
    sees_clip: bool
    fallback: "Request | None" = None


@dataclass(frozen=True, slots=True)
class Answer(Generic[V]):
    """A usable answer.

    Attributes:
        value: what was answered.
        usage: what it cost this run.
        seconds: how long it took.
        notes: for the result: what stood for what, and who for whom.
        by_fallback: whether the fallback gave it.
    """

    value: V
    usage: Usage
    seconds: float
    notes: list[str] = field(default_factory=list)
    by_fallback: bool = False


class Desk:
    """The models, the clip store and the ledger of one process, each made when first needed."""

    def __init__(
        self,
        settings: Settings | None = None,
        *,
        providers: Mapping[str, Provider] | None = None,
        store: ClipStore | None = None,
        ledger: Ledger | None = None,
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
    def ledger(self) -> Ledger:
        """The call ledger."""
        if self._ledger is None:
            self._ledger = Ledger(self.settings.ledger_file)
        return self._ledger

    def model(self, spec: str) -> BaseChatModel:
        """The model that `spec` names, made once.

        Raises:
            InputError: there is no such model.
        """
        if spec not in self._models:
            self._models[spec] = make_model(spec, self.store, self._providers)
        return self._models[spec]

    def ready(self, asked: Sequence[tuple[Role, str]], fields: Mapping[str, Any], describer: str | None = None) -> None:
        """Makes every model of a run, and lets those that know refuse the clip, before anything is paid for.

        Args:
            asked: each role with a model that it may be played by, `provider:model`, fallbacks included.
            fields: those of every request that carries the clip.
            describer: the model that writes of sound or picture that others cannot take.

        Raises:
            InputError: there is no such model, its key is missing or wrong, it lacks a package, or it cannot carry the
                clip (or, for the describer, what it is to write of).
        """
        specs = [spec for _, spec in asked]
        for role, spec in asked:
            if refuse := getattr(self.model(spec), "refuse", None):
                refuse(fields, role in SEEING)
        for sense in self.lacking(asked, fields) if describer else []:
            specs.append(self._able(describer or "", sense, fields))
        for spec in dict.fromkeys(specs):
            if look_up := getattr(self.model(spec), "look_up", None):
                look_up()

    def lacking(self, asked: Sequence[tuple[Role, str]], fields: Mapping[str, Any]) -> list[Sense]:
        """What of the clip some role that is shown it cannot take: sound, picture, both or none.

        Raises:
            InputError: there is no such model.
        """
        models = [self.model(spec) for role, spec in asked if role in SEEING]
        missed = {sense for model in models if (lacks := getattr(model, "lacks", None)) for sense in lacks(fields)}
        senses: tuple[Sense, ...] = ("sound", "picture")
        return [sense for sense in senses if sense in missed]

    def _able(self, describer: str, sense: Sense, fields: Mapping[str, Any]) -> str:
        if describer.startswith("offline:"):
            raise InputError(
                f'{describer} describes nothing in words: say when_deaf = "evidence" for what it measures.'
            )
        model = self.model(describer)
        if (lacks := getattr(model, "lacks", None)) and sense in lacks(fields):
            raise InputError(
                f"{describer} cannot describe the {sense}, because it does not take it: name another model."
            )
        if refuse := getattr(model, "refuse", None):
            refuse({**fields, "only": sense}, True)
        return describer

    async def say(self, request: Request) -> Answer[str]:
        """Asks for plain text.

        Raises:
            ModelError: neither the model nor its fallback answered, or answered with anything.
        """
        return await self._or_fallback(request, self._say)

    async def ask(self, request: Request, schema: type[R]) -> Answer[R]:
        """Asks for an answer that satisfies `schema`; one that does not is sent back once with what is wrong.

        The JSON schema rides in the request's fields, for an adapter whose provider can enforce one.

        Raises:
            ModelError: the model did not answer, or (ReplyError) not in the form asked for, nor did its fallback;
                `usage` is what was spent.
        """
        return await self._or_fallback(request, lambda one: self._ask(one, schema))

    async def _or_fallback(self, request: Request, once: Callable[[Request], Awaitable[Answer[V]]]) -> Answer[V]:
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
        who = f"{shown(instead.spec)} answered as {request.role} in the place of {shown(request.spec)}"
        note = f"{who}, which failed: {failed}"
        usage, seconds = add_usage(spent, answer.usage), time.perf_counter() - began
        return replace(answer, usage=usage, seconds=seconds, notes=[note, *answer.notes], by_fallback=True)

    async def _say(self, request: Request) -> Answer[str]:
        began = time.perf_counter()
        reply = await self._call(request, compose(request.text, request.fields, sees_clip=request.sees_clip))
        self.ledger.settle(request.run, reply)
        if not (text := reply.message.text.strip()):
            raise _having_spent(
                reply.usage, ReplyError(f"{shown(request.spec)} answered with nothing as {request.role}.")
            )
        if len(text) > LONGEST_REPLY:
            said = f"{shown(request.spec)} answered with {len(text)} characters as {request.role}"
            raise _having_spent(reply.usage, ReplyError(f"{said}: at most {LONGEST_REPLY} are read."))
        return Answer(text, reply.usage, time.perf_counter() - began, _notes(reply))

    async def _ask(self, request: Request, schema: type[R]) -> Answer[R]:
        began = time.perf_counter()
        request = replace(request, fields={**request.fields, "schema": json.loads(_schema_text(schema))})
        messages = compose(request.text, request.fields, sees_clip=request.sees_clip)
        first = await self._call(request, messages)
        try:
            value = read(first.message.text, schema)
            self.ledger.settle(request.run, first)
            return Answer(value, first.usage, time.perf_counter() - began, _notes(first))
        except ReplyError as fault:
            again = RequestMessage(prompts.fill("again", fault=str(fault)), request.fields)
        second = await self._call(request, [*messages, AIMessage(first.message.text), again], spent=first)
        self.ledger.settle(request.run, first, second)
        usage = add_usage(first.usage, second.usage)
        try:
            return Answer(read(second.message.text, schema), usage, time.perf_counter() - began, _notes(second))
        except ReplyError as fault:
            said = f"{shown(request.spec)} gave no usable reply as {request.role}, asked twice: {fault}"
            raise _having_spent(usage, ReplyError(said)) from None

    async def _call(self, request: Request, messages: list[AnyMessage], spent: Paid | None = None) -> Paid:
        model = await asyncio.to_thread(self.model, request.spec)
        call = Call(model, request.spec, request.role, request.run, request.rollout, messages)
        try:
            return await self.ledger.call(call, {"tags": [request.role], "metadata": {"model": request.spec}})
        except ModelError as fault:
            if spent:
                self.ledger.settle(request.run, spent)
            usage = add_usage(spent.usage if spent else NO_USAGE, fault.usage or NO_USAGE)
            raise _having_spent(usage, fault) from fault.__cause__

    def close(self) -> None:
        """Closes the ledger; it opens again when needed."""
        if self._ledger is not None:
            self._ledger.close()


@cache
def _schema_text(schema: type[Reply]) -> str:
    # Making a schema takes milliseconds, reading its text does not.
    return json.dumps(schema.model_json_schema())


def _notes(reply: Paid) -> list[str]:
    return list(reply.message.response_metadata.get("notes") or [])


def _having_spent(usage: Usage, fault: ModelError) -> ModelError:
    fault.usage = usage
    return fault
