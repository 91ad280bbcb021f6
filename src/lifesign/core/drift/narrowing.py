"""What changed between two JSON Schemas, and whether the later one admits less, more or something else.

The walk goes down properties, items, variants (anyOf, oneOf, allOf) and local references, pairs what belongs together,
and tells each difference where it stands. It knows nothing of tools: who is hurt by less or more is judged elsewhere.
"""

from collections.abc import Iterator, Sequence

from lifesign.core.drift.canonical import Plain, encode, same
from lifesign.core.drift.constraints import constraints, type_difference
from lifesign.core.drift.differences import Difference, Effect, Place
from lifesign.core.drift.likeness import ALIKE, likeness, tokens
from lifesign.core.drift.schemas import (
    TEXTS,
    Schema,
    as_schema,
    is_nothing,
    resolve,
    structure,
    types_of,
)

_MAX_LEVELS = 60
"""Levels of schemas within schemas that are told apart; what lies deeper is one difference."""

_MAX_RENAMED = 30
"""So many properties that went are compared with so many that came."""

_REFERENCE = b'"$ref"'
_VARIANTS = ("anyOf", "oneOf")
_WITHIN = ("items", "contains", "propertyNames", "additionalItems", "unevaluatedItems")


def differences(before: Plain, after: Plain) -> Iterator[Difference]:
    """Every difference between two schemas, in the order of the walk; nothing for schemas that say the same."""
    if not same(before, after):
        walk = _Walk(before, after)
        yield from walk.schemas(as_schema(before), as_schema(after), Place())


