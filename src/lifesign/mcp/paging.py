"""Lists that stay small enough to be read by a model: a page at a time, cut where the room ends.

A client shows a model some 25,000 characters of an answer and drops or files away the rest, so an
answer keeps below that and says when more is waiting.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from pydantic import BaseModel

from lifesign.core.paging import Page

View = TypeVar("View")
Row = TypeVar("Row", bound=BaseModel)

ROOM_CHARS = 22_000
"""For the rows of one answer; what stands around them is below 2,000 characters."""

_MOST_FETCHES = 20

Fetch = Callable[[int, str | None], Awaitable[Page[View]]]
"""One page of a service's listing, by limit and cursor."""


@dataclass(frozen=True, slots=True)
class Slice(Generic[Row]):
    """The rows of one answer, where to go on, and a word about what was cut."""

    rows: list[Row]
    next_cursor: str | None
    note: str | None


async def read_slice(
    fetch: Fetch[View],
    shape: Callable[[View], Row],
    *,
    limit: int,
    cursor: str | None,
    keep: Callable[[View], bool] = lambda _view: True,
    room: int = ROOM_CHARS,
) -> Slice[Row]:
    """Up to `limit` rows behind `cursor` that `keep` wants, fewer when they would not fit.

    When rows are cut the page is read again with the number that fits, so that the cursor is exact.
    """
    views, next_cursor = await _gather(fetch, keep, limit=limit, cursor=cursor)
    rows = [shape(view) for view in views]
    fitting = fit(rows, room)
    if fitting == len(rows):
        return Slice(rows, next_cursor, _note(next_cursor))
    _, next_cursor = await _gather(fetch, keep, limit=fitting, cursor=cursor)
    note = f"Cut to {fitting} of {len(rows)} rows to keep the answer small. Pass next_cursor as cursor to go on."
    return Slice(rows[:fitting], next_cursor, note)


def fit(rows: Sequence[BaseModel], room: int) -> int:
    """How many of the rows fit into the room; the first always does, because every text is bounded."""
    used = 0
    for count, row in enumerate(rows):
        used += len(row.model_dump_json(exclude_none=True)) + 1
        if used > room and count:
            return count
    return len(rows)


async def _gather(
    fetch: Fetch[View], keep: Callable[[View], bool], *, limit: int, cursor: str | None
) -> tuple[list[View], str | None]:
    kept: list[View] = []
    for _ in range(_MOST_FETCHES):
        page = await fetch(limit - len(kept), cursor)
        kept += [view for view in page.items if keep(view)]
        cursor = page.next_cursor
        if cursor is None or len(kept) >= limit:
            break
    return kept, cursor


def _note(next_cursor: str | None) -> str | None:
    return "There are more. Pass next_cursor as cursor to go on." if next_cursor else None
