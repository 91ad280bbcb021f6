"""The tool list_alerts."""

from typing import Annotated

from pydantic import Field

from lifesign.core.messages import AlertState
from lifesign.core.model import Severity
from lifesign.core.paging import Page
from lifesign.mcp.arguments import Cursor, Limit
from lifesign.mcp.paging import read_slice
from lifesign.mcp.registry import Call, tool
from lifesign.mcp.results import AlertRow, Listing
from lifesign.service.views import AlertView
from lifesign.store.values import AlertQuery

_OPEN = (AlertState.FIRING, AlertState.ACKNOWLEDGED)


class AlertList(Listing):
    """Alerts, newest first."""

    alerts: list[AlertRow]


@tool(title="List alerts")
async def list_alerts(
    call: Call,
    *,
    active_only: Annotated[
        bool, Field(description="Leave out what has been resolved; false shows the past too.")
    ] = True,
    min_severity: Annotated[
        Severity | None, Field(description="The mildest severity that is wanted.")
    ] = None,
    monitor_id: Annotated[
        str, Field(max_length=200, description="Only alerts of this monitor (id or slug).")
    ] = "",
    limit: Limit = 25,
    cursor: Cursor = None,
) -> AlertList:
    """Lists alerts, newest first: what is wrong now, how bad, since when, why, and who looks after it.

    By default only alerts that are not resolved. An alert in state `firing` has nobody yet;
    acknowledge_alert takes its id.
    """
    monitor = await call.services.monitors.get(call.scope, monitor_id) if monitor_id else None

    async def fetch(most: int, at: str | None) -> Page[AlertView]:
        query = AlertQuery(
            states=_OPEN if active_only else (),
            severity=min_severity,
            monitor_id=monitor.id if monitor else "",
            limit=most,
            cursor=at,
        )
        return await call.services.alerts.list(call.scope, query)

    page = await read_slice(fetch, AlertRow.of, limit=limit, cursor=cursor)
    return AlertList(alerts=page.rows, next_cursor=page.next_cursor, note=page.note)
