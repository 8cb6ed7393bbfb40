"""Makes a value that fits a JSON schema, for arguments of tool calls and for structured outputs.

Source: https://json-schema.org/draft/2020-12, as far as structured outputs and tools use it.
"""

from typing import Any

_DEEPEST = 16
"""Levels of nesting at most. Deeper values are null, because a recursive schema would never end."""


def sample(schema: object, root: object = None, depth: int = 0) -> Any:
    """The simplest value that the schema allows: only required properties, and the first of several choices."""
    root = schema if root is None else root
    if not isinstance(schema, dict) or depth > _DEEPEST:
        return None
    if "$ref" in schema:
        return sample(_resolved(str(schema["$ref"]), root), root, depth + 1)
    if "const" in schema:
        return schema["const"]
    for choices in ("enum", "anyOf", "oneOf", "allOf"):
        if isinstance(schema.get(choices), list) and schema[choices]:
            first = schema[choices][0]
            return first if choices == "enum" else sample(first, root, depth + 1)
    kind = schema.get("type")
    kind = kind[0] if isinstance(kind, list) and kind else kind
    match kind:
        case "object":
            properties = schema.get("properties")
            properties = properties if isinstance(properties, dict) else {}
            wanted = schema.get("required", list(properties))
            return {name: sample(properties.get(name), root, depth + 1) for name in wanted}
        case "array":
            return [sample(schema.get("items"), root, depth + 1)] if schema.get("minItems") else []
        case "string":
            return "sample"
        case "integer" | "number":
            return schema.get("minimum", 1)
        case "boolean":
            return True
        case _:
            return None


def _resolved(reference: str, root: object) -> object:
    """The schema at a reference such as `#/$defs/City`; None if there is none."""
    found: Any = root
    for step in reference.removeprefix("#/").split("/"):
        found = found.get(step) if isinstance(found, dict) else None
    return found
