"""The forms in which a server of OpenAI's protocol can enforce a reply."""

from collections.abc import Mapping
from typing import Any

# Keywords of OpenAI's strict mode; `parse_reply` validates bounds.
_STRICT_KEYWORDS = frozenset(
    {"type", "enum", "const", "anyOf", "items", "properties", "$ref", "$defs", "title", "description"}
)
_UNSUPPORTED_KEYWORDS = ("oneOf", "allOf", "not", "patternProperties", "prefixItems", "if")


def response_format(schema: Mapping[str, Any], mode: str) -> dict[str, Any] | None:
    """OpenAI's `response_format` for a reply.

    Args:
        schema: the JSON schema of the reply.
        mode: json_schema, json_object_schema, json_object or none: the form that the provider can enforce.

    Returns:
        The strict schema if there is one, otherwise the schema unchanged; None for mode none.
    """
    if mode == "none":
        return None
    if mode == "json_object":
        return {"type": "json_object"}
    if mode == "json_object_schema":
        return {"type": "json_object", "schema": strict_schema(schema) or schema}
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
