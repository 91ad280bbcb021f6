"""The tool get_endpoint_history."""

from datetime import datetime, timedelta
from typing import Annotated

from pydantic import BaseModel, Field

from lifesign.core.errors import InvalidError
from lifesign.core.model import State
from lifesign.core.paging import Page
from lifesign.core.units import parse_duration
from lifesign.mcp.arguments import Cursor, Limit, MonitorId
from lifesign.mcp.paging import ROOM_CHARS, Slice, read_slice
from lifesign.mcp.registry import Call, tool
from lifesign.mcp.results import Fraction, Listing, MonitorRow, RunRow, rounded
from lifesign.service.views import HistoryView, RunView, SeriesPoint

_LONGEST = timedelta(days=90)
_POINTS = 24
_POINTS_ROOM_CHARS = _POINTS * 200


class Point(BaseModel):
    """One stretch of the window: how many checks ended how, and how long they took."""

    at: datetime
    count: int
    up: int
    degraded: int
    down: int
    unknown: int
    p50_ms: float | None = None
    p95_ms: float | None = None


class EndpointHistory(Listing):
    """The past of one monitor: figures of the window, a coarse series, and single checks, newest first."""

    endpoint: MonitorRow
    since: datetime
    until: datetime
    uptime: Fraction = None
    down_s: float
    p50_ms: float | None = None
    p95_ms: float | None = None
    p99_ms: float | None = None
    phases_p95_ms: dict[str, float] = Field(
        description="The p95 of each phase over the window: which part of a check is slow."
    )
    series: list[Point] = Field(description="Equal stretches of the window, oldest first.")
    checks: list[RunRow] = Field(description="Single checks, newest first.")


@tool(title="Get endpoint history")
async def get_endpoint_history(
    call: Call,
    *,
    endpoint_id: MonitorId,
    period: Annotated[
        str,
        Field(max_length=20, description="How far back, such as 1h, 24h, 7d or 90d (the longest)."),
    ] = "24h",
    state: Annotated[
        State | None,
        Field(description="Only checks that ended in this state; `down` shows failures alone."),
    ] = None,
    limit: Limit = 20,
    cursor: Cursor = None,
) -> EndpointHistory:
    """Tells the past of one monitor: uptime, latency percentiles, a series, and single checks with reasons.

    Use it to see when trouble began, whether it comes and goes, which phase (dns, connect, tls, first
    byte) became slow, and which condition failed. Narrow it with state=down and a short period rather than
    paging through everything. It works for heartbeats too.
    """
    monitor = await call.services.monitors.get(call.scope, endpoint_id)
    until = call.clock.now()
    since = until - _window(period)
    past = await call.services.monitors.history(
        call.scope, monitor.id, since=since, until=until, points=_POINTS, days=1
    )

    async def fetch(most: int, at: str | None) -> Page[RunView]:
        return await call.services.monitors.runs(
            call.scope,
            monitor.id,
            since=since,
            until=until,
            limit=most,
            cursor=at,
            states=() if state is None else (state,),
        )

    room = ROOM_CHARS - _POINTS_ROOM_CHARS
    page = await read_slice(fetch, RunRow.of, limit=limit, cursor=cursor, room=room)
    return _history(MonitorRow.of(monitor), past, page)


def _window(period: str) -> timedelta:
    try:
        window = parse_duration(period)
    except ValueError as error:
        raise InvalidError(f"period: {error}") from error
    if not timedelta() < window <= _LONGEST:
        raise InvalidError(f"period: {period!r} is not between 1s and 90d.")
    return window


def _history(endpoint: MonitorRow, past: HistoryView, page: Slice[RunRow]) -> EndpointHistory:
    return EndpointHistory(
        endpoint=endpoint,
        since=past.since,
        until=past.until,
        uptime=rounded(past.uptime, 6),
        down_s=round(past.down_s, 1),
        p50_ms=rounded(past.p50_ms),
        p95_ms=rounded(past.p95_ms),
        p99_ms=rounded(past.p99_ms),
        phases_p95_ms={
            name: round(each.p95_ms, 1)
            for name, each in past.phases.items()
            if each.p95_ms is not None
        },
        series=[_point(point) for point in past.points if point.count][:_POINTS],
        checks=page.rows,
        next_cursor=page.next_cursor,
        note=page.note,
    )


def _point(view: SeriesPoint) -> Point:
    return Point(
        at=view.at,
        count=view.count,
        up=view.up,
        degraded=view.degraded,
        down=view.down,
        unknown=view.unknown,
        p50_ms=rounded(view.p50_ms),
        p95_ms=rounded(view.p95_ms),
    )
