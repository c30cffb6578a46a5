"""OpenAI's chat completions, and every compatible server, as a chat model for any role.

It uses chat completions only, because the Responses API drops sound without an error. It does not retry (the ledger
does) and does not stream (a streamed request would hold references instead of media). Traces show references.
"""

import asyncio
import json
from collections.abc import Mapping
from typing import Any

import openai
from langchain_core.callbacks import AsyncCallbackManagerForLLMRun, CallbackManagerForLLMRun
from langchain_core.messages import BaseMessage
from langchain_core.outputs import ChatResult
from langchain_openai import ChatOpenAI
from pydantic import Field, PrivateAttr, SecretStr

from aurelia_core.errors import AureliaError, ModelError, SettingsError
from aurelia_core.models.base import ClipModel
from aurelia_core.models.call_ledger import message_usage
from aurelia_core.models.capabilities import StructuredOutput, TokenPrice, call_cost
from aurelia_core.models.media_request import MediaRequest
from aurelia_core.models.openai.content import ContentBuilder, MediaLimits, WireMessages
from aurelia_core.models.provider_errors import as_model_error, error_text
from aurelia_core.models.requests import ClipRequest, RoleRequest, request_of
from aurelia_core.types import Sense

_LOOKUP_SECONDS = 20.0
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
        hosted: whether OpenAI serves it (also through a proxy): then key and model name are checked before the first
            clip is sent, and all requests on a clip have the same prompt cache key.
    """

    clips: Any = Field(exclude=True, repr=False)
    limits: MediaLimits
    structured: StructuredOutput
    price: TokenPrice
    key_name: str
    hosted: bool
    _builder: ContentBuilder = PrivateAttr()
    _looked_up: bool = PrivateAttr(default=False)

    def model_post_init(self, context: Any, /) -> None:
        """Create the builder, which caches encoded clips."""
        super().model_post_init(context)
        self._builder = ContentBuilder(self.clips, self.limits)

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
        return params

    def check_clip(self, media: MediaRequest, *, sees_clip: bool) -> None:
        """Refuse a clip that the model does not accept, before the first paid call."""
        self._builder.check_clip(media, sees_clip=sees_clip)

    def missing_modalities(self, media: MediaRequest) -> list[Sense]:
        """The senses of the clip that the model does not accept: picture, sound."""
        return self._builder.missing_modalities(media)

    def check_credentials(self) -> None:
        """Ask once whether key and model name are valid; ignore other errors, a call reports them.

        Raises:
            InputError: the key is not accepted, or the model does not exist.
        """
        if self._looked_up or not self.hosted:
            return
        try:
            self.root_client.models.retrieve(self.model_name, timeout=_LOOKUP_SECONDS)
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
                await self.root_async_client.models.retrieve(self.model_name, timeout=_LOOKUP_SECONDS)
        except openai.OpenAIError as fault:
            self._check_lookup_error(fault)
        self._looked_up = True
        try:
            options = {**self._body_options(messages), **kwargs}
            result = await super()._agenerate(wire.messages, stop, run_manager, **options)
        except Exception as fault:
            raise self._typed_error(fault) from None
        return self._checked(result, wire, messages)

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
        try:
            options = {**self._body_options(messages), **kwargs}
            result = super()._generate(wire.messages, stop, run_manager, **options)
        except Exception as fault:
            raise self._typed_error(fault) from None
        return self._checked(result, wire, messages)

    def _body_options(self, messages: list[BaseMessage]) -> dict[str, Any]:
        """The form of the reply, in the raw body: the client's own option raises on an invalid, billed reply."""
        request = request_of(messages)
        body: dict[str, Any] = {}
        if request.schema and (form := response_format(request.schema, self.structured)):
            body["response_format"] = form
        if self.hosted and isinstance(request, ClipRequest) and request.media:
            body["prompt_cache_key"] = request.media.clip["id"][:32]
        if not body:
            return {}
        return {"extra_body": body}

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

    def _checked(self, result: ChatResult, wire: WireMessages, messages: list[BaseMessage]) -> ChatResult:
        """The result with its cost, uploads and notes.

        Raises:
            ModelError: the reply is empty or truncated; its `usage` is that of the reply.
        """
        message: Any = result.generations[0].message
        if not message.content and (refusal := message.additional_kwargs.get("refusal")):
            message.content = refusal
        ended = str((result.generations[0].generation_info or {}).get("finish_reason") or "none")
        tier = (result.llm_output or {}).get("service_tier")
        cost = call_cost(self.price, message.usage_metadata, tier)
        if cost is not None:
            message.response_metadata["cost_usd"] = cost
        message.response_metadata |= {"media_uploads": wire.media_count, "notes": wire.notes}
        if fault := self._reply_fault(message.text, ended, request_of(messages)):
            fault.usage = message_usage(message)
            raise fault
        return result

    def _reply_fault(self, text: str, ended: str, request: RoleRequest) -> ModelError | None:
        """The error of an empty or truncated reply; a truncated JSON object is left to `parse_reply`."""
        if not text.strip():
            problem = f"{self.limits.model_id} sent an empty reply (finish reason {ended}). {_REMEDIES.get(ended, '')}"
            return ModelError(problem.strip(), transient=ended not in _REMEDIES)
        if ended == "length" and request.schema is None:
            return ModelError(
                f"{self.limits.model_id} gave an incomplete reply (finish reason length): it reached its output limit;"
                " choose a model with a larger one."
            )
        return None


