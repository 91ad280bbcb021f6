"""Forms made from settings models: a JSON schema becomes fields (`posted` reads them back).

Every kind of monitor and channel gets its form from here, so a new kind needs no page of its own.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from pydantic import BaseModel, TypeAdapter, ValidationError

from lifesign.core.units import format_duration
from lifesign.web.shapes import Control, Schema, control_of, shape_of

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
    shape = shape_of(part, root)
    control = control_of(shape, root)
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


def _choices(shape: Schema, part: Schema) -> Sequence[object]:
    found: Sequence[object] = shape.get("enum") or part.get("enum") or ()
    return found


def _has_lines(name: str, shape: Schema) -> bool:
    """Whether a text may be longer than a line: a certificate, a body (a one-line box would join its lines)."""
    return name.endswith("_pem") or int(shape.get("maxLength", 0)) >= _LONG_TEXT


_LONG_TEXT = 5000


def _label(name: str, part: Schema) -> str:
    """The title that the model's author gave; pydantic's own (Each Word Capital) is not one."""
    words = name.rpartition(".")[2].replace("_", " ")
    title = str(part.get("title", ""))
    if title and title != words.title():
        return title
    for ending, unit in _UNITS.items():
        if words.endswith(ending):
            words = words.removesuffix(ending) + unit
    said = [word.upper() if word in _ACRONYMS else word for word in words.split()]
    return said[0][:1].upper() + " ".join(said)[1:]


_UNITS = {" s": " (seconds)", " ms": " (milliseconds)"}
_ACRONYMS = frozenset({"url", "tls", "dns", "http", "json", "ip", "mcp", "id", "ca", "sni", "smtp"})


def _placeholder(part: Schema, shape: Schema) -> str:
    examples = part.get("examples") or shape.get("examples") or ()
    return str(examples[0]) if examples else ""


def _text(value: object, control: Control) -> str:
    if value is None:
        return ""
    if control == "duration":
        return _duration_text(value)
    if control == "json":
        return json.dumps(value, indent=2, ensure_ascii=False)
    return "\n".join(_lines_of(value))


def _lines_of(value: object) -> list[str]:
    if isinstance(value, list | tuple):
        return [str(item) for item in value]
    if isinstance(value, Mapping):
        return [f"{key}: {item}" for key, item in value.items()]
    return [f"{value:g}" if isinstance(value, float) else str(value)]


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