class _Walk:
    """One comparison: the two whole schemas that references lead into, and the pairs of references followed."""

    def __init__(self, before: Plain, after: Plain) -> None:
        self._roots = (before, after)
        self._followed: set[tuple[str, str]] = set()
        self._has_references = _REFERENCE in encode([before, after])

    def schemas(self, before: Schema, after: Schema, place: Place) -> Iterator[Difference]:
        """Everything that differs between two schemas and below."""
        if same(dict(before), dict(after)) and not self._refers(dict(before)):
            return
        if place.level > _MAX_LEVELS:
            if not same(structure(dict(before)), structure(dict(after))):
                yield Difference("constraint", Effect.CHANGED, place, dict(before), dict(after))
            return
        old, old_reference = resolve(before, self._roots[0])
        new, new_reference = resolve(after, self._roots[1])
        if old_reference and new_reference:
            # What both sides refer to is compared where it is met first; circles end here too.
            if (old_reference, new_reference) in self._followed:
                return
            self._followed.add((old_reference, new_reference))
        yield from _texts(old, new, place)
        if is_nothing(old) != is_nothing(new):
            effect = Effect.NARROWED if is_nothing(new) else Effect.WIDENED
            yield Difference("constraint", effect, place, dict(before), dict(after))
            return
        yield from self._bodies(old, new, place)

    def _refers(self, schema: Plain) -> bool:
        """Whether something may have changed below although the schema reads the same."""
        return self._has_references and _REFERENCE in encode(schema)

    def _bodies(self, old: Schema, new: Schema, place: Place) -> Iterator[Difference]:
        variants = _variants_of(old), _variants_of(new)
        if variants[0] is not None or variants[1] is not None:
            if variants[0] is None or variants[1] is None:
                # One side has variants only: the other is the single variant of itself.
                yield from self._variants(_spread(old), _spread(new), place)
                return
            yield from self._variants(variants[0], variants[1], place)
        difference = type_difference(old, new, place)
        if difference is not None:
            yield difference
            if not types_of(old) & types_of(new):
                return
        yield from constraints(old, new, place)
        yield from self._properties(old, new, place)
        yield from self._closing(old, new, place)
        yield from self._within(old, new, place)
        yield from self._lists(old, new, place)

    def _properties(self, old: Schema, new: Schema, place: Place) -> Iterator[Difference]:
        before, after = _members(old.get("properties")), _members(new.get("properties"))
        must = _names(old.get("required")), _names(new.get("required"))
        went = [name for name in before if name not in after]
        came = [name for name in after if name not in before]
        renamed = _renamed(before, went, after, came)
        for name in went:
            if name not in renamed:
                yield Difference(
                    "removed", Effect.CHANGED, _property(place, name), before[name], None
                )
        for name in came:
            if name not in renamed.values():
                kind, effect = (
                    ("required_added", Effect.NARROWED)
                    if name in must[1]
                    else ("added", Effect.ADDED)
                )
                yield Difference(kind, effect, _property(place, name), None, after[name])
        for name, then in renamed.items():
            yield Difference("renamed", Effect.CHANGED, _property(place, name), name, then)
        for name in sorted(before.keys() & after.keys()):
            yield from self._member(name, (before[name], after[name]), must, place)
        for name in sorted((must[0] ^ must[1]) - before.keys() - after.keys()):
            yield _obligation(name, must, _property(place, name))

    def _member(
        self, name: str, pair: tuple[Plain, Plain], must: tuple[set[str], set[str]], place: Place
    ) -> Iterator[Difference]:
        where = _property(place, name)
        if (name in must[0]) != (name in must[1]):
            yield _obligation(name, must, where)
        yield from self.schemas(as_schema(pair[0]), as_schema(pair[1]), where)

    def _closing(self, old: Schema, new: Schema, place: Place) -> Iterator[Difference]:
        """Whether members that are not named are admitted."""
        for keyword in ("additionalProperties", "unevaluatedProperties"):
            before, after = old.get(keyword, True), new.get(keyword, True)
            shut = is_nothing(as_schema(before)), is_nothing(as_schema(after))
            if shut[0] != shut[1]:
                kind, effect = (
                    ("closed", Effect.NARROWED) if shut[1] else ("opened", Effect.WIDENED)
                )
                yield Difference(
                    kind, effect, place.at(keyword), old.get(keyword), new.get(keyword)
                )
            elif keyword in old or keyword in new:
                where = place.within(keyword, "*")
                yield from self.schemas(as_schema(before), as_schema(after), where)

    def _within(self, old: Schema, new: Schema, place: Place) -> Iterator[Difference]:
        for keyword in _WITHIN:
            before, after = old.get(keyword), new.get(keyword)
            where = place.within(keyword, "[]")
            if isinstance(before, list) or isinstance(after, list):
                # Draft 7 wrote tuples so.
                yield from self._tuples(before, after, where)
            elif keyword in old and keyword in new:
                yield from self.schemas(as_schema(before), as_schema(after), where)
            elif not same(dict(as_schema(before)), dict(as_schema(after))):
                effect = Effect.NARROWED if keyword in new else Effect.WIDENED
                yield Difference("constraint", effect, where, before, after)

    def _lists(self, old: Schema, new: Schema, place: Place) -> Iterator[Difference]:
        yield from self._tuples(
            old.get("prefixItems"), new.get("prefixItems"), place.within("prefixItems", "[]")
        )
        before, after = _list(old.get("allOf")), _list(new.get("allOf"))
        yield from self._paired(before, after, place.within("allOf"), is_choice=False)

    def _tuples(self, before: Plain, after: Plain, place: Place) -> Iterator[Difference]:
        old, new = _list(before), _list(after)
        for at, (one, other) in enumerate(zip(old, new, strict=False)):
            yield from self.schemas(as_schema(one), as_schema(other), place.within(str(at)))
        if len(old) != len(new):
            effect = Effect.NARROWED if len(new) > len(old) else Effect.WIDENED
            yield Difference("constraint", effect, place, before, after)

    def _variants(
        self, old: Sequence[Plain], new: Sequence[Plain], place: Place
    ) -> Iterator[Difference]:
        yield from self._paired(old, new, place.within("anyOf"), is_choice=True)

    def _paired(
        self, old: Sequence[Plain], new: Sequence[Plain], place: Place, *, is_choice: bool
    ) -> Iterator[Difference]:
        """Lists of schemas: what is equal is set aside, what has the same types is compared, the rest went or came."""
        pairs, went, came = _matched(old, new)
        for at, (one, other) in enumerate(pairs):
            yield from self.schemas(as_schema(one), as_schema(other), place.within(str(at)))
        lost, won = (
            (Effect.NARROWED, Effect.WIDENED) if is_choice else (Effect.WIDENED, Effect.NARROWED)
        )
        kinds = ("variant_removed", "variant_added") if is_choice else ("constraint", "constraint")
        for each in went:
            yield Difference(kinds[0], lost, place, each, None)
        for each in came:
            yield Difference(kinds[1], won, place, None, each)


