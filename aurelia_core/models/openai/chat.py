"""OpenAI's chat completions, and every server that speaks them, as a chat model for any role.

Chat completions only: the Responses API drops sound without a word. It never retries (the ledger does), never streams
(a streamed request would go out with references instead of media), and its traces show references.
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
    "length": "Its output limit left no room for one; choose a model with a larger one.",
    "content_filter": "Its content filter stopped it; choose another model for this clip or question.",
}


class ChatCompletions(ClipModel, ChatOpenAI):
    """A chat model behind `/v1/chat/completions`.

    Attributes:
        clips: the `aurelia_core.media` ClipStore that the clips of requests are read from.
        limits: what the model takes of a clip, and in which parts.
        structured: what its provider can enforce on a reply.
        price: what its tokens cost.
        key_name: the environment variable that its key came from, for messages.
        hosted: whether OpenAI runs it (or stands behind the address): then key and model name are looked up before the
            first clip goes out, and requests on one clip are marked as belonging together for its prompt cache.
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
        """Makes what keeps the encoded clips."""
        super().model_post_init(context)
        self._builder = ContentBuilder(self.clips, self.limits)

    @classmethod
    def is_lc_serializable(cls) -> bool:
        """False: a clip store cannot be rebuilt from a trace."""
        return False

    @property
    def _identifying_params(self) -> dict[str, Any]:
        """What decides a reply beside the messages: what is given to the model, and whose server it is on."""
        address = {} if self.hosted else {"address": self.openai_api_base}
        told = {"sees": self.limits.sees, "sound": self.limits.sound, "structured": self.structured}
        return {**super()._identifying_params, **told, **address}

    def check_clip(self, media: MediaRequest, *, sees_clip: bool) -> None:
        """Refuses, before a run pays for anything, what the model cannot carry."""
        self._builder.check_clip(media, sees_clip=sees_clip)

    def missing_modalities(self, media: MediaRequest) -> list[Sense]:
        """Which of the clip's senses the model cannot take: picture, sound."""
        return self._builder.missing_modalities(media)

    def check_credentials(self) -> None:
        """Asks once whether key and model name are good; whatever else it meets, a call will tell better.

        Raises:
            InputError: the key is not accepted, or there is no such model.
        """
        if self._looked_up or not self.hosted:
            return
        try:
            self.root_client.models.retrieve(self.model_name, timeout=_LOOKUP_SECONDS)
            self._looked_up = True
        except openai.OpenAIError as fault:
            self._judge_lookup(fault)

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
            self._judge_lookup(fault)
        self._looked_up = True
        try:
            how = {**self._how(messages), **kwargs}
            result = await super()._agenerate(wire.messages, stop, run_manager, **how)
        except Exception as fault:
            raise self._typed(fault) from None
        return self._billed(result, wire, messages)

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
            result = super()._generate(wire.messages, stop, run_manager, **{**self._how(messages), **kwargs})
        except Exception as fault:
            raise self._typed(fault) from None
        return self._billed(result, wire, messages)

    def _how(self, messages: list[BaseMessage]) -> dict[str, Any]:
        """The form of the reply. In the raw body, since the client's own way raises on a reply that was paid for."""
        request = request_of(messages)
        body: dict[str, Any] = {}
        if request.schema and (form := response_format(request.schema, self.structured)):
            body["response_format"] = form
        if self.hosted and isinstance(request, ClipRequest) and request.media:
            body["prompt_cache_key"] = request.media.clip["id"][:32]
        return {"extra_body": body} if body else {}

    def _judge_lookup(self, fault: openai.OpenAIError) -> None:
        """Ends on a wrong key or an unknown model; whatever else the lookup met, the call itself will tell better."""
        if isinstance(fault, openai.AuthenticationError):
            raise self._wrong_key() from None
        if isinstance(fault, openai.NotFoundError) and fault.code == "model_not_found":
            raise SettingsError(
                f"There is no model {self.limits.model_id} for this key (status 404): check the model's name."
            ) from None

    def _typed(self, fault: Exception) -> AureliaError:
        """The fault as one of ours; a provider's words are not passed on where they repeat the key."""
        if isinstance(fault, openai.AuthenticationError):
            return self._wrong_key()
        model_id = self.limits.model_id
        if isinstance(fault, json.JSONDecodeError):
            return ModelError(
                f"{model_id} sent a reply that breaks off or is no JSON; try again later.", transient=True
            )
        found = as_model_error(fault, model_id)
        key = self.openai_api_key.get_secret_value() if isinstance(self.openai_api_key, SecretStr) else ""
        if key and key in error_text(fault) and isinstance(found, ModelError):
            said = f"{model_id} did not answer; what it says holds the key and is not shown here."
            return ModelError(said, transient=found.transient, retry_after=found.retry_after, status=found.status)
        return found

    def _wrong_key(self) -> SettingsError:
        # The provider's own sentence repeats a part of the key.
        return SettingsError(f"{self.limits.model_id} refused the key (status 401): check {self.key_name}.")

    def _billed(self, result: ChatResult, wire: WireMessages, messages: list[BaseMessage]) -> ChatResult:
        message: Any = result.generations[0].message
        if not message.content and (refusal := message.additional_kwargs.get("refusal")):
            message.content = refusal
        ended = str((result.generations[0].generation_info or {}).get("finish_reason") or "none")
        told = result.llm_output or {}
        price = call_cost(self.price, message.usage_metadata, told.get("service_tier"))
        if price is not None:
            message.response_metadata["cost_usd"] = price
        message.response_metadata |= {"media_uploads": wire.media, "notes": wire.notes}
        if fault := self._no_reply(message.text, ended, request_of(messages)):
            fault.usage = message_usage(message)
            raise fault
        return result

    def _no_reply(self, text: str, ended: str, request: RoleRequest) -> ModelError | None:
        """Why a text is no reply; half of a JSON object shows by itself, and is asked for again."""
        if not text.strip():
            said = f"{self.limits.model_id} sent an empty reply (finish reason {ended}). {_REMEDIES.get(ended, '')}"
            return ModelError(said.strip(), transient=ended not in _REMEDIES)
        if ended == "length" and request.schema is None:
            return ModelError(
                f"{self.limits.model_id} ended without a whole reply (finish reason length): its output limit cut it off;"
                " choose a model with a larger one."
            )
        return None


