"""What a posted form says, as settings: the other half of the forms made from settings models."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from pydantic import BaseModel, TypeAdapter

from lifesign.config.document import read_value
from lifesign.config.problems import ConfigError, Loc, Origins
from lifesign.core.units import parse_duration
from lifesign.web.shapes import (
    Control,
    Schema,
    control_of,
    duration_text,
    is_duration,
    is_optional,
    shape_of,
)

Problems = tuple[tuple[str, str], ...]


@dataclass(slots=True)
class Posted:
    """A form that was read: its settings, what of it is no YAML, and where the parts of its YAML texts stand."""

    settings: dict[str, object] = field(default_factory=dict)
    problems: list[tuple[str, str]] = field(default_factory=list)
    origins: dict[str, Origins] = field(default_factory=dict)

    def placed(self, problems: Sequence[tuple[str, str]]) -> Problems:
        """The problems, with line and column where they are about a part of a YAML text."""
        return tuple((path, self._where(path) + reason) for path, reason in problems)

    def _where(self, path: str) -> str:
        for name, origins in self.origins.items():
            rest = path.removeprefix(name)
            if rest != path and rest[:1] in ("", "[", "."):
                place = origins.of(_written(rest, origins))
                return f"Line {place.line}, column {place.column}: " if place.line else ""
        return ""


def read_form(
    model: type[BaseModel], form: Mapping[str, str], *, prefix: str = "settings"
) -> Posted:
    """The settings that a posted form holds. What was left empty is absent; the model judges the rest."""
    schema = model.model_json_schema()
    posted = Posted()
    posted.settings = _read(schema, schema, form, prefix=prefix, posted=posted)
    return posted


def read_fields(
    model: type[BaseModel], form: Mapping[str, str], *, prefix: str = "settings"
) -> dict[str, object]:
    """The same, of forms without YAML texts."""
    return read_form(model, form, prefix=prefix).settings


def blank_fields(model: type[BaseModel], settings: Mapping[str, object]) -> dict[str, object]:
    """The settings with an explicit None for all that a form left empty, so that an update clears it."""
    names = model.model_json_schema().get("properties", {})
    return {name: settings.get(name) for name in names}


def _read(
    schema: Schema, root: Schema, form: Mapping[str, str], *, prefix: str, posted: Posted
) -> dict[str, object]:
    settings: dict[str, object] = {}
    for key, part in schema.get("properties", {}).items():
        shape = shape_of(part, root)
        control = control_of(shape, root)
        name = f"{prefix}.{key}"
        if control == "group":
            said = _read(shape, root, form, prefix=name, posted=posted)
            value = _group(said, part, root, name=name, form=form)
        elif control == "yaml":
            value = _yaml(form.get(name, ""), name=name, posted=posted)
        else:
            value = _value(form.get(name, ""), control, name=name, form=form)
        if value is not None:
            settings[key] = value
    return settings


def _group(
    said: dict[str, object], part: Schema, root: Schema, *, name: str, form: Mapping[str, str]
) -> object:
    """A part of the settings: there when it is ticked, or when somebody filled it in and forgot the tick."""
    if not is_optional(part):
        return said or None
    if f"{name}:on" in form:
        return said
    was_there = f"{name}:was" in form
    return None if was_there or _says_nothing(said, shape_of(part, root), root) else said


def _says_nothing(said: Mapping[str, object], shape: Schema, root: Schema) -> bool:
    """Whether a group was left as it was shown: a form always sends what it was filled with, wanted or not."""
    shown = shape.get("properties", {})
    return all(value == _as_sent(shown[key], root) for key, value in said.items())


def _as_sent(part: Schema, root: Schema) -> object:
    """A default in the form in which it comes back from a form."""
    default = part.get("default")
    shape = shape_of(part, root)
    if default is None or not is_duration(shape):
        return default
    if control_of(shape, root) == "duration":
        return TypeAdapter(timedelta).validate_python(default).total_seconds()
    return duration_text(default)


def _value(text: str, control: Control, *, name: str, form: Mapping[str, str]) -> object:
    if control == "check":
        # An unticked box is not sent at all; the marker beside it says that the form had the box.
        return bool(text) if text or f"{name}:box" in form else None
    if not text.strip():
        return None
    readers = {"number": _number, "duration": _duration, "lines": _lines, "pairs": _pairs}
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


def _yaml(text: str, *, name: str, posted: Posted) -> object:
    """The value of a YAML text; one that is none is kept as it is, to be shown with what is wrong with it."""
    written = text.replace("\r\n", "\n")
    if not written.strip():
        return None
    try:
        value, posted.origins[name] = read_value(written, name)
    except ConfigError as error:
        for found in error.findings:
            line = f"Line {found.place.line}, column {found.place.column}: "
            posted.problems.append((name, (line if found.place.line else "") + found.message))
        return written
    return value


def _written(rest: str, origins: Origins) -> Loc:
    """The location that `[0].steps[1].expect` names, as far as it was written: what a short form left out is passed over."""
    found: Loc = ()
    for part in _parts(rest):
        if (*found, part) in origins.places:
            found = (*found, part)
    return found


def _parts(rest: str) -> Iterator[str | int]:
    for word in rest.replace("[", ".").replace("]", "").split("."):
        if word:
            yield int(word) if word.isdigit() else word
