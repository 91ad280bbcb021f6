"""Paths into JSON documents: `$.jobs[0].state`, `$["a b"].length()`, `$.parts[*].status`.

A path is compiled once and then walked. A step that leads nowhere ends in `MISSING`; walking never raises.
`[*]` goes over the items of an array or the values of an object; what is found is then a list.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import cast

from lifesign.core.errors import InvalidError

MAX_STEPS = 50
"""A longer path is a slip; no document that is read is much deeper."""

_STEP = re.compile(
    r"""\.(?P<length>length\(\))|\.(?P<name>[\w-]+)|\[(?P<index>-?\d{1,9})\]|(?P<every>\[\*\])"""
    r"""|\[(?:"(?P<double>[^"]+)"|'(?P<single>[^']+)')\]"""
)


class PathError(InvalidError):
    """The text is no path; the message says where it stops being one."""

    code = "json_path"


@dataclass(frozen=True, slots=True)
class Absent:
    """What stands where there is no value; `why` is what is shown for it."""

    why: str = "nothing"


MISSING = Absent()
"""There is no such value."""


@dataclass(frozen=True, slots=True)
class _Name:
    key: str


@dataclass(frozen=True, slots=True)
class _Index:
    at: int


@dataclass(frozen=True, slots=True)
class _Length:
    """Counts the items of an array, the names of an object or the characters of a text."""


@dataclass(frozen=True, slots=True)
class _Every:
    """Goes over all items of an array or all values of an object."""


_Step = _Name | _Index | _Length | _Every


@dataclass(frozen=True, slots=True)
class Path:
    """A compiled path. `is_many` says whether it has a `[*]`, so that it may find several values."""

    text: str
    steps: tuple[_Step, ...]

    @property
    def is_many(self) -> bool:
        """Whether several values may be found."""
        return any(isinstance(step, _Every) for step in self.steps)


def compile_path(text: str) -> Path:
    """Compile a path. Raises `PathError` with the character at which it cannot be read."""
    if not text.startswith("$"):
        raise PathError(f"The JSON path {text!r} does not begin with `$`.")
    steps: list[_Step] = []
    position = 1
    while position < len(text):
        match = _STEP.match(text, position)
        if match is None or len(steps) == MAX_STEPS:
            raise PathError(
                f"The JSON path {text!r} cannot be read at {text[position:]!r} (character {position + 1}).",
                remedy="Write it like `$.jobs[0].state`, `$.jobs[*].state` or `$.jobs.length()`.",
            )
        steps.append(_read_step(match))
        position = match.end()
    return Path(text, tuple(steps))


def _read_step(match: re.Match[str]) -> _Step:
    if match["length"]:
        return _Length()
    if match["every"]:
        return _Every()
    if match["index"]:
        return _Index(int(match["index"]))
    return _Name(cast("str", match["name"] or match["double"] or match["single"]))


def walk(document: object, path: Path) -> object:
    """The value at the path, or `MISSING`. A path with `[*]` gives the list of the values that are there."""
    if not path.is_many:
        return next(_values(document, path.steps))
    every = walk_every(document, path)
    if isinstance(every, Absent):
        return every
    return [value for value in every if value is not MISSING]


def walk_every(document: object, path: Path) -> list[object] | Absent:
    """What the path finds below each item, `MISSING` where one lacks it; `MISSING` alone when nothing can be gone over."""
    values = list(_values(document, path.steps))
    return MISSING if values == [MISSING] and not _is_reached(document, path.steps) else values


def _is_reached(document: object, steps: tuple[_Step, ...]) -> bool:
    """Whether the first `[*]` stands on something that can be gone over."""
    before = steps[: next((n for n, step in enumerate(steps) if isinstance(step, _Every)), None)]
    return isinstance(next(_values(document, before)), list | dict)


def _values(document: object, steps: tuple[_Step, ...]) -> Iterator[object]:
    found: Iterable[object] = (document,)
    for step in steps:
        found = _follow_each(found, step)
    return iter(found)


def _follow_each(documents: Iterable[object], step: _Step) -> Iterator[object]:
    for document in documents:
        if not isinstance(step, _Every):
            yield _follow(document, step)
        elif isinstance(document, list):
            yield from document
        elif isinstance(document, dict):
            yield from document.values()
        else:
            yield MISSING


def _follow(document: object, step: _Name | _Index | _Length) -> object:
    if isinstance(step, _Length):
        return len(document) if isinstance(document, list | dict | str) else MISSING
    if isinstance(step, _Index):
        if not isinstance(document, list) or not -len(document) <= step.at < len(document):
            return MISSING
        return cast("list[object]", document)[step.at]
    return document.get(step.key, MISSING) if isinstance(document, dict) else MISSING
