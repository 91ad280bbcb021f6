"""What the keywords of one schema, without the schemas within it, admit less or more of than before."""

from collections.abc import Iterator, Mapping
from types import MappingProxyType

from lifesign.core.drift.canonical import Plain, same
from lifesign.core.drift.differences import Difference, Effect, Place
from lifesign.core.drift.schemas import (
    ONE_SCHEMA,
    SCHEMA_LISTS,
    SCHEMA_MAPS,
    Schema,
    structure,
    types_of,
    values_of,
)

_LOWER: Mapping[str, tuple[str, float | None]] = MappingProxyType(
    {
        "minimum": ("range", None),
        "exclusiveMinimum": ("range", None),
        "minLength": ("length", 0),
        "minItems": ("length", 0),
        "minProperties": ("length", 0),
        "minContains": ("length", 1),
    }
)
"""Keywords that admit less the larger they are, their kind, and what their absence stands for."""

_UPPER: Mapping[str, str] = MappingProxyType(
    {
        "maximum": "range",
        "exclusiveMaximum": "range",
        "maxLength": "length",
        "maxItems": "length",
        "maxProperties": "length",
        "maxContains": "length",
    }
)

_PLAIN: Mapping[str, str] = MappingProxyType(
    {
        "pattern": "pattern",
        "format": "format",
        "contentEncoding": "constraint",
        "contentMediaType": "constraint",
        "not": "constraint",
        "if": "constraint",
        "then": "constraint",
        "else": "constraint",
        "dependentRequired": "constraint",
        "dependentSchemas": "constraint",
        "dependencies": "constraint",
        "patternProperties": "constraint",
        "contentSchema": "constraint",
        "$ref": "constraint",
        "$dynamicRef": "constraint",
        "x-mcp-header": "header",
    }
)
"""Keywords of which only presence can be judged: a new one admits less, a lost one more, another one something else."""

_TOLD_ELSEWHERE = (
    frozenset(
        {"type", "enum", "const", "required", "default", "description", "title", "examples", "$comment"}
        | {"multipleOf", "uniqueItems", "$defs", "definitions", "properties", "anyOf", "oneOf", "allOf"}
    )
    | (ONE_SCHEMA | SCHEMA_LISTS | SCHEMA_MAPS | _LOWER.keys() | _UPPER.keys()) - _PLAIN.keys()
)  # fmt: skip


def type_difference(before: Schema, after: Schema, place: Place) -> Difference | None:
    """How the types changed, if they did."""
    old, new = types_of(before), types_of(after)
    if old == new:
        return None
    effect = Effect.CHANGED
    if new < old:
        effect = Effect.NARROWED
    elif old < new:
        effect = Effect.WIDENED
    return Difference("type", effect, place.at("type"), before.get("type"), after.get("type"))


def constraints(before: Schema, after: Schema, place: Place) -> Iterator[Difference]:
    """Every difference of the keywords of these two schemas but for `type`, texts and the schemas within."""
    yield from _values(before, after, place)
    for keyword in sorted((before.keys() | after.keys()) - _TOLD_ELSEWHERE):
        yield from _presence(keyword, before, after, place)
    for keyword, (kind, absent) in _LOWER.items():
        yield from _bound(keyword, before, after, place, kind=kind, absent=absent, is_lower=True)
    for keyword, kind in _UPPER.items():
        yield from _bound(keyword, before, after, place, kind=kind, absent=None, is_lower=False)
    yield from _step(before, after, place)
    if (before.get("uniqueItems") is True) != (after.get("uniqueItems") is True):
        effect = Effect.NARROWED if after.get("uniqueItems") is True else Effect.WIDENED
        yield _difference(
            "constraint", effect, "uniqueItems", before=before, after=after, place=place
        )


def _values(before: Schema, after: Schema, place: Place) -> Iterator[Difference]:
    old, new = values_of(before), values_of(after)
    if old is new is None or (old is not None and new is not None and old.keys() == new.keys()):
        return
    effect = Effect.CHANGED
    if old is None or (new is not None and new.keys() < old.keys()):
        effect = Effect.NARROWED
    elif new is None or old.keys() < new.keys():
        effect = Effect.WIDENED
    listed = [None if each is None else list(each.values()) for each in (old, new)]
    yield Difference("enum", effect, place.at("enum"), listed[0], listed[1])


def _presence(keyword: str, before: Schema, after: Schema, place: Place) -> Iterator[Difference]:
    old, new = structure(before.get(keyword)), structure(after.get(keyword))
    if same(old, new):
        return
    kind = _PLAIN.get(keyword)
    if kind is None:
        yield _difference("keyword", Effect.INFO, keyword, before=before, after=after, place=place)
        return
    effect = Effect.CHANGED
    if kind != "header" and keyword not in before:
        effect = Effect.NARROWED
    elif kind != "header" and keyword not in after:
        effect = Effect.WIDENED
    yield _difference(kind, effect, keyword, before=before, after=after, place=place)


def _bound(
    keyword: str,
    before: Schema,
    after: Schema,
    place: Place,
    *,
    kind: str,
    absent: float | None,
    is_lower: bool,
) -> Iterator[Difference]:
    if before.get(keyword) == after.get(keyword):
        return
    old, new = (_number(each.get(keyword, absent)) for each in (before, after))
    if old == new:
        return
    is_less = old is None or (new is not None and (new > old) == is_lower)
    effect = Effect.NARROWED if is_less else Effect.WIDENED
    yield _difference(kind, effect, keyword, before=before, after=after, place=place)


def _number(value: Plain) -> float | None:
    """A bound as a number; None where there is none (draft 4 wrote exclusiveMinimum as true, which is no number)."""
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


def _step(before: Schema, after: Schema, place: Place) -> Iterator[Difference]:
    old, new = _number(before.get("multipleOf")), _number(after.get("multipleOf"))
    if old == new:
        return
    effect = Effect.CHANGED
    if not old or (new and new % old == 0):
        effect = Effect.NARROWED
    elif not new or old % new == 0:
        effect = Effect.WIDENED
    yield _difference("range", effect, "multipleOf", before=before, after=after, place=place)


def _difference(
    kind: str, effect: Effect, keyword: str, *, before: Schema, after: Schema, place: Place
) -> Difference:
    return Difference(kind, effect, place.at(keyword), before.get(keyword), after.get(keyword))
