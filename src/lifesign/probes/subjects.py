"""What conditions may ask of a kind: its facts by dotted name, and what it leaves of an answer to look into."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from lifesign.config.problems import nearest
from lifesign.core.condition import Condition
from lifesign.core.errors import InvalidError
from lifesign.probes.registry import Kind

_NEEDS: Mapping[str, tuple[str, ...]] = {"header": ("headers",), "json": ("json", "body")}
"""Which parts of `Kind.content` a function of conditions looks into: any one of them will do."""

_FUNCTIONS: Mapping[str, str] = {"headers": 'header("…")', "json": 'json("$…")'}
"""How people write the parts of content that are no plain text."""


@dataclass(frozen=True, slots=True)
class Subjects:
    """The names that a kind declares; below an `open_prefixes` entry (`labels.`) any name may come."""

    facts: tuple[str, ...]
    open_prefixes: tuple[str, ...]
    content: tuple[str, ...]

    def problem(self, subject: str) -> str:
        """Why this subject could never be found, with what was probably meant; empty when it may be."""
        function, is_call, _ = subject.partition("(")
        if is_call:
            return "" if set(_NEEDS[function]) & set(self.content) else self._unreadable(function)
        plain = (*self.facts, *(name for name in self.content if name not in _FUNCTIONS))
        if subject in plain or subject.startswith(self.open_prefixes):
            return ""
        hint = nearest(subject, plain) or _FUNCTIONS.get(subject if subject in self.content else "")
        asked = f"there is no fact {subject!r}"
        return f"{asked}. Did you mean {hint!r}?" if hint else f"{asked}; {self._known(plain)}"

    def _unreadable(self, function: str) -> str:
        what = "headers" if function == "header" else "body"
        return (
            f"{function}(…) needs {what}, which this kind does not keep; {self._known(self.facts)}"
        )

    def _known(self, names: tuple[str, ...]) -> str:
        """The known names in few words: nested ones stand under what they have in common."""
        short = [name if name.count(".") == 0 else f"{name.split('.')[0]}.…" for name in names]
        return f"known are {', '.join(dict.fromkeys(short))}" if short else "it has none"


def subjects_of(kind: Kind) -> Subjects:
    """What conditions may ask of a kind, from its facts model and its registered content."""
    schema = kind.facts.model_json_schema(mode="serialization")
    names = tuple(_names(schema, schema.get("$defs", {}), prefix=""))
    return Subjects(
        facts=tuple(name for name in names if name and not name.endswith(".")),
        open_prefixes=tuple(name for name in names if name == "" or name.endswith(".")),
        content=kind.content,
    )


def require_known(kind: Kind, conditions: tuple[Condition, ...]) -> None:
    """Raise InvalidError for the first condition that asks for what the kind never tells."""
    subjects = subjects_of(kind)
    for condition in conditions:
        if problem := subjects.problem(condition.subject):
            raise InvalidError(
                f"The condition {condition.text!r} cannot hold for the kind {kind.name}: {problem}"
                + ("" if problem.endswith("?") else ".")
            )


def _names(schema: Mapping[str, Any], defs: Mapping[str, Any], *, prefix: str) -> Iterator[str]:
    """Dotted names; the prefix itself (ending in a dot, or empty at the top) where any name may follow."""
    if schema.get("additionalProperties"):
        yield prefix
    for name, declared in schema.get("properties", {}).items():
        below = _resolved(declared, defs)
        if below.get("type") == "object":
            yield from _names(below, defs, prefix=f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}"


def _resolved(prop: Mapping[str, Any], defs: Mapping[str, Any]) -> Mapping[str, Any]:
    """The schema behind a reference, or behind the one that is not null of an optional."""
    if "$ref" in prop:
        return _resolved(defs[prop["$ref"].rsplit("/", 1)[-1]], defs)
    choices = [choice for choice in prop.get("anyOf", ()) if choice.get("type") != "null"]
    return _resolved(choices[0], defs) if len(choices) == 1 else prop
