"""What a part of a settings model's JSON schema is: the schema behind references, the control that shows it."""

from collections.abc import Mapping
from typing import Any, Literal

Schema = Mapping[str, Any]
Control = Literal[
    "text",
    "area",
    "secret",
    "number",
    "duration",
    "check",
    "choice",
    "lines",
    "pairs",
    "json",
    "group",
]


def shape_of(part: Schema, root: Schema) -> Schema:
    """The schema behind references and behind `or null`."""
    if "$ref" in part:
        return shape_of(root["$defs"][part["$ref"].rpartition("/")[2]], root)
    kinds = [one for one in part.get("anyOf", ()) if one.get("type") != "null"]
    if len(kinds) == 1:
        return {**shape_of(kinds[0], root)}
    if "allOf" in part and len(part["allOf"]) == 1:
        return shape_of(part["allOf"][0], root)
    return part


def control_of(shape: Schema, root: Schema) -> Control:
    """The control that shows values of this shape; JSON text for what no plain control can hold."""
    if "enum" in shape:
        return "choice"
    kind = shape.get("type")
    if kind == "string":
        return _text_control(shape)
    if kind == "object":
        return _object_control(shape)
    if kind == "array":
        items = shape_of(shape.get("items", {}), root)
        return "lines" if items.get("type") in ("string", "integer", "number") else "json"
    if isinstance(kind, str) and kind in _SIMPLE:
        return _SIMPLE[kind]
    # A choice of several plain types (a duration or a number) is written as text; objects need JSON.
    plain = all(shape_of(one, root).get("type") in _PLAIN for one in shape.get("anyOf", ()))
    return "text" if plain else "json"


_SIMPLE: Mapping[str, Control] = {"boolean": "check", "integer": "number", "number": "number"}
_PLAIN = ("string", "integer", "number", "null")


def _text_control(shape: Schema) -> Control:
    if shape.get("format") == "duration":
        return "duration"
    return "secret" if shape.get("writeOnly") or shape.get("format") == "password" else "text"


def _object_control(shape: Schema) -> Control:
    if shape.get("properties"):
        return "group"
    values = shape.get("additionalProperties")
    is_text = isinstance(values, Mapping) and values.get("type") == "string"
    return "pairs" if is_text else "json"
