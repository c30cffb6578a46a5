"""Makes the models `openai:MODEL` and `compatible:MODEL` from the operator's environment. No clip is read here."""

import os
from typing import Any, NamedTuple, get_args

from langchain_core.language_models import BaseChatModel
from pydantic import SecretStr

from aurelia_core.errors import InputError
from aurelia_core.media import ClipStore
from aurelia_core.models.capabilities import (
    Capability,
    StructuredOutput,
    VisualInput,
    find_capability,
    missing_requirements,
)

_MEDIA_MODES = {
    "none": ("none", "none"),
    "images": ("images", "none"),
    "images+audio": ("images", "audio_url"),
    "images+input_audio": ("images", "input_audio"),
    "video": ("video", "none"),
    "video+audio": ("video", "audio_url"),
    "video+input_audio": ("video", "input_audio"),
    "audio": ("none", "audio_url"),
    "input_audio": ("none", "input_audio"),
}
# A model that thinks may take minutes; the ledger tries again what takes longer.
_SECONDS = 600.0
_FOREIGN_HEADERS = ("OpenAI-Organization", "OpenAI-Project")


class _Server(NamedTuple):
    """The operator's server: its address, its key (may be empty), what it takes, what it can enforce."""

    url: str
    key: str
    sees: VisualInput
    sound: str
    structured: StructuredOutput


def make_openai(name: str, store: ClipStore) -> BaseChatModel:
    """`openai:NAME`, with the key of OPENAI_API_KEY (and OPENAI_BASE_URL, where a proxy stands before it).

    Raises:
        InputError: the package, the key or such a model is missing.
    """
    model_id = f"openai:{name}"
    row = find_capability(model_id)
    _require("openai", model_id)
    key = os.environ["OPENAI_API_KEY"].strip()
    return _make(model_id, name, store, row, sound="input_audio" if row.hears else "none", key=key)


def make_compatible(name: str, store: ClipStore) -> BaseChatModel:
    """`compatible:NAME`, at the operator's address; never with OpenAI's key.

    Raises:
        InputError: the package or the address is missing, or a variable has a value that cannot be used.
    """
    model_id = f"compatible:{name}"
    row = find_capability(model_id)
    _require("compatible", model_id)
    server = _server(row)
    row = row.model_copy(update={"sees": server.sees, "structured": server.structured})
    return _make(model_id, name, store, row, sound=server.sound, key=server.key or "no-key", server=server)


def _server(row: Capability) -> _Server:
    env = os.environ
    url = env["AURELIA_COMPATIBLE_URL"].strip()
    if not url.startswith(("http://", "https://")):
        raise InputError("AURELIA_COMPATIBLE_URL is no address: write http://HOST:PORT/v1.")
    media = env.get("AURELIA_COMPATIBLE_MEDIA", "").strip() or row.sees
    if media not in _MEDIA_MODES:
        raise InputError(f"AURELIA_COMPATIBLE_MEDIA={media!r} cannot be used: write one of {', '.join(_MEDIA_MODES)}.")
    structured: Any = env.get("AURELIA_COMPATIBLE_STRUCTURED", "").strip() or row.structured
    if structured not in get_args(StructuredOutput):
        known = ", ".join(get_args(StructuredOutput))
        raise InputError(f"AURELIA_COMPATIBLE_STRUCTURED={structured!r} cannot be used: write one of {known}.")
    sees: Any = _MEDIA_MODES[media][0]
    return _Server(url, env.get("AURELIA_COMPATIBLE_KEY", "").strip(), sees, _MEDIA_MODES[media][1], structured)


def _require(provider: str, model_id: str) -> None:
    lacks = missing_requirements(provider)
    if lacks:
        raise InputError(f"{model_id} cannot be asked here: it needs {', '.join(lacks)}.")


def _make(
    model_id: str, name: str, store: ClipStore, row: Capability, *, sound: Any, key: str, server: _Server | None = None
) -> BaseChatModel:
    from aurelia_core.models.openai.chat import ChatCompletions
    from aurelia_core.models.openai.content import MediaLimits

    limits = MediaLimits(
        model_id=model_id,
        sees=row.sees,
        sound=sound,
        needs_audio=row.needs_audio,
        most_frames=row.most_frames,
        audio_seconds=row.audio_seconds,
        request_mb=row.request_mb,
    )
    own: dict[str, Any] = {}
    if server:
        own = {"base_url": server.url, "openai_proxy": None, **_clients()}
    return ChatCompletions(
        model=name,
        api_key=SecretStr(key),
        clips=store,
        limits=limits,
        structured=row.structured,
        price=row.price,
        key_name="AURELIA_COMPATIBLE_KEY" if server else "OPENAI_API_KEY",
        hosted=server is None,
        use_responses_api=False,
        disable_streaming=True,
        max_retries=0,
        timeout=_SECONDS,
        # Kept connections belong to an event loop, and a process may run several, one after the other.
        default_headers={"Connection": "close"},
        **own,
    )


def _clients() -> dict[str, Any]:
    """HTTP clients that follow no redirect, and tell a server of the operator's nothing of an OpenAI account."""
    import openai

    def strip(request: Any) -> None:
        for header in _FOREIGN_HEADERS:
            request.headers.pop(header, None)

    async def strip_too(request: Any) -> None:
        strip(request)

    return {
        "http_client": openai.DefaultHttpxClient(follow_redirects=False, event_hooks={"request": [strip]}),
        "http_async_client": openai.DefaultAsyncHttpxClient(
            follow_redirects=False, event_hooks={"request": [strip_too]}
        ),
        "http_socket_options": (),
    }
