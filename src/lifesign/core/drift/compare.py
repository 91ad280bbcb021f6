"""What changed between two surfaces: each change named, classified by whom it hurts, the worst first."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice

import msgspec

from lifesign.core.drift.canonical import Plain, same
from lifesign.core.drift.impacts import quoted, shown, text_change
from lifesign.core.drift.listings import compare_prompts, compare_resources, compare_tools
from lifesign.core.drift.values import Change, Impact

MAX_CHANGES = 500
"""Changes that are told one by one; a last one then says how many more there are."""

_MAX_COLLECTED = 20_000
_FIRST = ("list_emptied", "list_shrunk", "tool_removed", "tool_renamed")
"""What explains the others goes before them."""


def compare(before: bytes, after: bytes) -> tuple[Change, ...]:
    """Every change between two documents as `surface_of` writes them, worst first; always in the same order."""
    old, new = msgspec.json.decode(before), msgspec.json.decode(after)
    changes = sorted(islice(_changes(old, new), _MAX_COLLECTED), key=_order)
    if len(changes) <= MAX_CHANGES:
        return tuple(changes)
    return (*changes[:MAX_CHANGES], _more(changes[MAX_CHANGES:]))


def worst(changes: Sequence[Change]) -> Impact:
    """The worst impact among changes; INFO when there are none."""
    return max((each.impact for each in changes), key=lambda each: each.rank, default=Impact.INFO)


def _changes(old: Mapping[str, Plain], new: Mapping[str, Plain]) -> Iterator[Change]:
    yield from compare_tools(old.get("tools"), new.get("tools"))
    yield from compare_prompts(old.get("prompts"), new.get("prompts"))
    for kind in ("resources", "resourceTemplates"):
        yield from compare_resources(kind, old.get(kind), new.get(kind))
    yield from _instructions(old.get("instructions"), new.get("instructions"))
    yield from _offers(old.get("capabilities"), new.get("capabilities"))
    yield from _identity(old.get("serverInfo"), new.get("serverInfo"))


def _instructions(old: Plain, new: Plain) -> Iterator[Change]:
    # Instructions give orders by nature, so only the strong signs count in them.
    if not same(old or "", new or ""):
        yield text_change(
            "instructions",
            (old, new),
            "server",
            path="instructions",
            what="the server",
            is_mild=False,
        )


def _offers(old: Plain, new: Plain) -> Iterator[Change]:
    before, after = (set(each) if isinstance(each, dict) else set() for each in (old, new))
    for name in sorted(before ^ after):
        is_gone = name in before
        code, verb = ("capability_removed", "no longer") if is_gone else ("capability_added", "now")
        message = f"The server {verb} offers {name}."
        shown_as = ("{}", "") if is_gone else ("", "{}")
        yield Change(code, Impact.INFO, "server", f"capabilities.{name}", *shown_as, message)


def _identity(old: Plain, new: Plain) -> Iterator[Change]:
    before, after = (each if isinstance(each, dict) else {} for each in (old, new))
    for member, code in (
        ("name", "server_renamed"),
        ("title", "server_title_changed"),
        ("version", "server_version_changed"),
    ):
        was, now = before.get(member), after.get(member)
        if not same(was, now):
            told = [quoted(str(each)) if each is not None else "none" for each in (was, now)]
            message = f"The server's {member} changed from {told[0]} to {told[1]}."
            path = f"serverInfo.{member}"
            yield Change(code, Impact.INFO, "server", path, shown(was), shown(now), message)


def _order(change: Change) -> tuple[int, int, str, str, str, str]:
    first = _FIRST.index(change.code) if change.code in _FIRST else len(_FIRST)
    return (-change.impact.rank, first, change.subject, change.path, change.code, change.message)


def _more(rest: Sequence[Change]) -> Change:
    count = (
        f"{len(rest)} more changes"
        if len(rest) < _MAX_COLLECTED - MAX_CHANGES
        else "Many more changes"
    )
    message = f"{count} are not listed one by one; none is worse than those above."
    return Change("more_changes", worst(rest), "server", "", "", str(len(rest)), message)
