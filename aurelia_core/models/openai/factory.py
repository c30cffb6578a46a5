"""Creates the models `openai:MODEL` and `compatible:MODEL` from the operator's environment."""

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
from aurelia_core.secrets import read_key

_OWN_SOUND = "video-with-sound"
_MEDIA_MODES = {
    "none": ("none", "none"),
    "images": ("images", "none"),
    "images+audio": ("images", "audio_url"),
    "images+input_audio": ("images", "input_audio"),
    "video": ("video", "none"),
    _OWN_SOUND: ("video", "none"),
    "video+audio": ("video", "audio_url"),
    "video+input_audio": ("video", "input_audio"),
    "audio": ("none", "audio_url"),
    "input_audio": ("none", "input_audio"),
}
# A thinking model may take minutes; the ledger retries a call that takes longer.
_TIMEOUT_SECONDS = 600.0
_ACCOUNT_HEADERS = ("OpenAI-Organization", "OpenAI-Project")


class _Server(NamedTuple):
    """The operator's server: its address, its key (may be empty), its media, and the form that it can enforce."""

    url: str
    key: str
    sees: VisualInput
    sound: str
    own_sound: bool
    structured: StructuredOutput


def make_openai(name: str, store: ClipStore) -> BaseChatModel:
    """`openai:NAME`, with the key in OPENAI_API_KEY or OPENAI_API_KEY_FILE; OPENAI_BASE_URL may name a proxy.

    Raises:
        InputError: the package or the key is missing, or the model does not exist.
    """
    model_id = f"openai:{name}"
    row = find_capability(model_id)
    _require("openai", model_id)
    key = read_key("OPENAI_API_KEY")
    sound = "none"
    if row.hears:
        sound = "input_audio"
    return _make(model_id, name, store, row, sound=sound, key=key)


def make_compatible(name: str, store: ClipStore) -> BaseChatModel:
    """`compatible:NAME`, at the operator's address; OpenAI's key is never sent to it.

    Raises:
        InputError: the package or the address is missing, or a variable has an invalid value.
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
        raise InputError("AURELIA_COMPATIBLE_URL is not an address: write http://HOST:PORT/v1.")
    if "api-version=" in url or "/openai/deployments/" in url:
        raise InputError(
            "AURELIA_COMPATIBLE_URL has Azure's old form, which takes no model's name: write"
            " https://RESOURCE.openai.azure.com/openai/v1 and name the deployment as the model."
        )
    media = env.get("AURELIA_COMPATIBLE_MEDIA", "").strip() or row.sees
    if media not in _MEDIA_MODES:
        raise InputError(f"AURELIA_COMPATIBLE_MEDIA={media!r} cannot be used: write one of {', '.join(_MEDIA_MODES)}.")
    structured: Any = env.get("AURELIA_COMPATIBLE_STRUCTURED", "").strip() or row.structured
    if structured not in get_args(StructuredOutput):
        known = ", ".join(get_args(StructuredOutput))
        raise InputError(f"AURELIA_COMPATIBLE_STRUCTURED={structured!r} cannot be used: write one of {known}.")
    sees: Any
    sees, sound = _MEDIA_MODES[media]
    return _Server(url, read_key("AURELIA_COMPATIBLE_KEY"), sees, sound, media == _OWN_SOUND, structured)


def _require(provider: str, model_id: str) -> None:
    missing = missing_requirements(provider)
    if missing:
        raise InputError(f"{model_id} cannot be used here: it needs {', '.join(missing)}.")


def _make(
    model_id: str, name: str, store: ClipStore, row: Capability, *, sound: Any, key: str, server: _Server | None = None
) -> BaseChatModel:
    from aurelia_core.models.openai.chat import ChatCompletions
    from aurelia_core.models.openai.content import MediaLimits

    limits = MediaLimits(
        model_id=model_id,
        sees=row.sees,
        sound=sound,
        own_sound=bool(server and server.own_sound),
        needs_audio=row.needs_audio,
        most_frames=row.most_frames,
        audio_seconds=row.audio_seconds,
        request_mb=row.request_mb,
        context=row.context,
    )
    key_name = "OPENAI_API_KEY"
    structured_setting = ""
    server_options: dict[str, Any] = {}
    if server:
        structured_setting = "AURELIA_COMPATIBLE_STRUCTURED"
        key_name = "AURELIA_COMPATIBLE_KEY"
        server_options = {"base_url": server.url, "openai_proxy": None, **_clients()}
    return ChatCompletions(
        model=name,
        api_key=SecretStr(key),
        clips=store,
        limits=limits,
        structured=row.structured,
        structured_setting=structured_setting,
        price=row.price,
        key_name=key_name,
        hosted=server is None,
        use_responses_api=False,
        disable_streaming=True,
        max_retries=0,
        timeout=_TIMEOUT_SECONDS,
        # A persistent connection belongs to one event loop, and a process may run several loops in sequence.
        default_headers={"Connection": "close"},
        **server_options,
    )


def _clients() -> dict[str, Any]:
    """HTTP clients that follow no redirect and send no header of an OpenAI account."""
    import openai

    def remove_account_headers(request: Any) -> None:
        for header in _ACCOUNT_HEADERS:
            request.headers.pop(header, None)

    async def remove_account_headers_async(request: Any) -> None:
        remove_account_headers(request)

    return {
        "http_client": openai.DefaultHttpxClient(
            follow_redirects=False, event_hooks={"request": [remove_account_headers]}
        ),
        "http_async_client": openai.DefaultAsyncHttpxClient(
            follow_redirects=False, event_hooks={"request": [remove_account_headers_async]}
        ),
        "http_socket_options": (),
    }
