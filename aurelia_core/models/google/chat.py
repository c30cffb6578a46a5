"""Gemini in any role: `google_genai:MODEL`, with native picture and sound; each content is uploaded once.

A subclass of LangChain's client. It replaces references by media inside its own `_generate`, so that callbacks and
traces see only references. It does not retry (the ledger does), does not stream, and creates no context cache unless a
run requests one: Gemini caches a repeated head implicitly.
"""

import asyncio
import contextvars
import hashlib
import json
import re
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import Any, NamedTuple

from langchain_core.callbacks import AsyncCallbackManagerForLLMRun, CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import BaseMessage, HumanMessage, SystemMessage
from langchain_core.outputs import ChatResult
from langchain_google_genai import ChatGoogleGenerativeAI
from pydantic import PrivateAttr, SecretStr

from aurelia_core.errors import InputError, ModelError
from aurelia_core.media import ClipStore
from aurelia_core.models.answered_by import is_other_model
from aurelia_core.models.base import ClipModel
from aurelia_core.models.google import billing
from aurelia_core.models.google.account import HANDLES_FILE, google_address, google_key, handle_owner
from aurelia_core.models.google.content import (
    GeminiContentBuilder,
    check_modalities,
    check_request_size,
    check_size,
    gemini_capability,
    referenced_media,
)
from aurelia_core.models.google.context_cache import CACHE_LIFETIME_SECONDS, ContextCaches
from aurelia_core.models.google.errors import CacheGone, FileGone, check_reply, typed_errors
from aurelia_core.models.google.files import FileUploads
from aurelia_core.models.media_request import MediaRequest
from aurelia_core.models.media_tokens import check_context, find_media_tokens
from aurelia_core.models.provider_errors import as_model_error
from aurelia_core.models.request_texts import texts_of
from aurelia_core.models.requests import ClipRequest, RoleRequest, request_of
from aurelia_core.types import Usage, Window

_CARRIED = frozenset(
    {"system", "temperature", "top_p", "max_tokens", "seed", "thinking_level", "thinking_budget", "fps"}
    | {"media_resolution"}
)
_NAME = re.compile(r"(models/|tunedModels/)?[A-Za-z0-9][A-Za-z0-9._-]*")
_ANSWER_SECONDS = 300.0
_LOOKUP_SECONDS = 30.0


class _Sending(NamedTuple):
    """One request: the function that sends it, the builder of its content, its messages and its fields."""

    send: Callable[..., ChatResult]
    builder: GeminiContentBuilder
    messages: list[BaseMessage]
    request: RoleRequest