def _texts(old: Schema, new: Schema, place: Place) -> Iterator[Difference]:
    for keyword in ("description", "title", "default", "examples"):
        if not same(old.get(keyword), new.get(keyword)):
            where = place.at(keyword)
            yield Difference(keyword, Effect.TEXT, where, old.get(keyword), new.get(keyword))


def _variants_of(schema: Schema) -> list[Plain] | None:
    for keyword in _VARIANTS:
        listed = schema.get(keyword)
        if isinstance(listed, list):
            return listed
    return None


def _spread(schema: Schema) -> list[Plain]:
    """A schema as a list of variants, each complete; without texts, which are told of the whole."""
    rest: dict[str, Plain] = {
        name: each for name, each in schema.items() if name not in TEXTS and name not in _VARIANTS
    }
    variants = _variants_of(schema)
    if variants is not None:
        return [{**rest, **as_schema(each)} for each in variants]
    types = rest.get("type")
    if isinstance(types, list):
        return [{**rest, "type": each} for each in types]
    return [rest]


def _matched(
    old: Sequence[Plain], new: Sequence[Plain]
) -> tuple[list[tuple[Plain, Plain]], list[Plain], list[Plain]]:
    """Pairs of schemas that belong together, and what is left of both lists.

    First those of one structure, then those of the same types, then those with a type in common.
    """
    pairs: list[tuple[Plain, Plain]] = []
    went, came = list(old), list(new)
    for label in (_structure_of, _types_of, _family_of):
        waiting: dict[bytes, list[Plain]] = {}
        for each in came:
            waiting.setdefault(label(each), []).append(each)
        left: list[Plain] = []
        for each in went:
            same = waiting.get(label(each))
            if same:
                pairs.append((each, same.pop(0)))
            else:
                left.append(each)
        went, came = left, [each for group in waiting.values() for each in group]
    return pairs, went, came


def _structure_of(schema: Plain) -> bytes:
    return encode(structure(schema))


def _types_of(schema: Plain) -> bytes:
    """The types, or the whole structure of what says none: a bare reference has nothing else to be paired by."""
    if "type" not in as_schema(schema):
        return _structure_of(schema)
    return " ".join(sorted(types_of(as_schema(schema)))).encode()


def _family_of(schema: Plain) -> bytes:
    """The first type but for null, with integers and numbers as one."""
    if "type" not in as_schema(schema):
        return _structure_of(schema)
    named = sorted(types_of(as_schema(schema)) - {"null"}) or ["null"]
    return b"number" if named[0] in {"integer", "number"} else named[0].encode()


def _renamed(
    before: Schema, went: Sequence[str], after: Schema, came: Sequence[str]
) -> dict[str, str]:
    """Which properties only changed their names: alike in structure and text, or alone in going and coming."""
    found: dict[str, str] = {}
    for name in went[:_MAX_RENAMED]:
        for then in came[:_MAX_RENAMED]:
            if then not in found.values() and _is_renamed(
                before[name], after[then], is_alone=len(went) == len(came) == 1
            ):
                found[name] = then
                break
    return found


def _is_renamed(old: Plain, new: Plain, *, is_alone: bool) -> bool:
    said = [str(as_schema(each).get("description", "")) for each in (old, new)]
    if same(structure(old), structure(new)) and (
        said[0] == said[1] != "" or (is_alone and "" in said)
    ):
        return True
    return "" not in said and likeness(tokens(old, said[0]), tokens(new, said[1])) >= ALIKE


def _obligation(name: str, must: tuple[set[str], set[str]], place: Place) -> Difference:
    is_new = name in must[1]
    kind, effect = ("required", Effect.NARROWED) if is_new else ("optional", Effect.WIDENED)
    return Difference(kind, effect, place, not is_new, is_new)


def _property(place: Place, name: str) -> Place:
    return place.within(f"properties.{name}", name)


def _members(value: Plain) -> Schema:
    return value if isinstance(value, dict) else {}


def _list(value: Plain) -> list[Plain]:
    return value if isinstance(value, list) else []


def _names(value: Plain) -> set[str]:
    return {each for each in _list(value) if isinstance(each, str)}
