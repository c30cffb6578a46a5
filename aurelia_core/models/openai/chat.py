"""OpenAI's chat completions, and every compatible server, as a chat model for any role.

It uses chat completions only, because the Responses API drops sound without an error. It does not retry (the ledger
does), and streams only from a service that demands it. What a server refused is asked again in a simpler manner, once
(`concessions`). Traces show references.
"""

import asyncio
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any

import openai
from langchain_core.callbacks import AsyncCallbackManagerForLLMRun, CallbackManagerForLLMRun
from langchain_core.messages import BaseMessage
from langchain_core.outputs import ChatResult
from langchain_openai import ChatOpenAI
from pydantic import Field, PrivateAttr, SecretStr

from aurelia_core.errors import AureliaError, ModelError, SettingsError
from aurelia_core.models.answered_by import is_other_model
from aurelia_core.models.base import ClipModel
from aurelia_core.models.call_ledger import message_usage
from aurelia_core.models.capabilities import StructuredOutput, TokenPrice, call_cost, ending_note, find_capability
from aurelia_core.models.measured_text import evidence_params
from aurelia_core.models.media_request import MediaRequest
from aurelia_core.models.openai.concessions import Concessions, Manner, folded
from aurelia_core.models.openai.content import ContentBuilder, MediaLimits, WireMessages
from aurelia_core.models.openai.reply_format import response_format
from aurelia_core.models.openai.stream import StreamedReply
from aurelia_core.models.provider_errors import as_model_error, body_error, error_text
from aurelia_core.models.reply_ending import quoted_start
from aurelia_core.models.requests import ClipRequest, RoleRequest, request_of
from aurelia_core.types import Sense, Window

_LOOKUP_SECONDS = 20.0
_MOST_CONCESSIONS = 6
_CARRIED = frozenset({"system", "temperature", "top_p", "max_tokens", "seed", "thinking_level", "detail"})
_CARRIED_BY_SERVERS = _CARRIED | {"repetition_penalty", "thinking", "mm_processor_kwargs"}
_BODY_NAMES = {"thinking_level": "reasoning_effort"}
_REMEDIES = {
    "length": "It reached its output limit; choose a model with a larger one.",
    "content_filter": "Its content filter stopped the reply; choose another model for this clip or question.",
}


