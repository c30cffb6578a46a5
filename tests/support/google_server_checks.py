"""What the loopback Gemini refuses, as Google's REST reference has it: media, parts, turns, settings, schemas."""

import base64
import re
from typing import Any

MIMES = {
    "video/mp4", "video/mpeg", "video/mov", "video/avi", "video/x-flv", "video/mpg", "video/webm", "video/wmv",
    "video/3gpp", "audio/wav", "audio/mp3", "audio/aiff", "audio/aac", "audio/ogg", "audio/flac", "image/png",
    "image/jpeg", "image/webp", "image/heic", "image/heif",
}  # fmt: skip
MAGIC = {"video/mp4": (4, b"ftyp"), "audio/wav": (0, b"RIFF"), "image/jpeg": (0, b"\xff\xd8")}
SCHEMA = {
    "$id", "$defs", "$ref", "$anchor", "type", "format", "title", "description", "enum", "items", "prefixItems",
    "minItems", "maxItems", "minimum", "maximum", "anyOf", "oneOf", "properties", "additionalProperties", "required",
    "propertyOrdering",
}  # fmt: skip


def error(code: int, status: str, message: str, *details: dict[str, Any]) -> dict[str, Any]:
    return {"error": {"code": code, "message": message, "status": status, "details": list(details)}}


class Refused(Exception):
    def __init__(self, code: int, status: str, message: str) -> None:
        super().__init__(message)
        self.body = error(code, status, message)


def gone(name: str) -> Refused:
    told = f"You do not have permission to access the File {name.removeprefix('files/')} or it may not exist."
    return Refused(403, "PERMISSION_DENIED", told)


def bad(message: str) -> Refused:
    return Refused(400, "INVALID_ARGUMENT", message)


def check_magic(mime: str, data: bytes) -> None:
    at, magic = MAGIC.get(mime, (0, b""))
    if not data or data[at : at + len(magic)] != magic:
        raise bad(f"These bytes are no {mime}.")


def check_body(body: dict[str, Any], files: dict[str, dict[str, Any]]) -> None:
    if unknown := body.keys() - {
        "contents",
        "systemInstruction",
        "generationConfig",
        "safetySettings",
        "cachedContent",
    }:
        raise bad(f"Unknown name {sorted(unknown)}: Cannot find field.")
    if not body.get("contents"):
        raise bad("contents is not specified")
    for content in [*body["contents"], *filter(None, [body.get("systemInstruction")])]:
        if not content.get("parts"):
            raise bad("contents.parts must not be empty.")
        for part in content["parts"]:
            check_part(part, files)
    turns = [content.get("role") for content in body["contents"]]
    if turns != [("user", "model")[number % 2] for number in range(len(turns))] or turns[-1] != "user":
        raise bad(f"Please ensure that turns alternate and end with the user: {turns}")
    check_config(body.get("generationConfig", {}))


def check_part(part: dict[str, Any], files: dict[str, dict[str, Any]]) -> None:
    kinds = part.keys() & {"text", "inlineData", "fileData"}
    if len(kinds) != 1 or part.keys() - kinds - {"videoMetadata", "thoughtSignature"}:
        raise bad(f"A part must have exactly one kind of data: {sorted(part)}")
    if "text" in part and not part["text"]:
        raise bad("Unable to submit request because it must have a text parameter.")
    data = part.get("inlineData") or part.get("fileData")
    if data is None:
        return
    if data.get("mimeType") not in MIMES:
        raise bad(f"Unsupported MIME type: {data.get('mimeType')}")
    if "inlineData" in part:
        check_magic(data["mimeType"], base64.b64decode(data["data"].replace("-", "+").replace("_", "/"), validate=True))
    else:
        check_file(data, files)
    if "videoMetadata" in part:
        if not data["mimeType"].startswith("video/"):
            raise bad("video_metadata is for videos only.")
        check_cut(part["videoMetadata"])


def check_file(data: dict[str, Any], files: dict[str, dict[str, Any]]) -> None:
    name = "files/" + data["fileUri"].rsplit("/", 1)[-1]
    if name not in files:
        raise gone(name)
    if files[name]["state"] != "ACTIVE":
        raise bad(f"The File {name} is not in an ACTIVE state and usage is not allowed.")
    if files[name]["mimeType"] != data["mimeType"]:
        raise bad("The MIME type is not the file's.")


def check_cut(metadata: dict[str, Any]) -> None:
    if metadata.keys() - {"fps", "startOffset", "endOffset"} or not 0 < metadata.get("fps", 1) <= 24:
        raise bad(f"Bad video_metadata {metadata}")
    offsets = [metadata[name] for name in ("startOffset", "endOffset") if name in metadata]
    if not all(re.fullmatch(r"\d+(\.\d{1,9})?s", offset) for offset in offsets):
        raise bad(f"Illegal duration format in {offsets}")
    if len(offsets) == 2 and float(offsets[0][:-1]) >= float(offsets[1][:-1]):
        raise Refused(500, "INTERNAL", "Internal error encountered.")


RESOLUTIONS = {f"MEDIA_RESOLUTION_{name}" for name in ("LOW", "MEDIUM", "HIGH")}


def check_config(config: dict[str, Any]) -> None:
    allowed = {"candidateCount", "responseMimeType", "responseJsonSchema", "temperature", "maxOutputTokens"}
    allowed |= {"topP", "seed", "thinkingConfig", "mediaResolution"}
    if config.get("mediaResolution", "MEDIA_RESOLUTION_LOW") not in RESOLUTIONS:
        raise bad("Invalid value at 'generation_config.media_resolution'")
    thinking = config.get("thinkingConfig", {})
    if thinking.keys() - {"thinkingBudget", "thinkingLevel", "includeThoughts"} or len(thinking) > 1:
        raise bad("You can only set one of thinking budget and thinking level.")
    if config.keys() - allowed:
        raise bad(f"Unknown name {sorted(config.keys() - allowed)} at 'generation_config'")
    if "responseJsonSchema" in config:
        if config.get("responseMimeType") != "application/json":
            raise bad("response_json_schema needs response_mime_type application/json.")
        check_schema(config["responseJsonSchema"])


def check_schema(schema: Any) -> None:
    if not isinstance(schema, dict):
        raise bad(f"{schema!r} is no schema.")
    if unknown := schema.keys() - SCHEMA:
        raise bad(f"Unknown keywords {sorted(unknown)} in response_json_schema.")
    if "$ref" in schema and any(not name.startswith("$") for name in schema):
        raise bad("A $ref may have no neighbours.")
    for part in [*schema.get("anyOf", []), *filter(None, [schema.get("items")])]:
        check_schema(part)
    for part in [*schema.get("properties", {}).values(), *schema.get("$defs", {}).values()]:
        check_schema(part)