# What OpenAI's strict mode takes; bounds and defaults are left to our own validation of the reply.
_KEPT = frozenset({"type", "enum", "const", "anyOf", "items", "properties", "$ref", "$defs", "title", "description"})
_OPEN = ("oneOf", "allOf", "not", "patternProperties", "prefixItems", "if")


def response_format(schema: Mapping[str, Any], mode: str) -> dict[str, Any] | None:
    """OpenAI's `response_format` for a reply.

    Args:
        schema: the JSON schema of the reply.
        mode: json_schema, json_object or none: what the model's provider can enforce.

    Returns:
        The strict schema where the schema allows it, the schema as it is where not; None for mode none.
    """
    if mode == "none":
        return None
    if mode == "json_object":
        return {"type": "json_object"}
    strict = strict_schema(schema)
    named = {"name": str(schema.get("title", "reply"))[:64], "schema": strict or schema, "strict": strict is not None}
    return {"type": "json_schema", "json_schema": named}


def strict_schema(schema: Mapping[str, Any]) -> dict[str, Any] | None:
    """The schema with every property required, nothing else admitted, and no bounds; None where it cannot be so."""
    try:
        strict = _strict(schema)
    except _NotStrict:
        return None
    return strict if isinstance(strict, dict) and strict.get("type") == "object" else None


class _NotStrict(Exception):
    """The schema admits objects of unknown form, or combines schemas in a way that strict mode does not take."""


def _strict(schema: Any) -> Any:
    if not isinstance(schema, dict) or any(name in schema for name in _OPEN):
        raise _NotStrict
    if "$ref" in schema:
        return {"$ref": schema["$ref"]}
    found: dict[str, Any] = {name: value for name, value in schema.items() if name in _KEPT}
    for name in ("properties", "$defs"):
        if name in found:
            found[name] = {key: _strict(part) for key, part in found[name].items()}
    if "anyOf" in found:
        found["anyOf"] = [_strict(part) for part in found["anyOf"]]
    if "items" in found:
        found["items"] = _strict(found["items"])
    if found.get("type") == "object":
        if "properties" not in found or schema.get("additionalProperties"):
            raise _NotStrict
        found |= {"required": list(found["properties"]), "additionalProperties": False}
    return found
