"""What a posted form says, as settings: the other half of the forms made from settings models."""

import json
from collections.abc import Mapping
from datetime import timedelta

from pydantic import BaseModel, TypeAdapter

from lifesign.core.units import parse_duration
from lifesign.web.shapes import Control, Schema, control_of, shape_of


def read_fields(
    model: type[BaseModel], form: Mapping[str, str], *, prefix: str = "settings"
) -> dict[str, object]:
    """The settings that a posted form holds. What was left empty is absent; the model judges the rest."""
    schema = model.model_json_schema()
    return _read(schema, schema, form, prefix=prefix)


def blank_fields(model: type[BaseModel], settings: Mapping[str, object]) -> dict[str, object]:
    """The settings with an explicit None for all that a form left empty, so that an update clears it."""
    names = model.model_json_schema().get("properties", {})
    return {name: settings.get(name) for name in names}


def _read(
    schema: Schema, root: Schema, form: Mapping[str, str], *, prefix: str
) -> dict[str, object]:
    settings: dict[str, object] = {}
    for key, part in schema.get("properties", {}).items():
        shape = shape_of(part, root)
        control = control_of(shape, root)
        name = f"{prefix}.{key}"
        if control == "group":
            said = _read(shape, root, form, prefix=name)
            is_left = _is_optional(part) and _says_nothing(said, shape, root)
            value: object = None if is_left or not said else said
        else:
            value = _value(form.get(name, ""), control, name=name, form=form)
        if value is not None:
            settings[key] = value
    return settings


def _is_optional(part: Schema) -> bool:
    return any(one.get("type") == "null" for one in part.get("anyOf", ()))


def _says_nothing(said: Mapping[str, object], shape: Schema, root: Schema) -> bool:
    """Whether a group was left as it was shown: a form always sends what it was filled with, wanted or not."""
    shown = shape.get("properties", {})
    return all(value == _as_sent(shown[key], root) for key, value in said.items())


def _as_sent(part: Schema, root: Schema) -> object:
    """A default in the form in which it comes back from a form."""
    default = part.get("default")
    if default is not None and control_of(shape_of(part, root), root) == "duration":
        return TypeAdapter(timedelta).validate_python(default).total_seconds()
    return default


def _value(text: str, control: Control, *, name: str, form: Mapping[str, str]) -> object:
    if control == "check":
        # An unticked box is not sent at all; the marker beside it says that the form had the box.
        return bool(text) if text or f"{name}:box" in form else None
    if not text.strip():
        return None
    readers = {
        "number": _number,
        "duration": _duration,
        "lines": _lines,
        "pairs": _pairs,
        "json": _json,
    }
    reader = readers.get(control)
    # Browsers send lines with carriage returns, which nobody typed.
    return reader(text) if reader else text.replace("\r\n", "\n")


def _number(text: str) -> object:
    try:
        return int(text)
    except ValueError:
        pass
    try:
        return float(text)
    except ValueError:
        return text


def _duration(text: str) -> object:
    try:
        return parse_duration(text).total_seconds()
    except ValueError:
        return text


def _lines(text: str) -> object:
    return [line.strip() for line in text.splitlines() if line.strip()]


def _pairs(text: str) -> object:
    pairs = (line.partition(":") for line in text.splitlines() if line.strip())
    return {key.strip(): value.strip() for key, _, value in pairs}


def _json(text: str) -> object:
    try:
        value: object = json.loads(text)
    except ValueError:
        # The model says what it wants instead, in words and at the field.
        return text
    return value
