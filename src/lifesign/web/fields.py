"""Forms made from settings models: a JSON schema becomes fields (`posted` reads them back).

Every kind of monitor and channel gets its form from here, so a new kind needs no page of its own.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pydantic import BaseModel

from lifesign.config.document import write_value
from lifesign.web.shapes import (
    Control,
    Schema,
    bare,
    control_of,
    duration_text,
    is_duration,
    is_optional,
    shape_of,
)

Problems = Sequence[tuple[str, str]]

KEPT = "***"
"""What a stored secret looks like; sent back unchanged it means: keep what is stored."""


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a form. `name` is the control's name; a group has `parts` and no control.

    `checked` says of a box whether it is ticked, and of an `optional` group whether it is there.
    """

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
    optional: bool = False
    is_default: bool = False

    @property
    def is_open(self) -> bool:
        """Whether there is something in it that people should see without asking."""
        is_filled = self.checked if self.control == "group" else not self.is_default
        return is_filled or self.is_wrong

    @property
    def is_wrong(self) -> bool:
        """Whether it, or a part of it, cannot be used as written."""
        return bool(self.problem) or any(part.is_wrong for part in self.parts)

    @property
    def id(self) -> str:
        """The control's id, which its label and description point to."""
        return "f-" + self.name.replace(".", "-")


@dataclass(frozen=True, slots=True)
class Layout:
    """The fields of a form in the order in which people need them.

    `first` is what most fill in, `fine` what has a good default, `folds` are the parts with a heading of their own.
    """

    first: tuple[Field, ...]
    fine: tuple[Field, ...]
    folds: tuple[Field, ...]


def laid_out(fields: Sequence[Field]) -> Layout:
    """Simple settings first; of a short form all of them."""
    folds = tuple(field for field in fields if field.control in ("group", "yaml"))
    plain = sorted(
        (each for each in fields if each not in folds), key=lambda each: not each.required
    )
    if len(plain) <= _SHORT_FORM:
        return Layout(tuple(plain), (), folds)
    first = tuple(each for each in plain if each.required or each.control in _USUAL or each.is_open)
    return Layout(first, tuple(each for each in plain if each not in first), folds)


_SHORT_FORM = 8
_USUAL = ("secret", "pairs")
"""What to say with a request differs from target to target; other settings seldom do."""


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
        return Field(
            name, label, help_text, control, parts=parts, optional=is_optional(part),
            checked=isinstance(value, Mapping), problem=_own_problem(name, problems),
        )  # fmt: skip
    return Field(
        name,
        label,
        help_text,
        control,
        value=_text(value, control, part, root),
        checked=value is True,
        required=required and control != "check",
        choices=tuple(str(choice) for choice in _choices(shape, part)),
        placeholder=_placeholder(part, shape, control),
        problem=_problem(name, problems),
        is_default=value in (None, {}, [], part.get("default")),
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


def _placeholder(part: Schema, shape: Schema, control: Control) -> str:
    examples = part.get("examples") or shape.get("examples") or ()
    if not examples:
        return ""
    return write_value(examples[0]) if control == "yaml" else str(examples[0])


def _text(value: object, control: Control, part: Schema, root: Schema) -> str:
    if value is None:
        return ""
    if control == "yaml":
        return _yaml_text(value, part, root)
    if is_duration(shape_of(part, root)):
        return duration_text(value)
    return "\n".join(_lines_of(value))


def _yaml_text(value: object, part: Schema, root: Schema) -> str:
    """What was written and could not be read stays as it was written."""
    if isinstance(value, str):
        return value
    said = bare(value, part, root)
    return write_value(said) if said else ""


def _lines_of(value: object) -> list[str]:
    if isinstance(value, list | tuple):
        return [str(item) for item in value]
    if isinstance(value, Mapping):
        return [f"{key}: {item}" for key, item in value.items()]
    return [f"{value:g}" if isinstance(value, float) else str(value)]


def _own_problem(name: str, problems: Problems) -> str:
    """What is wrong with a group as a whole."""
    short = name.partition(".")[2] or name
    return next((reason for place, reason in problems if place in (name, short)), "")


def _problem(name: str, problems: Problems) -> str:
    short = name.partition(".")[2] or name
    found = []
    for place, reason in problems:
        bare_place = place.partition("[")[0]
        if bare_place in (name, short) or bare_place.startswith((name + ".", short + ".")):
            found.append(reason)
    return " ".join(found[:_TOLD])


_TOLD = 4
"""Problems of one field that are told at once."""