class GeminiChat(ClipModel, ChatGoogleGenerativeAI):
    """A Gemini model that accepts this project's requests; created by `make_gemini`."""

    _store: ClipStore = PrivateAttr()
    _uploads: FileUploads = PrivateAttr()
    _caches: ContextCaches = PrivateAttr()
    _checked: bool = PrivateAttr(default=False)
    _check_lock: Any = PrivateAttr(default_factory=threading.Lock)

    @classmethod
    def is_lc_serializable(cls) -> bool:
        """False: a clip store cannot be serialized."""
        return False

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        check_modalities(self._model_id, self.profile, referenced_media(messages))
        request = request_of(messages)
        decoding = request.decoding or {}
        if isinstance(request, ClipRequest) and request.media:
            tokens = self.clip_tokens(request.media, decoding, request.closer_look)
            check_context(self._model_id, self.context_tokens, tokens)
        options = {**reply_settings(request.schema), **decoding_options(decoding), **kwargs}
        send = partial(super()._generate, stop=stop, run_manager=run_manager, **options)
        builder = GeminiContentBuilder(self._store, self._uploads, decoding.get("fps"))
        sending = _Sending(send, builder, messages, request)
        billing.reset_usage()
        try:
            with typed_errors(self._model_id, self._key):
                self._check()
                result = self._send_with_files(sending)
            check_reply(result, self._model_id)
        except InputError:
            raise
        except Exception as fault:
            error = as_model_error(fault, self._model_id)
            if isinstance(error, ModelError):
                error.usage = self._usage(sending)
            if error is fault:
                raise
            raise error from fault
        answered = self._answered(result)
        self._write_usage(result, self._usage(sending, answered))
        notes = []
        if is_other_model(self.model, answered):
            notes.append(f"{self._model_id} was asked, and {answered} answered.")
        if reason := self._caches.refusal_reason(self._head_key(sending)):
            note = f"{self._model_id} received the whole clip each time, because Google refused a cache of it: {reason}"
            notes.append(note)
        result.generations[0].message.response_metadata |= {"notes": notes, "model_name": answered}
        return result

    async def _agenerate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        # In a thread: reading and uploading clips does not block the event loop, and the client's asynchronous
        # connections would belong to one loop and fail in a second `asyncio.run`.
        return await run_in_daemon_thread(
            partial(contextvars.copy_context().run, self._generate, messages, stop, None, **kwargs)
        )

    @property
    def decoding_settings(self) -> frozenset[str]:
        """The decoding settings that Gemini takes."""
        return _CARRIED

    def _answered(self, result: ChatResult) -> str:
        """The name of the model that answered, from the reply."""
        generation = result.generations[0]
        name = (generation.generation_info or {}).get("model_name") or generation.message.response_metadata.get(
            "model_name"
        )
        return str(name or self.model)

    @property
    def _model_id(self) -> str:
        return f"google_genai:{self.model}"

    @property
    def _key(self) -> str:
        if not self.google_api_key:
            return ""
        return self.google_api_key.get_secret_value()

    def check_clip(self, media: MediaRequest, *, sees_clip: bool) -> None:
        """Refuse a clip that the model does not accept, before the first paid call."""
        if not sees_clip:
            return
        clip, tracks = media.clip, list(media.tracks)
        check_modalities(self._model_id, self.profile, media.arranged.refs)
        builder = GeminiContentBuilder(self._store, self._uploads)
        files = list(tracks)
        if whole := builder.whole_file(clip, tracks):
            # A copy of the streams has a size of its own.
            sent = clip if whole.content == clip["id"] else {**clip, "bytes": whole.size}
            files.insert(0, sent)
        sounds = list(tracks)
        if clip["has_audio"] and not tracks:
            sounds.append(clip)
        check_size(self._model_id, gemini_capability(self.model), files, sounds, self.clip_tokens(media, {}))

    def clip_tokens(
        self, media: MediaRequest, decoding: Mapping[str, Any], windows: Sequence[Window] = ()
    ) -> int | None:
        """About how many input tokens the clip costs in one request; None: unknown."""
        rates = find_media_tokens(self._model_id)
        if rates is None:
            return None
        builder = GeminiContentBuilder(self._store, self._uploads, decoding.get("fps"))
        return builder.count_tokens(media, rates, decoding, windows)

    @property
    def context_tokens(self) -> int | None:
        """The largest input of the model, tokens; None: unknown."""
        return gemini_capability(self.model).context

    def shifts_frames(self, media: MediaRequest) -> bool:
        """No: Gemini takes its frames from the file."""
        return False

    def check_credentials(self) -> None:
        """Ask Google once whether key and model name are valid; ignore other errors, a call reports them.

        Raises:
            InputError: the key is not accepted, or the model does not exist.
        """
        with suppress(ModelError):
            try:
                with typed_errors(self._model_id, self._key):
                    self._check()
            except InputError:
                raise
            except Exception as fault:
                raise as_model_error(fault, self._model_id) from None

    def _send_with_files(self, sending: _Sending) -> ChatResult:
        """Send a request; if Google has lost a file, upload the files again and repeat it once."""
        try:
            return self._send_with_cache(sending)
        except FileGone:
            self._uploads.drop(sending.builder.contents)
        try:
            return self._send_with_cache(sending)
        except FileGone as fault:
            remedy = "Check that the key's project may use files and has no open payment."
            raise ModelError(f"{self._model_id} lost a file twice ({fault}). {remedy}") from None

    def _send_with_cache(self, sending: _Sending) -> ChatResult:
        """Send a request with its head in a context cache if that is worthwhile; otherwise send it whole."""
        head = self._head_key(sending)
        name = head and self._caches.find_or_create(head, self.model, lambda: self._head_content(sending))
        if head and name:
            try:
                return self._send(sending, cached=name)
            except CacheGone:
                self._caches.drop(head)
        return self._send(sending)

    def _send(self, sending: _Sending, cached: str | None = None) -> ChatResult:
        wire: list[BaseMessage] = []
        for message in sending.messages:
            if isinstance(message, HumanMessage) and isinstance(message.content, list):
                content = sending.builder.build_content(
                    message.content, sending.request, texts_of(sending.messages), headless=cached is not None
                )
                check_request_size(self._model_id, gemini_capability(self.model), content)
                wire.append(HumanMessage(content))
            # The cache contains the system text; Google refuses a second one.
            elif cached is None or not isinstance(message, SystemMessage):
                wire.append(message)
        options = {}
        if cached:
            options["cached_content"] = cached
        billing.reset_usage()
        with typed_errors(self._model_id, self._key):
            result: ChatResult = sending.send(wire, **options)
        return result

    def _head_key(self, sending: _Sending) -> str | None:
        """The key of the request's head among the context caches; None if it should not be cached."""
        calls = 0
        if isinstance(sending.request, ClipRequest) and sending.request.reuse:
            calls = sending.request.reuse.get(sending.request.role, 0)
        media = referenced_media(sending.messages)
        if not media or not billing.cache_is_worthwhile(self.model, calls, CACHE_LIFETIME_SECONDS):
            return None
        system = [message.content for message in sending.messages if isinstance(message, SystemMessage)]
        parts = [self.model, system, [ref["id"] for ref in media]]
        if fps := (sending.request.decoding or {}).get("fps"):
            parts.append(fps)
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()

    def _head_content(self, sending: _Sending) -> dict[str, Any]:
        wire: list[BaseMessage] = []
        for message in sending.messages[:2]:
            if isinstance(message.content, list):
                message = HumanMessage(sending.builder.build_head(message.content, texts_of(sending.messages)))
            wire.append(message)
        prepared = self._prepare_request(wire)
        return {"contents": prepared["contents"], "system_instruction": prepared["config"].system_instruction}

    def _usage(self, sending: _Sending, answered: str | None = None) -> Usage | None:
        """Usage of the reply at the price of the model that answered; None if there is nothing.

        It includes uploads and a context cache that are not billed yet.
        """
        counts = billing.recorded_usage()
        uploads = self._uploads.take_unbilled_uploads(sending.builder.contents)
        cache_tokens = self._caches.take_unbilled_tokens(self._head_key(sending))
        if counts is None and not uploads and not cache_tokens:
            return None
        return billing.response_usage(answered or self.model, counts, uploads, cache_tokens)

    def _write_usage(self, result: ChatResult, usage: Usage | None) -> None:
        """Write the usage into the reply's metadata."""
        message: Any = result.generations[0].message
        if usage is None:
            return
        message.usage_metadata = {
            **(message.usage_metadata or {}),
            "input_tokens": usage["input_tokens"],
            "output_tokens": usage["output_tokens"],
            "total_tokens": usage["input_tokens"] + usage["output_tokens"],
            "input_token_details": {"cache_read": usage["cached_tokens"]},
        }
        message.response_metadata["media_uploads"] = usage["media_uploads"]
        if usage["cost_usd"] is not None:
            message.response_metadata["cost_usd"] = usage["cost_usd"]

    def _check(self) -> None:
        """Look up the model once, so that a wrong key or name is found before the first upload.

        Raises:
            InputError: the key is not accepted, or the model does not exist.
        """
        with self._check_lock:
            if not self._checked:
                client: Any = self.client
                options = {"timeout": int(_LOOKUP_SECONDS * 1000)}
                client.models.get(model=self.model, config={"http_options": options})
                self._checked = True


