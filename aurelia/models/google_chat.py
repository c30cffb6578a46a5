"""Gemini in any role: `google_genai:MODEL`, native picture and sound, each clip uploaded once per content.

The client library and its wire format stay as they are; this subclass puts media in place of references inside its own
`_generate`, so that callbacks and traces see references only. It does not retry (the ledger does), does not stream, and
keeps no context cache of its own: Gemini caches a repeated head by itself, and the usage shows it.
"""

import asyncio
import contextvars
import hashlib
import os
import re
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from typing import Any

import httpx
from langchain_core.callbacks import AsyncCallbackManagerForLLMRun, CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import BaseMessage, HumanMessage
from langchain_core.outputs import ChatResult
from langchain_google_genai import ChatGoogleGenerativeAI
from pydantic import PrivateAttr, SecretStr

from aurelia.errors import InputError, ModelError
from aurelia.media import ClipStore
from aurelia.models.google_faults import FileGone, check_reply, typed
from aurelia.models.google_files import REQUEST_SECONDS, Uploads
from aurelia.models.google_parts import Carrier, senses
from aurelia.models.google_prices import cost

_NAME = re.compile(r"(models/|tunedModels/)?[A-Za-z0-9][A-Za-z0-9._-]*")
_PLAIN = frozenset(
    {"type", "format", "title", "description", "enum", "items", "prefixItems", "minItems", "maxItems", "minimum"}
    | {"maximum", "anyOf", "oneOf", "additionalProperties", "required", "propertyOrdering"}
)
_NAMED = ("properties", "$defs")
_ANSWER_SECONDS = 300.0
_heard = threading.local()


class GeminiChat(ChatGoogleGenerativeAI):
    """A Gemini model that takes this project's requests; made by `make`."""

    _store: ClipStore = PrivateAttr()
    _uploads: Uploads = PrivateAttr()
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
        self._refuse_what_it_cannot_take(messages)
        fields: Mapping[str, Any] = messages[-1].additional_kwargs.get("request") or {}
        send = partial(super()._generate, stop=stop, run_manager=run_manager, **_form(fields), **kwargs)
        with typed(self._spec, self._key):
            self._check()
            carrier = Carrier(self._store, self._uploads)
            try:
                result = self._send(send, carrier, messages, fields)
            except FileGone:
                result = self._once_more(send, carrier, messages, fields)
        check_reply(result, self._spec)
        message: Any = result.generations[0].message
        message.response_metadata["media_uploads"] = self._uploads.bill(carrier.contents)
        dollars = cost(self.model, _heard.usage) if _heard.usage else None
        if dollars is not None:
            message.response_metadata["cost_usd"] = dollars
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
        return await _in_thread(partial(contextvars.copy_context().run, self._generate, messages, stop, None, **kwargs))

    @property
    def _spec(self) -> str:
        return f"google_genai:{self.model}"

    @property
    def _key(self) -> str:
        return self.google_api_key.get_secret_value() if self.google_api_key else ""

    def _send(self, send: Any, carrier: Carrier, messages: list[BaseMessage], fields: Mapping[str, Any]) -> ChatResult:
        wire = [
            HumanMessage(carrier.content(message.content, fields))
            if isinstance(message, HumanMessage) and isinstance(message.content, list)
            else message
            for message in messages
        ]
        _heard.usage = None
        with typed(self._spec, self._key):
            result: ChatResult = send(wire)
        return result

    def _refuse_what_it_cannot_take(self, messages: list[BaseMessage]) -> None:
        for sense in sorted(senses(messages)):
            if self.profile and self.profile.get(f"{sense}_inputs") is False:
                remedy = "Use a Gemini model that can for the roles that are shown the clip."
                raise InputError(f"{self._spec} cannot take {sense}. {remedy}")

    def _once_more(self, send: Any, *request: Any) -> ChatResult:
        """Sends a request again whose files Google has lost, with files uploaded anew."""
        carrier: Carrier = request[0]
        self._uploads.drop(carrier.contents)
        try:
            return self._send(send, *request)
        except FileGone as fault:
            remedy = "Check that the key's project may use files, and that nothing is due for it."
            raise ModelError(f"{self._spec} lost a file twice ({fault}). {remedy}") from None

    def _check(self) -> None:
        """Asks for the model once, so that a wrong key or name is known before anything is uploaded.

        Raises:
            InputError: the key is not accepted, or there is no such model.
        """
        with self._checking:
            if not self._checked:
                client: Any = self.client
                options = {"timeout": int(REQUEST_SECONDS * 1000)}
                client.models.get(model=self.model, config={"http_options": options})
                self._checked = True


def make(name: str, store: ClipStore) -> BaseChatModel:
    """The Gemini model `name`, for `google_genai:NAME`.

    The key is read from GOOGLE_API_KEY or GEMINI_API_KEY, and another address than Google's from AURELIA_GOOGLE_URL.

    Raises:
        InputError: there is no key, or the name cannot be one.
    """
    if not _NAME.fullmatch(name):
        raise InputError(f"{name!r} cannot be the name of a Gemini model; write for instance gemini-2.5-flash.")
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
        "client_args": {"event_hooks": {"response": [_note_usage]}},
    }
    model = GeminiChat(**settings)
    if model.client is None or model.client.vertexai:
        raise InputError(f"google_genai:{name} speaks to the Gemini API: unset GOOGLE_GENAI_USE_VERTEXAI.")
    owner = hashlib.sha256(f"{key}\0{address or ''}".encode()).hexdigest()[:32]
    model._store = store
    model._uploads = Uploads(store.settings.home / "google_files.sqlite", model.client, owner, model._spec)
    return model


def _note_usage(response: httpx.Response) -> None:
    """Keeps a reply's token counts by modality, which the library drops and the price of sound depends on."""
    if response.is_success and response.request.url.path.endswith(":generateContent"):
        response.read()
        try:
            _heard.usage = response.json().get("usageMetadata")
        except (ValueError, AttributeError):
            _heard.usage = None


def _form(fields: Mapping[str, Any]) -> dict[str, Any]:
    """The settings that hold the reply to the request's schema; none for plain text."""
    if not fields.get("schema"):
        return {}
    return {"response_mime_type": "application/json", "response_json_schema": _understood(fields["schema"])}


def _understood(schema: Any) -> Any:
    """The schema with the keywords that Gemini knows; the reply is validated against the whole one all the same."""
    if isinstance(schema, list):
        return [_understood(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        return {"$ref": schema["$ref"]}
    known = {name: _understood(part) for name, part in schema.items() if name in _PLAIN}
    named = {name: schema[name] for name in _NAMED if name in schema}
    return known | {name: {key: _understood(part) for key, part in parts.items()} for name, parts in named.items()}


async def _in_thread(call: Callable[[], ChatResult]) -> ChatResult:
    """The call's result, from a thread that does not keep an interrupted program alive until Google has answered."""
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

    threading.Thread(target=work, name="gemini", daemon=True).start()
    return await done
