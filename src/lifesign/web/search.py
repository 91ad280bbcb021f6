"""The filter language of the overview: `state:down kind:mcp tag:prod words`, read into a query."""

import shlex
from collections.abc import Iterable
from dataclasses import dataclass, replace

from lifesign.core.model import Owner, State
from lifesign.store.values import MonitorQuery

MAX_TEXT = 200
KEYS = ("state", "kind", "tag", "group", "owner")


@dataclass(frozen=True, slots=True)
class Search:
    """What was asked for, and what of it was not understood (each a whole sentence)."""

    query: MonitorQuery
    complaints: tuple[str, ...] = ()


def read_search(text: str, *, cursor: str | None = None, limit: int = 50) -> Search:
    """Read the filter. Nothing raises: what is not understood is said and otherwise ignored."""
    query = MonitorQuery(limit=limit, cursor=cursor)
    words: list[str] = []
    complaints: list[str] = []
    for token in _tokens(text[:MAX_TEXT]):
        key, colon, value = token.partition(":")
        if colon and value and key.lower() in KEYS:
            query, complaint = _narrow(query, key.lower(), value)
            complaints += [complaint] if complaint else []
        elif colon and not value and key.lower() in KEYS:
            continue
        else:
            words.append(token)
    return Search(replace(query, text=" ".join(words)), tuple(complaints))


def _tokens(text: str) -> Iterable[str]:
    try:
        return shlex.split(text, posix=True)
    except ValueError:
        # A quotation mark that is still open while somebody types is an ordinary character.
        return text.split()


def _narrow(query: MonitorQuery, key: str, value: str) -> tuple[MonitorQuery, str]:
    if key == "state":
        return _by_state(query, value)
    if key == "owner":
        if value not in set(Owner):
            return query, f"There is no owner “{value}”: use {', '.join(Owner)}."
        return replace(query, owner=Owner(value)), ""
    fields = {"kind": query.kind, "tag": query.tag, "group": query.group}
    fields[key] = value
    return replace(query, kind=fields["kind"], tag=fields["tag"], group=fields["group"]), ""


def _by_state(query: MonitorQuery, value: str) -> tuple[MonitorQuery, str]:
    wanted = [word for word in value.lower().split(",") if word]
    strange = [word for word in wanted if word not in set(State)]
    if strange:
        return query, f"There is no state “{strange[0]}”: use {', '.join(State)}."
    return replace(query, states=query.states + tuple(State(word) for word in wanted)), ""
