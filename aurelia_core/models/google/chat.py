"""Gemini in any role: `google_genai:MODEL`, native picture and sound, each clip uploaded once per content.

The client library and its wire format stay as they are; this subclass puts media in place of references inside its own
`_generate`, so that callbacks and traces see references only. It does not retry (the ledger does), does not stream, and
keeps no context cache of its own unless a run asks for it: Gemini caches a repeated head by itself.
"""

import asyncio
import contextvars
import hashlib
import json
import os
import re
import threading
from collections.abc import Callable, Mapping
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
from aurelia_core.models.base import ClipModel
from aurelia_core.models.google import billing as google_bill
from aurelia_core.models.google.billing import cache_is_worthwhile
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
from aurelia_core.models.provider_errors import as_model_error
from aurelia_core.models.request_texts import texts_of
from aurelia_core.models.requests import ClipRequest, RoleRequest, request_of
from aurelia_core.types import Usage

_NAME = re.compile(r"(models/|tunedModels/)?[A-Za-z0-9][A-Za-z0-9._-]*")
_ANSWER_SECONDS = 300.0
_LOOKUP_SECONDS = 30.0


class _Sent(NamedTuple):
    """One request on its way: how it is sent, what turns its references into media, and what it says."""

    send: Callable[..., ChatResult]
    builder: GeminiContentBuilder
    messages: list[BaseMessage]
    request: RoleRequest


