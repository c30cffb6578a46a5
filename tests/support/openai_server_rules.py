"""What the server of wire_openai.py refuses: the rules of OpenAI's chat completions (for `omni`, of vLLM's)."""

import base64
import binascii
import io
import json
import re
import wave
from typing import Any

from PIL import Image

MODELS = {
    "gpt-4o": {"images", "schema"},
    "gpt-4o-mini": {"images", "schema"},
    "gpt-4o-2024-05-13": {"images"},
    "gpt-4o-audio-preview": {"audio"},
    "gpt-5.6-terra": {"images", "schema"},
    "gpt-5.6-luna": {"images", "schema"},
    "omni": {"images", "audio", "video", "urls", "schema"},
}

PARAMETERS = {
    "model", "messages", "stream", "response_format", "temperature", "seed", "n", "stop", "modalities", "audio",
    "max_completion_tokens", "max_tokens", "prompt_cache_key", "service_tier", "store", "metadata", "tools", "top_p",
    "reasoning_effort", "stream_options",
}  # fmt: skip

SERVER_PARAMETERS = {"repetition_penalty", "chat_template_kwargs", "mm_processor_kwargs"}
"""What vLLM takes beside OpenAI's own."""

STRICT = {"type", "enum", "const", "anyOf", "items", "properties", "required", "additionalProperties", "$ref", "$defs",
          "title", "description"}  # fmt: skip


class Refused(Exception):
    def __init__(self, message: str, status: int = 400, code: str | None = None) -> None:
        super().__init__(message)
        self.status, self.code = status, code


def flat(body: dict[str, Any]) -> list[dict[str, Any]]:
    parts: list[dict[str, Any]] = []
    for message in body["messages"]:
        content = message["content"]
        parts += [{"type": "text", "text": content}] if isinstance(content, str) else content
    return parts


def heard(body: dict[str, Any]) -> list[int]:
    return [100 for part in flat(body) if part["type"] == "input_audio"]


def check(body: dict[str, Any]) -> None:
    known = PARAMETERS | SERVER_PARAMETERS if body.get("model") == "omni" else PARAMETERS
    if unknown := body.keys() - known:
        raise Refused(f"Unrecognized request argument supplied: {sorted(unknown)}")
    if body.get("model") not in MODELS:
        raise Refused(f"The model '{body.get('model')}' does not exist", 404, "model_not_found")
    able = MODELS[body["model"]]
    if not body.get("messages"):
        raise Refused("[] is too short - 'messages'")
    for message in body["messages"]:
        check_message(message, able)
    if able == {"audio"} and not heard(body):
        raise Refused("This model requires that either input content or output modality contain audio.")
    check_format(body, able)


def check_message(message: dict[str, Any], able: set[str]) -> None:
    if message.keys() - {"role", "content", "name"} or message.get("role") not in ("system", "user", "assistant"):
        raise Refused(f"Invalid message: {sorted(message)}")
    content = message["content"]
    if isinstance(content, str):
        return
    if not isinstance(content, list) or not content:
        raise Refused("Invalid type for 'messages.content'")
    for part in content:
        kind = part.get("type")
        if part.keys() != {"type", kind}:
            raise Refused(f"Invalid content part: {sorted(part)}")
        if kind != "text" and message["role"] != "user":
            raise Refused("Only user messages carry media")
        check_part(kind, part[kind], able)


def check_part(kind: str, value: Any, able: set[str]) -> None:
    if kind == "text":
        if not isinstance(value, str) or not value:
            raise Refused("Invalid text part")
    elif kind == "image_url" and "images" in able:
        image(value)
    elif kind == "input_audio" and "audio" in able:
        if value.keys() != {"data", "format"} or value["format"] not in ("wav", "mp3"):
            raise Refused(f"Invalid value: {value.get('format')!r}. Supported values are: 'wav' and 'mp3'.")
        sound(decoded(value["data"]))
    elif kind == "audio_url" and "urls" in able:
        sound(data_url(value, r"audio/wav"))
    elif kind == "video_url" and "urls" in able:
        if b"ftyp" not in data_url(value, r"video/mp4")[:16]:
            raise Refused("Not an mp4")
    else:
        raise Refused(f"Invalid content type. This model does not take {kind}.")


def decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error as fault:
        raise Refused(f"Invalid base64: {fault}") from None


def data_url(value: Any, kinds: str) -> bytes:
    if not isinstance(value, dict) or value.keys() - {"url", "detail"}:
        raise Refused("Invalid URL part")
    found = re.fullmatch(rf"data:({kinds});base64,([A-Za-z0-9+/=]+)", value["url"])
    if not found:
        raise Refused("Invalid data URL")
    return decoded(found[2])


def image(value: Any) -> Any:
    content = data_url(value, r"image/(?:jpeg|png|webp|gif)")
    try:
        picture = Image.open(io.BytesIO(content))
        picture.load()
    except OSError:
        raise Refused("The image cannot be decoded") from None
    if f"image/{(picture.format or '').lower()}" not in value["url"][:30]:
        raise Refused("The image is not what its data URL says")
    return picture


def sound(content: bytes) -> tuple[int, bytes]:
    """Samples a second, and the samples (mono, 16 bits)."""
    try:
        with wave.open(io.BytesIO(content)) as file:
            found = file.getframerate(), file.readframes(file.getnframes())
    except (wave.Error, EOFError):
        raise Refused("The audio cannot be decoded") from None
    if not found[1]:
        raise Refused("The audio is empty")
    return found


def check_format(body: dict[str, Any], able: set[str]) -> None:
    form = body.get("response_format")
    if form is None:
        return
    if form["type"] == "json_object" and (form.keys() == {"type"} or "schema beside type" in able):
        if "json" not in json.dumps([part for part in flat(body) if part["type"] == "text"]).lower():
            raise Refused("'messages' must contain the word 'json' in some form")
        return
    if form.get("type") != "json_schema" or "schema" not in able:
        raise Refused("Invalid parameter: 'response_format' of type 'json_schema' is not supported with this model.")
    named = form["json_schema"]
    if named.keys() - {"name", "schema", "strict", "description"} or not re.fullmatch(r"[\w-]{1,64}", named["name"]):
        raise Refused("Invalid response_format.json_schema")
    if named.get("strict"):
        check_strict(named["schema"])


def check_strict(schema: dict[str, Any]) -> None:
    if schema.keys() - STRICT:
        raise Refused(f"Invalid schema: {sorted(schema.keys() - STRICT)} is not permitted")
    if "$ref" in schema and len(schema) > 1:
        raise Refused("Invalid schema: $ref cannot have keywords beside it")
    if schema.get("type") == "object" and (
        schema.get("additionalProperties") is not False or schema.get("required") != list(schema["properties"])
    ):
        raise Refused("Invalid schema: 'required' must name every property, 'additionalProperties' must be false")
    for part in (*schema.get("properties", {}).values(), *schema.get("$defs", {}).values(), *schema.get("anyOf", [])):
        check_strict(part)
    if "items" in schema:
        check_strict(schema["items"])
