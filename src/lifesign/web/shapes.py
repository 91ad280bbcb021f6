"""What a part of a settings model's JSON schema is: the schema behind references, the control that shows it."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Literal

from pydantic import TypeAdapter, ValidationError

from lifesign.core.units import format_duration

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
    "yaml",
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
    """The control that shows values of this shape; YAML text for what no plain control can hold."""
    if "enum" in shape:
        return "choice"
    kind = shape.get("type")
    if kind == "string":
        return _text_control(shape)
    if kind == "object":
        return _object_control(shape)
    if kind == "array":
        items = shape_of(shape.get("items", {}), root)
        return "lines" if items.get("type") in ("string", "integer", "number") else "yaml"
    if isinstance(kind, str) and kind in _SIMPLE:
        return _SIMPLE[kind]
    # A choice of several plain types (a duration or a number) is written as text; objects need YAML.
    plain = all(shape_of(one, root).get("type") in _PLAIN for one in shape.get("anyOf", ()))
    return "text" if plain else "yaml"


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
    return "pairs" if is_text else "yaml"


def is_optional(part: Schema) -> bool:
    """Whether a part may be absent altogether."""
    return any(one.get("type") == "null" for one in part.get("anyOf", ()))


def is_duration(shape: Schema) -> bool:
    """Whether its values are lengths of time, as JSON has them (`PT5M`) or as people write them (`5m`)."""
    return shape.get("format") in ("duration", "duration-units")


def duration_text(value: object) -> str:
    """A length of time as people write it; the text itself where it is none."""
    try:
        return format_duration(TypeAdapter(timedelta).validate_python(value))
    except (ValidationError, ValueError):
        return str(value)


def bare(value: object, part: Schema, root: Schema) -> object:
    """A value without what its model would fill in by itself, so that people see what was said and no more."""
    shape = shape_of(part, root)
    if is_duration(shape) and isinstance(value, str | int | float):
        return duration_text(value)
    if isinstance(value, Mapping):
        known = shape.get("properties", {})
        said = {key: one for key, one in value.items() if not _is_default(one, known.get(key, {}))}
        return {key: bare(one, known.get(key, {}), root) for key, one in said.items()}
    if isinstance(value, list | tuple):
        return [bare(one, shape.get("items", {}), root) for one in value]
    return value


def _is_default(value: object, part: Schema) -> bool:
    if value in ({}, []) and "default" not in part and "type" in part:
        return True
    default = part.get("default", ...)
    is_time = isinstance(default, str) and is_duration(part)
    return value == default or (is_time and duration_text(value) == duration_text(default))
