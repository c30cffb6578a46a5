"""The JSON schema of a reply in the form that providers enforce. It neither validates nor repairs replies."""

from collections.abc import Mapping
from typing import Any

# What OpenAI's strict mode takes; bounds and defaults are left to our own validation of the reply.
_KEPT = frozenset({"type", "enum", "const", "anyOf", "items", "properties", "$ref", "$defs", "title", "description"})
_OPEN = ("oneOf", "allOf", "not", "patternProperties", "prefixItems", "if")


def response_format(schema: Mapping[str, Any], mode: str) -> dict[str, Any] | None:
    """OpenAI's `response_format` for a reply.

    Args:
        schema: the JSON schema of the reply.
        mode: json_schema, json_object or none: what the model's provider can enforce.

    Returns:
        The strict schema where the schema allows it, the schema as it is where not; None for mode none.
    """
    if mode == "none":
        return None
    if mode == "json_object":
        return {"type": "json_object"}
    strict = strict_schema(schema)
    named = {"name": str(schema.get("title", "reply"))[:64], "schema": strict or schema, "strict": strict is not None}
    return {"type": "json_schema", "json_schema": named}


def strict_schema(schema: Mapping[str, Any]) -> dict[str, Any] | None:
    """The schema with every property required, nothing else admitted, and no bounds; None where it cannot be so."""
    try:
        strict = _strict(schema)
    except _NotStrict:
        return None
    return strict if isinstance(strict, dict) and strict.get("type") == "object" else None


class _NotStrict(Exception):
    """The schema admits objects of unknown form, or combines schemas in a way that strict mode does not take."""


def _strict(schema: Any) -> Any:
    if not isinstance(schema, dict) or any(name in schema for name in _OPEN):
        raise _NotStrict
    if "$ref" in schema:
        return {"$ref": schema["$ref"]}
    found: dict[str, Any] = {name: value for name, value in schema.items() if name in _KEPT}
    for name in ("properties", "$defs"):
        if name in found:
            found[name] = {key: _strict(part) for key, part in found[name].items()}
    if "anyOf" in found:
        found["anyOf"] = [_strict(part) for part in found["anyOf"]]
    if "items" in found:
        found["items"] = _strict(found["items"])
    if found.get("type") == "object":
        if "properties" not in found or schema.get("additionalProperties"):
            raise _NotStrict
        found |= {"required": list(found["properties"]), "additionalProperties": False}
    return found