# Keywords of OpenAI's strict mode; `parse_reply` validates bounds.
_STRICT_KEYWORDS = frozenset(
    {"type", "enum", "const", "anyOf", "items", "properties", "$ref", "$defs", "title", "description"}
)
_UNSUPPORTED_KEYWORDS = ("oneOf", "allOf", "not", "patternProperties", "prefixItems", "if")


def response_format(schema: Mapping[str, Any], mode: str) -> dict[str, Any] | None:
    """OpenAI's `response_format` for a reply.

    Args:
        schema: the JSON schema of the reply.
        mode: json_schema, json_object or none: the form that the provider can enforce.

    Returns:
        The strict schema if there is one, otherwise the schema unchanged; None for mode none.
    """
    if mode == "none":
        return None
    if mode == "json_object":
        return {"type": "json_object"}
    strict = strict_schema(schema)
    named = {"name": str(schema.get("title", "reply"))[:64], "schema": strict or schema, "strict": strict is not None}
    return {"type": "json_schema", "json_schema": named}


def strict_schema(schema: Mapping[str, Any]) -> dict[str, Any] | None:
    """The schema in strict form (all properties required, no others, no bounds); None if that is impossible."""
    try:
        strict = _strict(schema)
    except _NotStrict:
        return None
    if not isinstance(strict, dict) or strict.get("type") != "object":
        return None
    return strict


class _NotStrict(Exception):
    """The schema has objects of unknown form, or combines schemas in a way that strict mode does not support."""


def _strict(schema: Any) -> Any:
    if not isinstance(schema, dict) or any(name in schema for name in _UNSUPPORTED_KEYWORDS):
        raise _NotStrict
    if "$ref" in schema:
        return {"$ref": schema["$ref"]}
    strict: dict[str, Any] = {name: value for name, value in schema.items() if name in _STRICT_KEYWORDS}
    for name in ("properties", "$defs"):
        if name in strict:
            strict[name] = {key: _strict(part) for key, part in strict[name].items()}
    if "anyOf" in strict:
        strict["anyOf"] = [_strict(part) for part in strict["anyOf"]]
    if "items" in strict:
        strict["items"] = _strict(strict["items"])
    if strict.get("type") == "object":
        if "properties" not in strict or schema.get("additionalProperties"):
            raise _NotStrict
        strict |= {"required": list(strict["properties"]), "additionalProperties": False}
    return strict
