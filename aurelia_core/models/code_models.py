"""Chat models that are implemented in code: a reply costs nothing, and a stored one is valid for the same code only."""

import hashlib
import json
from functools import cache
from importlib.resources import files
from typing import Any

from langchain_core.messages import AIMessage
from langchain_core.outputs import ChatGeneration, ChatResult

_SUFFIXES = (".py", ".toml", ".json")


def code_reply(reply: Any, model_name: str = "") -> ChatResult:
    """A reply without tokens and cost.

    Args:
        reply: a text, or plain data that is written as JSON.
        model_name: the model that answered, for the bill; "": none is named.
    """
    text = reply if isinstance(reply, str) else json.dumps(reply, ensure_ascii=False)
    metadata: dict[str, Any] = {"cost_usd": 0.0}
    if model_name:
        metadata["model_name"] = model_name
    usage = {"input_tokens": 0, "output_tokens": 0, "total_tokens": 0}
    message = AIMessage(text, usage_metadata=usage, response_metadata=metadata)
    return ChatResult(generations=[ChatGeneration(message=message)])


@cache
def code_fingerprint(*packages: str) -> str:
    """SHA-256 (hex) of the packages' code, word lists and tables, for the key of a stored reply."""
    digest = hashlib.sha256()
    for package in packages:
        for part in sorted(files(package).iterdir(), key=lambda path: path.name):
            if part.is_file() and part.name.endswith(_SUFFIXES):
                digest.update(part.name.encode() + b"\0" + part.read_bytes() + b"\0")
    return digest.hexdigest()
