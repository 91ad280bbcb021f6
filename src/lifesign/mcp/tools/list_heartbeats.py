"""The tool list_heartbeats."""

from datetime import datetime
from typing import Annotated

from pydantic import Field

from lifesign.core.model import State
from lifesign.core.paging import Page
from lifesign.mcp.arguments import Cursor, Limit
from lifesign.mcp.paging import read_slice
from lifesign.mcp.registry import Call, tool
from lifesign.mcp.results import Listing, MonitorRow
from lifesign.service.views import HeartbeatView


class HeartbeatRow(MonitorRow):
    """One job that reports: when it last did, and when it must again."""

    last_ping_at: datetime | None = None
    last_action: str | None = None
    due_at: datetime | None = None
    overdue_s: float | None = None

    @classmethod
    def about(cls, view: HeartbeatView) -> "HeartbeatRow":
        """The row of a heartbeat. Its ping address stays out: whoever knows it can report."""
        return cls(
            **MonitorRow.of(view.monitor).model_dump(),
            last_ping_at=view.last_ping_at,
            last_action=view.last_action or None,
            due_at=view.due_at,
            overdue_s=round(view.overdue_s, 1) if view.overdue_s > 0 else None,
        )


class HeartbeatList(Listing):
    """Heartbeats, in the order of the monitors."""

    heartbeats: list[HeartbeatRow]


@tool(title="List heartbeats")
async def list_heartbeats(
    call: Call,
    *,
    overdue_only: Annotated[
        bool, Field(description="Only jobs that should have reported by now.")
    ] = False,
    state: Annotated[
        State | None, Field(description="Only jobs in this state; leave out for all.")
    ] = None,
    limit: Limit = 25,
    cursor: Cursor = None,
) -> HeartbeatList:
    """Lists the scheduled jobs that report in (cron jobs, backups, workers): last report, next due, overdue.

    Use it to find jobs that stopped running (overdue_only=true) or that reported a failure (state=down).
    The addresses that jobs report to are secrets and are not shown.
    """

    async def fetch(most: int, at: str | None) -> Page[HeartbeatView]:
        return await call.services.monitors.heartbeats(call.scope, limit=most, cursor=at)

    def wanted(view: HeartbeatView) -> bool:
        in_state = state is None or view.monitor.state is state
        return in_state and (view.overdue_s > 0 or not overdue_only)

    page = await read_slice(fetch, HeartbeatRow.about, limit=limit, cursor=cursor, keep=wanted)
    return HeartbeatList(heartbeats=page.rows, next_cursor=page.next_cursor, note=page.note)
