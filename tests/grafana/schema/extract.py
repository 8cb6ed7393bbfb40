"""Writes `grafana-10.1.json`: the fields and types that Grafana 10.1 knows, as a JSON Schema.

They come from the foundation SDK of that version, which its authors generate from Grafana's own schema:

    pip install --no-deps --target SDK 'grafana-foundation-sdk==1769699998!10.1.0'
    PYTHONPATH=SDK python tests/grafana/schema/extract.py
"""

import enum
import importlib
import inspect
import json
import re
import types
import typing
from pathlib import Path
from typing import Any

_MODELS = "grafana_foundation_sdk.models"
_KINDS = ("timeseries", "stat", "gauge", "bargauge", "piechart", "heatmap", "table", "text")
_FIELD = re.compile(r'"(\w+)"\]? ?[=:] self\.(\w+)')
_SIMPLE = {str: "string", int: "integer", float: "number", bool: "boolean"}
_FREE: dict[str, Any] = {}


class _Extract:
    """Collects definitions by class."""

    def __init__(self) -> None:
        self.definitions: dict[str, Any] = {}

    def reference(self, cls: type) -> dict[str, Any]:
        """Where the class is defined; defines it first."""
        name = f"{cls.__module__.rpartition('.')[2]}.{cls.__name__}"
        if name not in self.definitions:
            self.definitions[name] = {}
            self.definitions[name] = self._enum(cls) if issubclass(cls, enum.Enum) else self._object(cls)
        return {"$ref": f"#/$defs/{name}"}

    def _enum(self, cls: type[enum.Enum]) -> dict[str, Any]:
        return {"enum": [member.value for member in cls]}

    def _object(self, cls: Any) -> dict[str, Any]:
        hints = typing.get_type_hints(cls)
        fields = dict(_FIELD.findall(inspect.getsource(cls.to_json)))
        properties = {name: self.schema(hints.get(attribute, Any)) for name, attribute in sorted(fields.items())}
        return {"type": "object", "properties": properties, "additionalProperties": False}

    def schema(self, hint: Any) -> dict[str, Any]:
        """The schema of an annotation; free where Grafana leaves it open."""
        origin, arguments = typing.get_origin(hint), typing.get_args(hint)
        if origin in (typing.Union, types.UnionType):
            kinds = [self.schema(argument) for argument in arguments if argument is not type(None)]
            return kinds[0] if len(kinds) == 1 else {"anyOf": kinds}
        if origin is list:
            return {"type": "array", "items": self.schema(arguments[0])}
        if origin is dict:
            return {"type": "object", "additionalProperties": self.schema(arguments[1])}
        if origin is typing.Literal:
            return {"enum": list(arguments)}
        if hint in _SIMPLE:
            return {"type": _SIMPLE[hint]}
        if inspect.isclass(hint) and hint.__module__.startswith(_MODELS) and hasattr(hint, "to_json"):
            return self.reference(hint)
        if inspect.isclass(hint) and issubclass(hint, enum.Enum):
            return self.reference(hint)
        return _FREE


def _module(name: str) -> Any:
    return importlib.import_module(f"{_MODELS}.{name}")


def main() -> None:
    """Write the file beside this one."""
    extract = _Extract()
    root = extract.reference(_module("dashboard").Dashboard)
    panel = extract.definitions["dashboard.Panel"]
    panel["properties"]["targets"] = {"type": "array", "items": extract.reference(_module("prometheus").Dataquery)}
    branches = []
    for kind in _KINDS:
        module = _module(kind)
        custom = extract.reference(module.FieldConfig) if hasattr(module, "FieldConfig") else _FREE
        defaults = {"properties": {"custom": custom}}
        then = {"options": extract.reference(module.Options), "fieldConfig": {"properties": {"defaults": defaults}}}
        branches.append({"if": {"properties": {"type": {"const": kind}}}, "then": {"properties": then}})
    panel["allOf"] = branches
    panel["properties"]["type"] = {"enum": list(_KINDS)}
    row = extract.reference(_module("dashboard").RowPanel)
    is_row = {"properties": {"type": {"const": "row"}}}
    panels = {"if": is_row, "then": row, "else": {"$ref": "#/$defs/dashboard.Panel"}}
    extract.definitions["dashboard.Dashboard"]["properties"]["panels"] = {"type": "array", "items": panels}
    # The lowest step has null, which is how Grafana writes minus infinity.
    extract.definitions["dashboard.Threshold"]["properties"]["value"] = {"type": ["number", "null"]}
    # An annotation holds the fields of its data source, which the schema of dashboards leaves out; these are
    # Prometheus', in every version from 7 on.
    texts = ("expr", "step", "tagKeys", "textFormat", "titleFormat")
    properties = extract.definitions["dashboard.AnnotationQuery"]["properties"]
    properties.update({name: {"type": "string"} for name in texts})
    document = {**root, "$defs": dict(sorted(extract.definitions.items()))}
    path = Path(__file__).with_name("grafana-10.1.json")
    path.write_text(json.dumps(document, indent=1, sort_keys=True) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