def make_gemini(name: str, store: ClipStore) -> BaseChatModel:
    """The Gemini model `name`, for `google_genai:NAME`.

    GOOGLE_API_KEY or GEMINI_API_KEY holds the key; AURELIA_GOOGLE_URL may hold an address that replaces Google's.

    Raises:
        InputError: the key is missing, the name is malformed, or the model does not answer questions about clips.
    """
    if not _NAME.fullmatch(name):
        raise InputError(f"{name!r} cannot be the name of a Gemini model; write for instance gemini-3.8-flash.")
    gemini_capability(name)
    key = google_key()
    if not key:
        raise InputError(f"google_genai:{name} needs a key: set GOOGLE_API_KEY (or GEMINI_API_KEY) in the environment.")
    address = google_address()
    settings: dict[str, Any] = {
        "model": name,
        "google_api_key": SecretStr(key),
        "base_url": address,
        "vertexai": False,
        # One try: some versions of the library treat 0 as their default of several tries.
        "max_retries": 1,
        "timeout": _ANSWER_SECONDS,
        "temperature": None,
        "disable_streaming": True,
        "client_args": {"event_hooks": {"response": [billing.record_response]}},
    }
    model = GeminiChat(**settings)
    if model.client is None or model.client.vertexai:
        raise InputError(f"google_genai:{name} uses the Gemini API: unset GOOGLE_GENAI_USE_VERTEXAI.")
    owner = handle_owner(key, address)
    model._store = store
    handles = store.settings.home / HANDLES_FILE
    model._uploads = FileUploads(handles, model.client, owner, model._model_id)
    model._caches = ContextCaches(handles, model.client, owner, model._model_id, key)
    return model