class ChatCompletions(ClipModel, ChatOpenAI):
    """A chat model behind `/v1/chat/completions`.

    Attributes:
        clips: the `aurelia_core.media` ClipStore with the clips of requests.
        limits: the parts and limits of a clip in a request.
        structured: the form that its provider can enforce on a reply.
        price: price of its tokens.
        key_name: the environment variable with its key, for messages.
        structured_setting: the variable that names `structured`; empty: there is none.
        hosted: whether OpenAI serves it (also through a proxy): then key and model name are checked before the first
            clip is sent, and all requests on a clip have the same prompt cache key.
    """

    clips: Any = Field(exclude=True, repr=False)
    limits: MediaLimits
    structured: StructuredOutput
    price: TokenPrice
    key_name: str
    hosted: bool
    structured_setting: str = ""
    _builder: ContentBuilder = PrivateAttr()
    _concessions: Concessions = PrivateAttr()
    _looked_up: bool = PrivateAttr(default=False)
    _ends: date | None = PrivateAttr(default=None)

    def model_post_init(self, context: Any, /) -> None:
        """Create the builder, which caches encoded clips."""
        super().model_post_init(context)
        self._builder = ContentBuilder(self.clips, self.limits)
        self._concessions = Concessions(self.limits.model_id, self.structured, self.structured_setting)

    @classmethod
    def is_lc_serializable(cls) -> bool:
        """False: a clip store cannot be serialized."""
        return False

    @property
    def _identifying_params(self) -> dict[str, Any]:
        """Everything besides the messages that determines a reply: settings, media parts, and the server's address."""
        params = {
            **super()._identifying_params,
            "sees": self.limits.sees,
            "sound": self.limits.sound,
            "structured": self.structured,
        }
        if not self.hosted:
            params["address"] = self.openai_api_base
        if self.limits.own_sound:
            params["own_sound"] = True
        if self.limits.sound == "none":
            params |= evidence_params()
        return params

    def check_clip(self, media: MediaRequest, *, sees_clip: bool) -> None:
        """Refuse a clip that the model does not accept, before the first paid call."""
        self._builder.check_clip(media, sees_clip=sees_clip)

    def shifts_frames(self, media: MediaRequest) -> bool:
        """Whether the clip is sent as frames; a server that gets the file takes its frames by itself."""
        return self._builder.sends_frames(media)

    def missing_modalities(self, media: MediaRequest) -> list[Sense]:
        """The senses of the clip that the model does not accept: picture, sound."""
        return self._builder.missing_modalities(media)

    def clip_tokens(
        self, media: MediaRequest, decoding: Mapping[str, Any], windows: Sequence[Window] = ()
    ) -> int | None:
        """About how many input tokens the clip costs in one request; None: unknown."""
        return self._builder.count_tokens(media, decoding, windows)

    @property
    def context_tokens(self) -> int | None:
        """The largest input of the model, tokens; None: unknown."""
        return self.limits.context

    @property
    def decoding_settings(self) -> frozenset[str]:
        """The decoding settings that the protocol carries; servers of one's own take some more."""
        return _CARRIED if self.hosted else _CARRIED_BY_SERVERS

    def check_credentials(self) -> None:
        """Ask once whether key and model name are valid; ignore other errors, a call reports them.

        Raises:
            InputError: the key is not accepted, or the model does not exist.
        """
        if self._looked_up or not self.hosted:
            return
        try:
            self._note_end(self.root_client.models.retrieve(self.model_name, timeout=_LOOKUP_SECONDS))
            self._looked_up = True
        except openai.OpenAIError as fault:
            self._check_lookup_error(fault)

    async def _agenerate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        wire = await asyncio.to_thread(self._builder.build, messages)
        try:
            if not self._looked_up and self.hosted:
                found = await self.root_async_client.models.retrieve(self.model_name, timeout=_LOOKUP_SECONDS)
                self._note_end(found)
        except openai.OpenAIError as fault:
            self._check_lookup_error(fault)
        self._looked_up = True
        for _ in range(_MOST_CONCESSIONS):
            manner = self._concessions.manner
            sent = folded(wire.messages) if manner.folds_system else wire.messages
            options = {**self._body_options(messages, manner), **kwargs}
            try:
                if manner.streams:
                    result = await self._astreamed(sent, stop, options)
                else:
                    result = await super()._agenerate(sent, stop, run_manager, **options)
                return self._checked(result, wire, messages, manner)
            except Exception as fault:
                self._concede(fault, manner, messages)
        raise ModelError(f"{self.limits.model_id} refused the request in every form.", status=400)

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        wire = self._builder.build(messages)
        self.check_credentials()
        self._looked_up = True
        for _ in range(_MOST_CONCESSIONS):
            manner = self._concessions.manner
            sent = folded(wire.messages) if manner.folds_system else wire.messages
            options = {**self._body_options(messages, manner), **kwargs}
            try:
                result = super()._generate(sent, stop, run_manager, **options)
                return self._checked(result, wire, messages, manner)
            except Exception as fault:
                self._concede(fault, manner, messages)
        raise ModelError(f"{self.limits.model_id} refused the request in every form.", status=400)

    async def _astreamed(self, messages: list[BaseMessage], stop: list[str] | None, options: Any) -> ChatResult:
        """The reply of a service that answers only as a stream."""
        payload = {**self._get_request_payload(messages, stop=stop, **options), "stream": True}
        payload["stream_options"] = {"include_usage": True}
        reply = StreamedReply()
        async for chunk in await self.async_client.create(**payload):
            reply.add(chunk.model_dump())
        return self._create_chat_result(reply.whole())

    def _concede(self, fault: Exception, manner: Manner, messages: list[BaseMessage]) -> None:
        """Return if the request should be sent again in a simpler manner; otherwise raise its error."""
        if not self._concessions.concede(fault, manner, has_schema=bool(request_of(messages).schema)):
            raise self._typed_error(fault) from None

    def _create_chat_result(self, response: Any, generation_info: dict[str, Any] | None = None) -> ChatResult:
        """The reply; an error in its body is that error, and a reply that is only thinking is marked.

        Raises:
            ModelError: the body holds an error, or no choice.
        """
        body = response
        if isinstance(response, openai.BaseModel):
            body = response.model_dump(exclude={"choices": {"__all__": {"message": {"parsed"}}}}, warnings=False)
        if not isinstance(body, dict):
            return super()._create_chat_result(response, generation_info)
        choices = body.get("choices") or []
        error = body.get("error") or (choices and choices[0].get("error"))
        if error:
            raise body_error(self.limits.model_id, error)
        if not choices or not choices[0].get("message"):
            raise ModelError(f"{self.limits.model_id} sent a reply without a choice; try again later.", transient=True)
        result = super()._create_chat_result(response, generation_info)
        said = choices[0]["message"]
        if said.get("reasoning_content") or said.get("reasoning"):
            result.generations[0].message.additional_kwargs["has_thinking"] = True
        if said.get("refusal"):
            result.generations[0].message.additional_kwargs["refusal"] = said["refusal"]
        return result

    def _body_options(self, messages: list[BaseMessage], manner: Manner) -> dict[str, Any]:
        """Decoding and form of the reply, in the raw body: the client's own option raises on a billed reply."""
        request = request_of(messages)
        body = self._decoding(request)
        if request.schema and (form := response_format(request.schema, manner.structured)):
            body["response_format"] = form
        if self.hosted and isinstance(request, ClipRequest) and request.media:
            body["prompt_cache_key"] = request.media.clip["id"][:32]
        if not body:
            return {}
        return {"extra_body": body}

    def _decoding(self, request: RoleRequest) -> dict[str, Any]:
        """The role's decoding settings as fields of the body."""
        values = {name: value for name, value in (request.decoding or {}).items() if name not in ("system", "detail")}
        if "thinking" in values:
            values["chat_template_kwargs"] = {"enable_thinking": values.pop("thinking")}
        if self.hosted and "max_tokens" in values:
            values["max_completion_tokens"] = values.pop("max_tokens")
        return {_BODY_NAMES.get(name, name): value for name, value in values.items()}

    def _note_end(self, found: Any) -> None:
        """Keep the day on which OpenAI shuts the model down, from the look-up of the model."""
        said = getattr(found, "shutdown_date", None)
        if isinstance(said, int | float):
            self._ends = datetime.fromtimestamp(said, UTC).date()
        elif isinstance(said, str):
            try:
                self._ends = date.fromisoformat(said[:10])
            except ValueError:
                self._ends = None

    def _check_lookup_error(self, fault: openai.OpenAIError) -> None:
        """Raise on a wrong key or an unknown model; ignore other errors of the lookup, the call reports them."""
        if isinstance(fault, openai.AuthenticationError):
            raise self._wrong_key() from None
        if isinstance(fault, openai.NotFoundError) and fault.code == "model_not_found":
            raise SettingsError(
                f"There is no model {self.limits.model_id} for this key (status 404): check the model's name."
            ) from None

    def _typed_error(self, fault: Exception) -> AureliaError:
        """The exception as this project's error; a message that repeats the key is left out."""
        if isinstance(fault, openai.AuthenticationError):
            return self._wrong_key()
        model_id = self.limits.model_id
        if isinstance(fault, json.JSONDecodeError):
            return ModelError(f"{model_id} sent a truncated or broken reply; try again later.", transient=True)
        error = as_model_error(fault, model_id)
        if isinstance(error, ModelError) and error.unreachable and not self.hosted:
            problem = f"{model_id} did not answer ({type(fault).__name__}: {error_text(fault)})"
            remedy = "No answer came from the address in AURELIA_COMPATIBLE_URL: see whether the server runs there"
            return ModelError(f"{problem}. {remedy}.", transient=True, unreachable=True)
        key = ""
        if isinstance(self.openai_api_key, SecretStr):
            key = self.openai_api_key.get_secret_value()
        if key and key in error_text(fault) and isinstance(error, ModelError):
            text = f"{model_id} did not answer; its message contains the key and is not shown."
            return ModelError(text, transient=error.transient, retry_after=error.retry_after, status=error.status)
        return error

    def _wrong_key(self) -> SettingsError:
        # The provider's own message repeats a part of the key.
        return SettingsError(f"{self.limits.model_id} refused the key (status 401): check {self.key_name}.")

    def _checked(
        self, result: ChatResult, wire: WireMessages, messages: list[BaseMessage], manner: Manner
    ) -> ChatResult:
        """The result with its cost, uploads and notes.

        Raises:
            ModelError: the reply is empty or truncated; its `usage` is that of the reply.
        """
        message: Any = result.generations[0].message
        if not message.content and (refusal := message.additional_kwargs.get("refusal")):
            message.content = refusal
        ended = str((result.generations[0].generation_info or {}).get("finish_reason") or "none")
        request = request_of(messages)
        answered = str((result.llm_output or {}).get("model_name") or self.model_name)
        cost = call_cost(self._price(answered), message.usage_metadata, (result.llm_output or {}).get("service_tier"))
        if cost is not None:
            message.response_metadata["cost_usd"] = cost
        notes = [*wire.notes, *self._concessions.notes(manner, has_schema=bool(request.schema))]
        notes += self._model_notes(answered)
        message.response_metadata |= {"media_uploads": wire.media_count, "notes": notes, "model_name": answered}
        if fault := self._reply_fault(message, ended, request):
            fault.usage = message_usage(message)
            raise fault
        return result

    def _price(self, answered: str) -> TokenPrice:
        """The price of the model that answered."""
        if not self.hosted or not is_other_model(self.model_name, answered):
            return self.price
        try:
            return find_capability(f"openai:{answered}").price
        except AureliaError:
            return TokenPrice()

    def _model_notes(self, answered: str) -> list[str]:
        """Whether another model answered, and whether this one ends soon."""
        notes = []
        if is_other_model(self.model_name, answered):
            notes.append(f"{self.limits.model_id} was asked, and {answered} answered.")
        if self._ends and (ending := ending_note(self.limits.model_id, self._ends)):
            notes.append(ending)
        return notes

    def _reply_fault(self, message: Any, ended: str, request: RoleRequest) -> ModelError | None:
        """The error of an empty or truncated reply; a truncated JSON object is left to `parse_reply`."""
        model_id = self.limits.model_id
        if not message.text.strip():
            if message.additional_kwargs.get("has_thinking"):
                remedy = "raise decoding.ROLE.max_tokens, or switch its thinking off"
                problem = f"{model_id} sent only its thinking and no answer (finish reason {ended}): {remedy}."
                return ModelError(problem)
            problem = f"{model_id} sent an empty reply (finish reason {ended}). {_REMEDIES.get(ended, '')}"
            return ModelError(problem.strip(), transient=ended not in _REMEDIES)
        if ended == "length" and request.schema is None:
            return ModelError(
                f"{model_id} gave an incomplete reply (finish reason length): it reached its output limit; choose a"
                f" model with a larger one. It begins {quoted_start(message.text)}"
            )
        return None
