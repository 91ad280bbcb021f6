"""Whom a difference hurts, and the sentence for it.

What goes in and what comes out are mirror images: a call fails when less is taken than before, and a caller stumbles
when more comes back than before, or when something that it relied on does not.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from lifesign.core.drift.canonical import Plain, encode
from lifesign.core.drift.differences import Difference, Effect
from lifesign.core.drift.tampering import IsOther, nobody, signs
from lifesign.core.drift.values import Change, Impact

_SHORT = 300
_NAME = 80
_WORTH = 40
"""Characters of a value within a sentence."""

_IN: Mapping[Effect, Impact] = MappingProxyType(
    {
        Effect.NARROWED: Impact.BREAKING,
        Effect.WIDENED: Impact.ADDITIVE,
        Effect.CHANGED: Impact.BREAKING,
        Effect.ADDED: Impact.ADDITIVE,
        Effect.TEXT: Impact.TEXT,
        Effect.INFO: Impact.INFO,
    }
)
_OUT: Mapping[Effect, Impact] = MappingProxyType(
    {**_IN, Effect.NARROWED: Impact.ADDITIVE, Effect.WIDENED: Impact.BREAKING}
)

_FIXED_CODES: Mapping[str, str] = MappingProxyType(
    {
        "description": "description_changed",
        "title": "title_changed",
        "default": "default_changed",
        "examples": "examples_changed",
        "keyword": "keyword_changed",
    }
)
_OWN_WORDS = frozenset(
    {"removed", "renamed", "added", "required", "optional", "closed", "opened"}
    | {"variant_removed", "variant_added"}
)
_SENTENCES: Mapping[str, str] = MappingProxyType(
    {
        "removed": "{What} was removed.",
        "renamed": "{What} is called {after} now.",
        "added": "{What} was added and may be left out.",
        "required_added": "{What} was added and must be given.",
        "required": "{What} must be given now.",
        "optional": "{What} may be left out now.",
        "closed": "{What} admits no undeclared members any more.",
        "opened": "{What} admits undeclared members now.",
        "variant_removed": "{What} lost one of its alternatives.",
        "variant_added": "{What} has one more alternative.",
        "keyword": "{What} is annotated otherwise.",
        "header": "{What} is carried by another header.",
    }
)
_EFFECTS: Mapping[Effect, str] = MappingProxyType(
    {
        Effect.NARROWED: "{What} admits less than before: {kind} {before} → {after}.",
        Effect.WIDENED: "{What} admits more than before: {kind} {before} → {after}.",
        Effect.CHANGED: "{What} admits something else than before: {kind} {before} → {after}.",
    }
)


@dataclass(frozen=True, slots=True)
class Side:
    """Which schema of an item is looked at: `prefix` of codes, word for a member and for the whole, way to it."""

    prefix: str
    member: str
    whole: str
    path: str
    is_output: bool = False


INPUT = Side("parameter", "parameter", "the input", "inputSchema")
OUTPUT = Side("output", "output field", "the output", "outputSchema", is_output=True)
ARGUMENTS = Side("argument", "argument", "the arguments", "arguments")


def quoted(name: str) -> str:
    """A name of theirs within a sentence of ours."""
    return f"‘{name[:_NAME]}…’" if len(name) > _NAME else f"‘{name}’"


def shown(value: Plain) -> str:
    """A value as short JSON; empty for what is not there."""
    if value is None:
        return ""
    said = encode(value).decode()
    return said if len(said) <= _SHORT else f"{said[: _SHORT - 1]}…"


def classify(difference: Difference, side: Side, subject: str, *, is_other: IsOther) -> Change:
    """The change that a difference of a schema of `subject` is. `is_other` knows the names of the other tools."""
    place = difference.place
    path = ".".join(each for each in (side.path, place.path) if each)[:_SHORT]
    named = f"{side.member} {quoted(place.name)}" if place.name else side.whole
    if difference.effect is Effect.TEXT:
        return text_change(
            difference.kind,
            (difference.before, difference.after),
            subject,
            path=path,
            what=f"{named} of {subject}",
            is_other=is_other,
        )
    impact = (_OUT if side.is_output else _IN)[difference.effect]
    what = f"{named} of {subject}"
    template = _SENTENCES.get(difference.kind) or _EFFECTS.get(difference.effect, "{What} changed.")
    message = template.format(
        What=what[:1].upper() + what[1:],
        kind=difference.kind,
        before=_worth(difference.before),
        after=_worth(difference.after),
    )
    before, after = shown(difference.before), shown(difference.after)
    return Change(_code(difference, side), impact, subject, path, before, after, message)


def _code(difference: Difference, side: Side) -> str:
    fixed = _FIXED_CODES.get(difference.kind)
    if fixed is not None:
        return fixed
    if difference.kind == "required_added":
        return f"required_{side.prefix}_added"
    if difference.kind in _OWN_WORDS:
        return f"{side.prefix}_{difference.kind}"
    return f"{side.prefix}_{difference.kind}_{difference.effect.value}"


def text_change(
    kind: str,
    values: tuple[Plain, Plain],
    subject: str,
    *,
    path: str,
    what: str,
    is_other: IsOther = nobody,
    is_mild: bool = True,
) -> Change:
    """A text that models read is another one: `description`, `title`, `instructions`, or a `default`, `examples`."""
    before, after = (each if isinstance(each, str) else shown(each) for each in values)
    found = signs(before, after, is_other=is_other, is_mild=is_mild)
    code, message = f"{kind}_changed", f"The {kind} of {what} changed."
    if found:
        kind_of_code = kind if kind in {"title", "instructions"} else "description"
        code = f"{kind_of_code}_suspicious"
        verb = "holds" if values[0] is None else "changed and now holds"
        message = (
            f"The {kind} of {what} {verb} {'; '.join(found)}. "
            "Read it before trusting it: such text can steer a model."
        )
    return Change(code, Impact.TEXT, subject, path, shown(values[0]), shown(values[1]), message)


def _worth(value: Plain) -> str:
    said = shown(value) or "any"
    return said if len(said) <= _WORTH else f"{said[: _WORTH - 1]}…"
