"""Published surfaces as people read them in a terminal. Their texts come from watched servers: cleaned, never trusted."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from lifesign.cli.monitor_text import age, moment
from lifesign.cli.output import Colour, clean, emit, emit_table, note, paint
from lifesign.core.drift.values import Impact

JSONObject = Mapping[str, Any]

_COLOURS: Mapping[Impact, Colour] = MappingProxyType(
    {
        Impact.BREAKING: "red",
        Impact.HINT: "yellow",
        Impact.TEXT: "yellow",
        Impact.ADDITIVE: "green",
        Impact.INFO: "dim",
    }
)
_SHOWN_TOOLS = 50
_MESSAGE_CHARS = 300


def print_surface(surface: JSONObject) -> None:
    """What is published, place by place; then the releases that are announced."""
    emit(paint(clean(surface["monitor_name"]), "bold"))
    if not surface["places"]:
        note("It has shown no surface yet.")
    for place in surface["places"]:
        _print_place(place)
    if surface["releases"]:
        emit()
        print_releases(surface["releases"])


def _print_place(place: JSONObject) -> None:
    seen_as = f" as {place['audience']}" if place["audience"] else ""
    emit(f"  from {place['region']}{seen_as}: {_standing(place)}")
    facts = {
        "published": f"{place['digest']}, {_lasting(place)}",
        "accepted": f"{place['baseline']}, {'pinned' if place['pinned'] else 'since'}"
        + ("" if place["pinned"] else f" {moment(place['baseline_since'])}"),
        "server": clean(place["server"]),
        "tools": _tools(place),
        "others": f"{place['resource_count']} resources, {place['prompt_count']} prompts",
    }
    for label, text in facts.items():
        if text:
            emit(f"    {label:<9} {text}")
    for change in place["differences"]:
        emit(f"    {_line(change)}")


def _lasting(place: JSONObject) -> str:
    """How long it is the same; of what is not seen now, only since when it was."""
    if place["stale"]:
        return f"first seen {moment(place['since'])}"
    return f"unchanged for {age(place['since'])}"


def _standing(place: JSONObject) -> str:
    then = ""
    if place["stale"]:
        seen = f"{age(place['seen_at'])} ago" if place["seen_at"] else "too long ago to tell"
        then = paint(f", last seen {seen}", "yellow")
    if place["unstable"]:
        return paint("◆ unstable", "yellow") + then
    if not place["drifted"]:
        return paint("● as accepted", "dim" if then else "green") + then
    impact = f" ({place['impact']})" if place["impact"] else ""
    return paint(f"■ drifted{impact}", "red") + then


def _tools(place: JSONObject) -> str:
    names = [clean(name, 80) for name in place["tools"][:_SHOWN_TOOLS]]
    more = ", …" if place["tool_count"] > len(names) else ""
    return f"{place['tool_count']}: {', '.join(names)}{more}" if names else "none"


def print_changes(changes: Sequence[JSONObject]) -> None:
    """The timeline, each confirmed change with what it consists of."""
    if not changes:
        note("Nothing of it has changed since its first look.")
    for line in changes:
        accepted = f"accepted by {clean(line['accepted_by'])}" if line["accepted_by"] else "drift"
        if line["accepted_by"] == "reverted":
            accepted = "reverted"
        emit(f"{moment(line['at'])}  {_impact(line['impact'])}  {line['region']}  {accepted}")
        emit(f"  {line['before']} → {line['after']}")
        for change in line["changes"]:
            emit(f"  {_line(change)}")


def print_diff(diff: JSONObject) -> None:
    """What two surfaces differ in."""
    if not diff["changes"]:
        note("They are the same.")
    for change in diff["changes"]:
        emit(_line(change))


def print_releases(releases: Sequence[JSONObject]) -> None:
    """A table, one line a release."""
    if not releases:
        note("No release is announced.")
        return
    heads = ("RELEASE", "MONITOR", "STATUS", "FROM", "UNTIL", "NOTE", "BY")
    cells = [
        (
            each["id"],
            clean(each["monitor_name"], 40),
            each["status"],
            moment(each["starts_at"]),
            moment(each["ends_at"]),
            clean(each["note"], 60),
            clean(each["by"], 40),
        )
        for each in releases
    ]
    emit_table(heads, cells)


def _line(change: JSONObject) -> str:
    return f"{_impact(change['impact'])}  {clean(change['message'], _MESSAGE_CHARS)}"


def _impact(word: str) -> str:
    return paint(f"{word:<8}", _COLOURS[Impact(word)])
