"""What is wrong with the configuration, where it stands, and what was probably meant."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel, SecretBytes, SecretStr, ValidationError

from lifesign.config.phrasing import sentence_of
from lifesign.core.errors import InvalidError

Loc = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Place:
    """Where something was written: a file with line and column (from 1), or a variable's or flag's name."""

    source: str
    line: int = 0
    column: int = 0

    def __str__(self) -> str:
        return f"{self.source}:{self.line}:{self.column}" if self.line else self.source


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong; `path` is the setting (`monitors[2].interval`)."""

    place: Place
    path: str
    message: str
    suggestion: str = ""

    def __str__(self) -> str:
        where = f"{self.place}: {self.path}: " if self.path else f"{self.place}: "
        hint = f" Did you mean {self.suggestion!r}?" if self.suggestion else ""
        return f"{where}{self.message}{hint}"


class ConfigError(InvalidError):
    """The configuration cannot be used; nothing was started."""

    def __init__(self, findings: Iterable[Problem]) -> None:
        self.findings = tuple(findings)
        problems = tuple((finding.path, str(finding)) for finding in self.findings)
        super().__init__("\n".join(map(str, self.findings)), problems=problems)


@dataclass(frozen=True, slots=True)
class Origins:
    """Where each part of the configuration was written, by its location in the model.

    `hidden` are the locations whose value came out of `${env:…}` or `${file:…}`: never shown.
    """

    places: Mapping[Loc, Place] = field(default_factory=dict)
    hidden: frozenset[Loc] = frozenset()
    default: Place = Place("configuration")

    def of(self, loc: Loc) -> Place:
        """The place of `loc`, or of the nearest thing around it."""
        for length in range(len(loc), -1, -1):
            if loc[:length] in self.places:
                return self.places[loc[:length]]
        return self.default

    def as_written(self, loc: Loc) -> Loc:
        """`loc` without lists of one item that were left out, where what they hold was written one level up."""
        for at in range(len(loc) - 1):
            shorter = (*loc[:at], *loc[at + 2 :])
            is_left_out = loc[at + 1] == 0 and loc[: at + 1] not in self.places
            if is_left_out and isinstance(loc[at], str) and shorter in self.places:
                return self.as_written(shorter)
        return loc


def path_of(loc: Loc) -> str:
    """`("monitors", 2, "interval")` as people write it: `monitors[2].interval`."""
    text = ""
    for part in loc:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else str(part)
    return text


def nearest(word: str, known: Iterable[str]) -> str:
    """The known word that was probably meant, or nothing."""
    matches = get_close_matches(word.lower(), list(known), n=1, cutoff=0.6)
    return matches[0] if matches else ""


def problems_in(
    error: ValidationError,
    model: type[BaseModel],
    origins: Origins,
    *,
    prefix: Loc = (),
    noun: str = "setting",
) -> tuple[Problem, ...]:
    """Each finding of pydantic about `model`, whose own location is `prefix` and whose fields are called `noun`s."""
    found: dict[Loc, Problem] = {}
    details = error.errors(include_url=False, include_context=True)
    for detail in details:
        loc = _written_loc(detail["loc"], model)
        if detail["type"] == "too_short" and _has_wrong_item(detail["loc"], details):
            continue
        problem = _problem(detail, loc, model, origins=origins, prefix=prefix, noun=noun)
        found.setdefault(prefix + loc, problem)
    return tuple(sorted(found.values(), key=lambda problem: (problem.place.line, problem.path)))


def _has_wrong_item(loc: Loc, details: Iterable[Any]) -> bool:
    """Whether a list is only short because its items are wrong: pydantic counts the good ones, people what they wrote."""
    return any(len(each["loc"]) > len(loc) and each["loc"][: len(loc)] == loc for each in details)


def _problem(
    detail: Any, loc: Loc, model: type[BaseModel], *, origins: Origins, prefix: Loc, noun: str
) -> Problem:
    full = origins.as_written(prefix + loc)
    parent, name = loc[:-1], str(loc[-1]) if loc else ""
    place, path = origins.of(full), path_of(full)
    if detail["type"] == "extra_forbidden":
        owner = _model_at(model, parent)
        fields = owner.model_fields.items() if owner else ()
        known = tuple(info.alias or field_name for field_name, info in fields)
        return Problem(place, path, f"There is no such {noun}.", nearest(name, known))
    if detail["type"] == "missing":
        return Problem(place, path, f"This {noun} is missing.")
    choices = _choices(detail)
    shown = "" if full in origins.hidden else _shown(detail["input"], model, loc)
    message = sentence_of(detail) + (f" Found {shown}." if shown else "")
    return Problem(place, path, message, nearest(shown.strip("'"), choices) if shown else "")


def _choices(detail: Any) -> tuple[str, ...]:
    expected = str(detail.get("ctx", {}).get("expected", ""))
    return tuple(expected.replace(" or ", ", ").replace("'", "").split(", ")) if expected else ()


_SHOWN_CHARS = 40


def _shown(value: object, model: type[BaseModel], loc: Loc) -> str:
    """A short plain value, unless its setting is secret or it looks as if it carried a credential."""
    if isinstance(value, bool):
        return str(value).lower()
    if not isinstance(value, str | int | float) or _is_secret(_annotation_at(model, loc)):
        return ""
    text = str(value)
    if len(text) > _SHOWN_CHARS or "://" in text or "@" in text or not text.isprintable():
        return ""
    return repr(value)


def _is_secret(annotation: Any) -> bool:
    if annotation is None:
        return True
    # A text where a mapping of secrets belongs may well be one of them.
    if get_args(annotation):
        return any(_is_secret(part) for part in get_args(annotation) if part is not type(None))
    return annotation in (SecretStr, SecretBytes)


def _written_loc(loc: Loc, model: type[BaseModel]) -> Loc:
    """`loc` without the branches of unions that pydantic puts into it."""
    kept: Loc = ()
    for index, part in enumerate(loc):
        known = _annotation_at(model, (*kept, part)) is not None
        unknown_name = index == len(loc) - 1 and _model_at(model, kept) is not None
        if isinstance(part, int) or known or unknown_name:
            kept = (*kept, part)
    return kept


def _model_at(model: type[BaseModel], loc: Loc) -> type[BaseModel] | None:
    return model if not loc else _model_in(_annotation_at(model, loc))


def _annotation_at(model: type[BaseModel], loc: Loc) -> Any:
    annotation: Any = model
    for part in loc:
        annotation = _step(annotation, part)
        if annotation is None:
            return None
    return annotation


def _step(annotation: Any, part: str | int) -> Any:
    annotation = _stripped(annotation)
    origin, arguments = get_origin(annotation), get_args(annotation)
    if isinstance(part, int):
        return arguments[0] if origin in (list, tuple, set, frozenset) else None
    if origin is dict:
        return arguments[1]
    owner = _model_in(annotation)
    fields = owner.model_fields.items() if owner else ()
    return next((info.annotation for name, info in fields if part in (name, info.alias)), None)


def _stripped(annotation: Any) -> Any:
    if get_origin(annotation) is Annotated:
        return _stripped(get_args(annotation)[0])
    if get_origin(annotation) in (Union, UnionType):
        parts = [part for part in get_args(annotation) if part is not type(None)]
        return _stripped(parts[0]) if len(parts) == 1 else annotation
    return annotation


def _model_in(annotation: Any) -> type[BaseModel] | None:
    annotation = _stripped(annotation)
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return None
