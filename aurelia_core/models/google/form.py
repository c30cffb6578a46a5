"""How a reply's schema goes out to Gemini: the keywords that it knows. It validates no reply."""

from collections.abc import Mapping
from typing import Any

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