class GeminiChat(ClipModel, ChatGoogleGenerativeAI):
    """A Gemini model that takes this project's requests; made by `make`."""

    _store: ClipStore = PrivateAttr()
    _uploads: FileUploads = PrivateAttr()
    _heads: ContextCaches = PrivateAttr()
    _checked: bool = PrivateAttr(default=False)
    _checking: Any = PrivateAttr(default_factory=threading.Lock)

    @classmethod
    def is_lc_serializable(cls) -> bool:
        """False: it holds a clip store."""
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
        send = partial(
            super()._generate, stop=stop, run_manager=run_manager, **reply_settings(request.schema), **kwargs
        )
        sent = _Sent(send, GeminiContentBuilder(self._store, self._uploads), messages, request)
        google_bill.reset_usage()
        try:
            with typed_errors(self._model_id, self._key):
                self._check()
                result = self._exchange(sent)
            check_reply(result, self._model_id)
        except InputError:
            raise
        except Exception as fault:
            failed = as_model_error(fault, self._model_id)
            if isinstance(failed, ModelError):
                failed.usage = self._bill(sent)
            if failed is fault:
                raise
            raise failed from fault
        self._state(result, self._bill(sent))
        if why := self._heads.why_not(self._head(sent)):
            said = f"{self._model_id} was sent the clip whole each time, because Google keeps no cache of it: {why}"
            result.generations[0].message.response_metadata["notes"] = [said]
        return result

    async def _agenerate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        # In a thread: clips are read and uploaded without blocking the loop, and the client's asynchronous connections,
        # which belong to the loop that opened them, would not survive a second `asyncio.run`.
        return await run_in_daemon_thread(
            partial(contextvars.copy_context().run, self._generate, messages, stop, None, **kwargs)
        )

    @property
    def _model_id(self) -> str:
        return f"google_genai:{self.model}"

    @property
    def _key(self) -> str:
        return self.google_api_key.get_secret_value() if self.google_api_key else ""

    def check_clip(self, media: MediaRequest, *, sees_clip: bool) -> None:
        """Refuses, before a run pays for anything, what the model cannot carry."""
        if not sees_clip:
            return
        clip, tracks = media.clip, list(media.tracks)
        check_modalities(self._model_id, self.profile, [clip, *tracks])
        builder = GeminiContentBuilder(self._store, self._uploads)
        whole = [clip] if builder.whole(clip, tracks) else []
        sounds = tracks or ([clip] if clip["has_audio"] else [])
        check_size(
            self._model_id, gemini_capability(self.model), [*whole, *tracks], sounds, builder.frames(clip, tracks)
        )

    def check_credentials(self) -> None:
        """Asks Google once whether key and model name are good; whatever else it meets, a call will tell better.

        Raises:
            InputError: the key is not accepted, or there is no such model.
        """
        with suppress(ModelError):
            try:
                with typed_errors(self._model_id, self._key):
                    self._check()
            except InputError:
                raise
            except Exception as fault:
                raise as_model_error(fault, self._model_id) from None

    def _exchange(self, sent: _Sent) -> ChatResult:
        """Sends a request; with files uploaded anew, where Google has lost them."""
        try:
            return self._with_head(sent)
        except FileGone:
            self._uploads.drop(sent.builder.contents)
        try:
            return self._with_head(sent)
        except FileGone as fault:
            remedy = "Check that the key's project may use files, and that nothing is due for it."
            raise ModelError(f"{self._model_id} lost a file twice ({fault}). {remedy}") from None

    def _with_head(self, sent: _Sent) -> ChatResult:
        """Sends a request with its head in a context cache where that is wanted and pays; else, or if lost, whole."""
        head = self._head(sent)
        name = head and self._heads.name(head, self.model, lambda: self._head_content(sent))
        if head and name:
            try:
                return self._send(sent, cached=name)
            except CacheGone:
                self._heads.drop(head)
        return self._send(sent)

    def _send(self, sent: _Sent, cached: str | None = None) -> ChatResult:
        wire: list[BaseMessage] = []
        for message in sent.messages:
            if isinstance(message, HumanMessage) and isinstance(message.content, list):
                content = sent.builder.content(
                    message.content, sent.request, texts_of(sent.messages), headless=cached is not None
                )
                check_request_size(self._model_id, gemini_capability(self.model), content)
                wire.append(HumanMessage(content))
            # The cache holds the system text already, and Google refuses it beside one.
            elif cached is None or not isinstance(message, SystemMessage):
                wire.append(message)
        google_bill.reset_usage()
        with typed_errors(self._model_id, self._key):
            result: ChatResult = sent.send(wire, cached_content=cached) if cached else sent.send(wire)
        return result

    def _head(self, sent: _Sent) -> str | None:
        """What stands for the request's head in the caches; None where it is not to be cached."""
        calls = 0
        if isinstance(sent.request, ClipRequest) and sent.request.reuse:
            calls = next((calls for role, calls in sent.request.reuse.items() if role == sent.request.role), 0)
        media = referenced_media(sent.messages)
        if not media or not cache_is_worthwhile(self.model, calls, CACHE_LIFETIME_SECONDS):
            return None
        said = [message.content for message in sent.messages if isinstance(message, SystemMessage)]
        parts = [self.model, said, [ref["id"] for ref in media]]
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()

    def _head_content(self, sent: _Sent) -> dict[str, Any]:
        wire = [
            HumanMessage(sent.builder.head(message.content, texts_of(sent.messages)))
            if isinstance(message.content, list)
            else message
            for message in sent.messages[:2]
        ]
        ready = self._prepare_request(wire)
        return {"contents": ready["contents"], "system_instruction": ready["config"].system_instruction}

    def _bill(self, sent: _Sent) -> Usage | None:
        """What the request cost: the reply, and uploads and a context cache that no other has stated; None: nothing."""
        told = google_bill.recorded_usage()
        uploads, made = self._uploads.bill(sent.builder.contents), self._heads.bill(self._head(sent))
        if told is None and not uploads and not made:
            return None
        return google_bill.response_usage(self.model, told, uploads, made)

    def _state(self, result: ChatResult, bill: Usage | None) -> None:
        """Writes the bill into a reply that can be used."""
        message: Any = result.generations[0].message
        if bill is None:
            return
        written = bill["output_tokens"]
        message.usage_metadata = {
            **(message.usage_metadata or {}),
            "input_tokens": bill["input_tokens"],
            "output_tokens": written,
            "total_tokens": bill["input_tokens"] + written,
            "input_token_details": {"cache_read": bill["cached_tokens"]},
        }
        message.response_metadata["media_uploads"] = bill["media_uploads"]
        if bill["cost_usd"] is not None:
            message.response_metadata["cost_usd"] = bill["cost_usd"]

    def _check(self) -> None:
        """Asks for the model once, so that a wrong key or name is known before anything is uploaded.

        Raises:
            InputError: the key is not accepted, or there is no such model.
        """
        with self._checking:
            if not self._checked:
                client: Any = self.client
                options = {"timeout": int(_LOOKUP_SECONDS * 1000)}
                client.models.get(model=self.model, config={"http_options": options})
                self._checked = True