_KNOWN_KEYWORDS = frozenset(
    {"type", "format", "title", "description", "enum", "items", "prefixItems", "minItems", "maxItems", "minimum"}
    | {"maximum", "anyOf", "oneOf", "additionalProperties", "required", "propertyOrdering"}
)
_NAMED_SCHEMAS = ("properties", "$defs")


def reply_settings(schema: Mapping[str, Any] | None) -> dict[str, Any]:
    """The settings with which the provider enforces the schema; {} for plain text."""
    if not schema:
        return {}
    return {"response_mime_type": "application/json", "response_json_schema": _reduced(schema)}


def decoding_options(values: Mapping[str, Any]) -> dict[str, Any]:
    """The decoding settings of a role as options of the client."""
    direct = ("temperature", "top_p", "seed", "thinking_level", "thinking_budget")
    options = {name: values[name] for name in direct if name in values}
    if "max_tokens" in values:
        options["max_output_tokens"] = values["max_tokens"]
    if "media_resolution" in values:
        resolution = f"MEDIA_RESOLUTION_{values['media_resolution'].upper()}"
        options["generation_config"] = {"media_resolution": resolution}
    return options


def _reduced(schema: Any) -> Any:
    """The schema with only the keywords that Gemini supports; `parse_reply` validates against the full schema."""
    if isinstance(schema, list):
        return [_reduced(part) for part in schema]
    if not isinstance(schema, Mapping):
        return schema
    if "$ref" in schema:
        return {"$ref": schema["$ref"]}
    reduced = {name: _reduced(part) for name, part in schema.items() if name in _KNOWN_KEYWORDS}
    for name in _NAMED_SCHEMAS:
        if name in schema:
            reduced[name] = {key: _reduced(part) for key, part in schema[name].items()}
    return reduced


async def run_in_daemon_thread(call: Callable[[], ChatResult]) -> ChatResult:
    """The call's result, from a daemon thread: an interrupted program ends without waiting for the model."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[ChatResult] = loop.create_future()

    def settle(result: ChatResult | None, fault: BaseException | None) -> None:
        if done.cancelled():
            return
        if result is None:
            done.set_exception(fault or RuntimeError("no result"))
        else:
            done.set_result(result)

    def work() -> None:
        result: ChatResult | None = None
        fault: BaseException | None = None
        try:
            result = call()
        except BaseException as raised:
            fault = raised
        # The loop is closed if the program was interrupted.
        with suppress(RuntimeError):
            loop.call_soon_threadsafe(settle, result, fault)

    threading.Thread(target=work, name="model call", daemon=True).start()
    return await done
