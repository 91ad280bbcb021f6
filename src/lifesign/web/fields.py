"""Forms made from settings models: a JSON schema becomes fields, what is posted becomes settings again.

Every kind of monitor and channel gets its form from here, so a new kind needs no page of its own.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Literal

from pydantic import BaseModel, TypeAdapter, ValidationError

from lifesign.core.units import format_duration, parse_duration

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
Problems = Sequence[tuple[str, str]]

KEPT = "***"
"""What a stored secret looks like; sent back unchanged it means: keep what is stored."""


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a form. `name` is the control's name; a group has `parts` and no control."""

    name: str
    label: str
    help: str
    control: Control
    value: str = ""
    checked: bool = False
    required: bool = False
    choices: tuple[str, ...] = ()
    placeholder: str = ""
    problem: str = ""
    parts: tuple["Field", ...] = ()

    @property
    def id(self) -> str:
        """The control's id, which its label and description point to."""
        return "f-" + self.name.replace(".", "-")


def fields_of(
    model: type[BaseModel],
    values: Mapping[str, object],
    *,
    prefix: str = "settings",
    problems: Problems = (),
) -> tuple[Field, ...]:
    """The fields of a settings model, filled with `values` (the JSON of the model, secrets as `***`)."""
    schema = model.model_json_schema()
    return _fields(schema, schema, values, prefix=prefix, problems=problems)


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


def _fields(
    schema: Schema,
    root: Schema,
    values: Mapping[str, object],
    *,
    prefix: str,
    problems: Problems,
) -> tuple[Field, ...]:
    required = set(schema.get("required", ()))
    return tuple(
        _field(
            part,
            root,
            values.get(key, part.get("default")),
            name=f"{prefix}.{key}",
            required=key in required,
            problems=problems,
        )
        for key, part in schema.get("properties", {}).items()
    )


def _field(
    part: Schema, root: Schema, value: object, *, name: str, required: bool, problems: Problems
) -> Field:
    shape = _shape(part, root)
    control = _control(shape, root)
    if control == "text" and _has_lines(name, shape):
        control = "area"
    label = _label(name, part)
    help_text = str(part.get("description") or shape.get("description") or "")
    if control == "group":
        inner = value if isinstance(value, Mapping) else {}
        parts = _fields(shape, root, inner, prefix=name, problems=problems)
        return Field(name, label, help_text, control, parts=parts)
    return Field(
        name,
        label,
        help_text,
        control,
        value=_text(value, control),
        checked=value is True,
        required=required and control != "check",
        choices=tuple(str(choice) for choice in _choices(shape, part)),
        placeholder=_placeholder(part, shape),
        problem=_problem(name, problems),
    )


def _shape(part: Schema, root: Schema) -> Schema:
    """The schema behind references and behind `or null`."""
    if "$ref" in part:
        return _shape(root["$defs"][part["$ref"].rpartition("/")[2]], root)
    kinds = [one for one in part.get("anyOf", ()) if one.get("type") != "null"]
    if len(kinds) == 1:
        return {**_shape(kinds[0], root)}
    if "allOf" in part and len(part["allOf"]) == 1:
        return _shape(part["allOf"][0], root)
    return part


def _control(shape: Schema, root: Schema) -> Control:
    if "enum" in shape:
        return "choice"
    kind = shape.get("type")
    if kind == "string":
        return _text_control(shape)
    if kind == "object":
        return _object_control(shape)
    if kind == "array":
        items = _shape(shape.get("items", {}), root)
        return "lines" if items.get("type") in ("string", "integer", "number") else "json"
    if isinstance(kind, str) and kind in _SIMPLE:
        return _SIMPLE[kind]
    # A choice of several plain types (a duration or a number) is written as text; objects need JSON.
    plain = all(_shape(one, root).get("type") in _PLAIN for one in shape.get("anyOf", ()))
    return "text" if plain else "json"


_SIMPLE: Mapping[str, Control] = {"boolean": "check", "integer": "number", "number": "number"}
_PLAIN = ("string", "integer", "number", "null")


def _text_control(shape: Schema) -> Control:
    if shape.get("format") == "duration":
        return "duration"
    return "secret" if shape.get("writeOnly") or shape.get("format") == "password" else "text"


def _has_lines(name: str, shape: Schema) -> bool:
    """Whether a text may be longer than a line: a certificate, a body (a one-line box would join its lines)."""
    return name.endswith("_pem") or int(shape.get("maxLength", 0)) >= _LONG_TEXT


_LONG_TEXT = 5000


def _object_control(shape: Schema) -> Control:
    if shape.get("properties"):
        return "group"
    values = shape.get("additionalProperties")
    is_text = isinstance(values, Mapping) and values.get("type") == "string"
    return "pairs" if is_text else "json"


def _choices(shape: Schema, part: Schema) -> Sequence[object]:
    found: Sequence[object] = shape.get("enum") or part.get("enum") or ()
    return found


def _label(name: str, part: Schema) -> str:
    """The title that the model's author gave; pydantic's own (Each Word Capital) is not one."""
    words = name.rpartition(".")[2].replace("_", " ")
    title = str(part.get("title", ""))
    if title and title != words.title():
        return title
    said = [word.upper() if word in _ACRONYMS else word for word in words.split()]
    return said[0][:1].upper() + " ".join(said)[1:]


_ACRONYMS = frozenset({"url", "tls", "dns", "http", "json", "ip", "mcp", "id", "ca", "sni", "smtp"})


def _placeholder(part: Schema, shape: Schema) -> str:
    examples = part.get("examples") or shape.get("examples") or ()
    return str(examples[0]) if examples else ""


def _text(value: object, control: Control) -> str:
    if value is None:
        return ""
    if control == "json":
        return json.dumps(value, indent=2, ensure_ascii=False)
    if control == "duration":
        return _duration_text(value)
    if control == "lines" and isinstance(value, list | tuple):
        return "\n".join(str(item) for item in value)
    if control == "pairs" and isinstance(value, Mapping):
        return "\n".join(f"{key}: {item}" for key, item in value.items())
    return str(value)


def _duration_text(value: object) -> str:
    try:
        return format_duration(TypeAdapter(timedelta).validate_python(value))
    except (ValidationError, ValueError):
        return str(value)


def _problem(name: str, problems: Problems) -> str:
    short = name.partition(".")[2] or name
    for place, reason in problems:
        bare = place.partition("[")[0]
        if bare in (name, short) or bare.startswith((name + ".", short + ".")):
            return reason
    return ""


def _read(
    schema: Schema, root: Schema, form: Mapping[str, str], *, prefix: str
) -> dict[str, object]:
    settings: dict[str, object] = {}
    for key, part in schema.get("properties", {}).items():
        shape = _shape(part, root)
        control = _control(shape, root)
        name = f"{prefix}.{key}"
        if control == "group":
            value: object = _read(shape, root, form, prefix=name) or None
        else:
            value = _value(form.get(name, ""), control, name=name, form=form)
        if value is not None:
            settings[key] = value
    return settings


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
