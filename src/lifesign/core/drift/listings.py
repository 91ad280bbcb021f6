"""What changed in the lists that a server publishes: items that came, went and were renamed, and what is within them."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from lifesign.core.drift.canonical import Plain, same
from lifesign.core.drift.impacts import (
    ARGUMENTS,
    INPUT,
    OUTPUT,
    Side,
    classify,
    quoted,
    shown,
    text_change,
)
from lifesign.core.drift.likeness import pairs, tokens
from lifesign.core.drift.narrowing import differences
from lifesign.core.drift.tampering import IsOther, nobody, signs
from lifesign.core.drift.values import Change, Impact

Item = Mapping[str, Plain]
Items = dict[str, Item]

_SUBJECT = 200
_SHRUNK_BY = 5
_SHRUNK_TO = 0.5
"""A list that lost at least five items and half of itself in one look: more often a broken start than a decision."""

_HINTS: Mapping[str, tuple[str, bool]] = MappingProxyType(
    {
        "readOnlyHint": ("read_only_hint_flipped", False),
        "destructiveHint": ("destructive_hint_flipped", True),
        "idempotentHint": ("idempotent_hint_flipped", False),
        "openWorldHint": ("open_world_hint_flipped", True),
    }
)
"""The hints, with what their absence stands for (MCP schema, ToolAnnotations)."""

_WRITERS = ("destructiveHint", "idempotentHint")
"""Hints that mean something only of a tool that is not read-only."""


def compare_tools(old: Plain, new: Plain) -> Iterator[Change]:
    """Every change between two lists of tools."""
    match = _match(old, new, "name")
    yield from _came_and_went("tool", match)
    for name in match.added:
        yield from _poison(_subject("tool", name), match.after[name])
    names = frozenset(match.before.keys() | match.after.keys())
    for was, now, subject in match.both("tool"):
        yield from _tool(was, now, subject, names)


def compare_prompts(old: Plain, new: Plain) -> Iterator[Change]:
    """Every change between two lists of prompts; their arguments are compared as parameters are."""
    match = _match(old, new, "name")
    yield from _came_and_went("prompt", match)
    for was, now, subject in match.both("prompt"):
        found = [*_texts(was, now, subject)]
        found += _schemas(_arguments(was), _arguments(now), ARGUMENTS, subject=subject)
        yield from found or [_unnamed(was, now, subject)]


def compare_resources(kind: str, old: Plain, new: Plain) -> Iterator[Change]:
    """Every change between two lists of `resources`, or of `resourceTemplates`."""
    key, word = ("uri", "resource") if kind == "resources" else ("uriTemplate", "resource template")
    match = _match(old, new, key)
    yield from _came_and_went(word, match)
    for was, now, subject in match.both(word):
        yield from [*_resource(was, now, subject)] or [_unnamed(was, now, subject)]


@dataclass(frozen=True, slots=True)
class _Match:
    """Two lists by the names of their items, and which of them belong together."""

    before: Items
    after: Items
    renamed: Mapping[str, str]
    removed: tuple[str, ...]
    added: tuple[str, ...]

    def both(self, word: str) -> Iterator[tuple[Item, Item, str]]:
        """The items that are on both lists and differ, with their subject; the renamed ones last."""
        for name in sorted(self.before.keys() & self.after.keys()):
            if not same(dict(self.before[name]), dict(self.after[name])):
                yield self.before[name], self.after[name], _subject(word, name)
        for name, then in self.renamed.items():
            was = {**self.before[name], "name": then}
            if not same(was, dict(self.after[then])):
                yield was, self.after[then], _subject(word, then)


def _match(old: Plain, new: Plain, key: str) -> _Match:
    before, after = _by(old, key), _by(new, key)
    went = sorted(before.keys() - after.keys())
    came = sorted(after.keys() - before.keys())
    renamed: dict[str, str] = {}
    if key == "name":
        # An address is no name: what has another one is another thing.
        renamed = dict(
            _alike([(each, before[each]) for each in went], [(each, after[each]) for each in came])
        )
    removed = tuple([name for name in went if name not in renamed])
    added = tuple([name for name in came if name not in set(renamed.values())])
    return _Match(before, after, renamed, removed, added)


def _alike(
    went: Sequence[tuple[str, Item]], came: Sequence[tuple[str, Item]]
) -> Iterator[tuple[str, str]]:
    for (name, _), (then, _) in pairs(went, came, of=_tokens):
        yield name, then


def _tokens(named: tuple[str, Item]) -> Counter[str]:
    item = named[1]
    return tokens(item.get("inputSchema") or _arguments(item), str(item.get("description", "")))


def _by(listed: Plain, key: str) -> Items:
    """Items by their names; those that share one are told apart by their number."""
    items: Items = {}
    for each in listed if isinstance(listed, list) else []:
        if isinstance(each, dict):
            name, count = str(each.get(key, "")), 2
            unique = name
            while unique in items:
                unique, count = f"{name} ({count})", count + 1
            items[unique] = each
    return items


def _came_and_went(word: str, match: _Match) -> Iterator[Change]:
    code, before, after = word.replace(" ", "_"), len(match.before), len(match.after)
    if before and not after:
        message = (
            f"All {before} {word}s are gone: the list is empty."
            if before > 1
            else f"The only {word} is gone."
        )
        yield Change("list_emptied", Impact.BREAKING, f"{word}s", "", str(before), "0", message)
        return
    if len(match.removed) >= max(_SHRUNK_BY, before * _SHRUNK_TO):
        message = f"{len(match.removed)} of {before} {word}s are gone at once."
        yield Change(
            "list_shrunk", Impact.BREAKING, f"{word}s", "", str(before), str(after), message
        )
    for name in match.removed:
        message = f"{_capital(word)} {quoted(name)} was removed."
        was = shown(dict(match.before[name]))
        yield Change(f"{code}_removed", Impact.BREAKING, _subject(word, name), "", was, "", message)
    for name, then in match.renamed.items():
        message = f"{_capital(word)} {quoted(name)} seems to be called {quoted(then)} now."
        yield Change(
            f"{code}_renamed",
            Impact.BREAKING,
            _subject(word, name),
            "name",
            shown(name),
            shown(then),
            message,
        )
    for name in match.added:
        message = f"{_capital(word)} {quoted(name)} was added."
        now = shown(dict(match.after[name]))
        yield Change(f"{code}_added", Impact.ADDITIVE, _subject(word, name), "", "", now, message)


def _tool(was: Item, now: Item, subject: str, names: frozenset[str]) -> Iterator[Change]:
    own = {was.get("name"), now.get("name")}

    def is_other(word: str) -> bool:
        return word in names and word not in own

    found = [*_texts(was, now, subject, is_other)]
    found += _schemas(
        was.get("inputSchema"), now.get("inputSchema"), INPUT, subject=subject, is_other=is_other
    )
    found += _output(was.get("outputSchema"), now.get("outputSchema"), subject)
    found += _annotations(_members(was), _members(now), subject)
    yield from found or [_unnamed(was, now, subject)]


def _texts(was: Item, now: Item, subject: str, is_other: IsOther = nobody) -> Iterator[Change]:
    for kind in ("description", "title"):
        values = was.get(kind), now.get(kind)
        if not same(*values):
            yield text_change(kind, values, subject, path=kind, what=subject, is_other=is_other)


def _schemas(
    was: Plain, now: Plain, side: Side, *, subject: str, is_other: IsOther = nobody
) -> Iterator[Change]:
    for difference in differences(was, now):
        yield classify(difference, side, subject, is_other=is_other)


def _output(was: Plain, now: Plain, subject: str) -> Iterator[Change]:
    if was is not None and now is not None:
        yield from _schemas(was, now, OUTPUT, subject=subject)
    elif was is not None:
        message = f"{_capital(subject)} no longer declares what it returns."
        yield Change(
            "output_schema_removed",
            Impact.BREAKING,
            subject,
            "outputSchema",
            shown(was),
            "",
            message,
        )
    elif now is not None:
        message = f"{_capital(subject)} declares what it returns now."
        yield Change(
            "output_schema_added", Impact.ADDITIVE, subject, "outputSchema", "", shown(now), message
        )


def _members(item: Item) -> Item:
    annotations = item.get("annotations")
    return annotations if isinstance(annotations, dict) else {}


def _annotations(was: Item, now: Item, subject: str) -> Iterator[Change]:
    is_reader = was.get("readOnlyHint") is True and now.get("readOnlyHint") is True
    for name in sorted(was.keys() | now.keys()):
        if same(was.get(name), now.get(name)):
            continue
        path, before, after = f"annotations.{name}", shown(was.get(name)), shown(now.get(name))
        code, absent = _HINTS.get(name, ("", None))
        if name == "title":
            yield text_change(
                "title", (was.get(name), now.get(name)), subject, path=path, what=subject
            )
        elif (
            code
            and not same(was.get(name, absent), now.get(name, absent))
            and not (is_reader and name in _WRITERS)
        ):
            told = str(now.get(name, absent)).lower()
            message = f"{_capital(subject)} says {name}: {told} now; clients may ask people less, or more, before it runs."
            yield Change(code, Impact.HINT, subject, path, before, after, message)
        else:
            message = f"The annotation {quoted(name)} of {subject} changed."
            yield Change("annotation_changed", Impact.INFO, subject, path, before, after, message)


def _resource(was: Item, now: Item, subject: str) -> Iterator[Change]:
    yield from _texts(was, now, subject)
    before, after = was.get("name"), now.get("name")
    if not same(before, after):
        yield text_change("name", (before, after), subject, path="name", what=subject)
    before, after = was.get("mimeType"), now.get("mimeType")
    if not same(before, after):
        told = [str(each or "none")[:80] for each in (before, after)]
        message = f"{_capital(subject)} changed its content type from {told[0]} to {told[1]}."
        # A type that is told for the first time takes nothing from anybody.
        impact = Impact.BREAKING if before else Impact.INFO
        yield Change(
            "mime_type_changed", impact, subject, "mimeType", shown(before), shown(after), message
        )
    for name in sorted(_members(was).keys() | _members(now).keys()):
        before, after = _members(was).get(name), _members(now).get(name)
        if not same(before, after):
            message = f"The annotation {quoted(name)} of {subject} changed."
            path = f"annotations.{name}"
            yield Change(
                "annotation_changed",
                Impact.INFO,
                subject,
                path,
                shown(before),
                shown(after),
                message,
            )


def _arguments(prompt: Item) -> Plain:
    """A prompt's arguments as the schema that a tool would have for them."""
    listed = prompt.get("arguments")
    named = _by(listed, "name")
    properties: dict[str, Plain] = {
        name: {key: each for key, each in item.items() if key not in {"name", "required"}}
        for name, item in named.items()
    }
    required: list[Plain] = [name for name, item in named.items() if item.get("required") is True]
    return {"properties": properties, "required": required, "type": "object"}


def _poison(subject: str, item: Item) -> Iterator[Change]:
    """A new tool's description is new text as well; only the strong signs count in it."""
    description = item.get("description")
    if isinstance(description, str) and signs("", description, is_mild=False):
        yield text_change(
            "description",
            (None, description),
            subject,
            path="description",
            what=subject,
            is_mild=False,
        )


def _unnamed(was: Item, now: Item, subject: str) -> Change:
    """Two items differ in what no rule knows, such as the order of a list that means a set."""
    message = f"The definition of {subject} is written otherwise; what it says seems the same."
    return Change(
        "definition_changed", Impact.INFO, subject, "", shown(dict(was)), shown(dict(now)), message
    )


def _subject(word: str, name: str) -> str:
    return f"{word} {name[:_SUBJECT]}"


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