def make_gemini(name: str, store: ClipStore) -> BaseChatModel:
    """The Gemini model `name`, for `google_genai:NAME`.

    The key is read from GOOGLE_API_KEY or GEMINI_API_KEY, and another address than Google's from AURELIA_GOOGLE_URL.

    Raises:
        InputError: there is no key, the name cannot be one, or the model does not answer questions about clips.
    """
    if not _NAME.fullmatch(name):
        raise InputError(f"{name!r} cannot be the name of a Gemini model; write for instance gemini-2.5-flash.")
    gemini_capability(name)
    key = (os.environ.get("GOOGLE_API_KEY") or os.environ.get("GEMINI_API_KEY") or "").strip()
    if not key:
        raise InputError(f"google_genai:{name} needs a key: set GOOGLE_API_KEY (or GEMINI_API_KEY) in the environment.")
    address = os.environ.get("AURELIA_GOOGLE_URL") or None
    settings: dict[str, Any] = {
        "model": name,
        "google_api_key": SecretStr(key),
        "base_url": address,
        "vertexai": False,
        # One try: some versions of the library read 0 as their own default of several.
        "max_retries": 1,
        "timeout": _ANSWER_SECONDS,
        "temperature": None,
        "disable_streaming": True,
        "client_args": {"event_hooks": {"response": [google_bill.record_response]}},
    }
    model = GeminiChat(**settings)
    if model.client is None or model.client.vertexai:
        raise InputError(f"google_genai:{name} speaks to the Gemini API: unset GOOGLE_GENAI_USE_VERTEXAI.")
    owner = hashlib.sha256(f"{key}\0{address or ''}".encode()).hexdigest()[:32]
    model._store = store
    kept = store.settings.home / "google_files.sqlite"
    model._uploads = FileUploads(kept, model.client, owner, model._model_id)
    model._heads = ContextCaches(kept, model.client, owner, model._model_id, key)
    return model


_PLAIN = frozenset(
    {"type", "format", "title", "description", "enum", "items", "prefixItems", "minItems", "maxItems", "minimum"}
    | {"maximum", "anyOf", "oneOf", "additionalProperties", "required", "propertyOrdering"}
)
_NAMED = ("properties", "$defs")


def reply_settings(schema: Mapping[str, Any] | None) -> dict[str, Any]:
    """The settings that make the provider enforce the schema; none for plain text."""
    if not schema:
        return {}
    return {"response_mime_type": "application/json", "response_json_schema": _understood(schema)}


def _understood(schema: Any) -> Any:
    """The schema with the keywords that Gemini knows; the reply is validated against the whole one all the same."""
    if isinstance(schema, list):
        return [_understood(part) for part in schema]
    if not isinstance(schema, Mapping):
        return schema
    if "$ref" in schema:
        return {"$ref": schema["$ref"]}
    known = {name: _understood(part) for name, part in schema.items() if name in _PLAIN}
    named = {name: schema[name] for name in _NAMED if name in schema}
    return known | {name: {key: _understood(part) for key, part in parts.items()} for name, parts in named.items()}


async def run_in_daemon_thread(call: Callable[[], ChatResult]) -> ChatResult:
    """The call's result, from a thread that does not keep an interrupted program alive until the model has answered."""
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
        result, fault = None, None
        try:
            result = call()
        except BaseException as raised:
            fault = raised
        # The loop is closed when its program was interrupted meanwhile.
        with suppress(RuntimeError):
            loop.call_soon_threadsafe(settle, result, fault)

    threading.Thread(target=work, name="model call", daemon=True).start()
    return await done
