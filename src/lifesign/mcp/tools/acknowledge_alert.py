"""The tool acknowledge_alert."""

from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, Field

from lifesign.core.scope import Grant
from lifesign.mcp.registry import Call, tool
from lifesign.mcp.results import AlertRow


class Acknowledged(BaseModel):
    """What became of the alert."""

    success: bool = True
    message: str
    acknowledged_at: datetime | None
    acknowledged_by: str
    alert: AlertRow


@tool(title="Acknowledge alert", grant=Grant.OPERATE)
async def acknowledge_alert(
    call: Call,
    *,
    alert_id: Annotated[
        str, Field(min_length=1, max_length=200, description="The alert's id, from list_alerts.")
    ],
    acknowledged_by: Annotated[
        str,
        Field(max_length=100, description="Who looks after it; the token's name when left out."),
    ] = "",
) -> Acknowledged:
    """Says that somebody looks after an alert, so that others need not.

    Do this only when a person asked for it. It does not resolve the alert: that happens by itself when the
    monitor recovers. Doing it twice changes nothing.
    """
    # The token stays visible beside a name that anybody could claim.
    by = f"{acknowledged_by} (by {call.scope.actor})" if acknowledged_by else call.scope.actor
    view = await call.services.alerts.acknowledge(call.scope, alert_id, by=by)
    return Acknowledged(
        message=f"{view.monitor_name}: the alert is {view.state.value}, by {view.acknowledged_by}.",
        acknowledged_at=view.acknowledged_at,
        acknowledged_by=view.acknowledged_by,
        alert=AlertRow.of(view),
    )
