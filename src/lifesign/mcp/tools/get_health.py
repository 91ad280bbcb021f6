"""The tool get_health."""

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, Field

from lifesign.mcp.registry import Call, tool
from lifesign.mcp.results import bounded

_MOST_PROBLEMS = 10
_PROBLEM_CHARS = 300


class HealthReport(BaseModel):
    """How Lifesign itself is, and how many monitors are in which state."""

    status: Literal["ok", "impaired"] = Field(
        description="`impaired` means that Lifesign itself has trouble; see problems."
    )
    version: str
    started_at: datetime
    monitors: dict[str, int] = Field(description="Number of monitors by state.")
    kinds: dict[str, int] = Field(description="Number of monitors by kind.")
    open_alerts: int
    unacknowledged_alerts: int
    late_p50_ms: float = Field(description="How late checks begin, against their schedule.")
    late_p99_ms: float
    late_max_ms: float
    runs_total: int
    outbox_pending: int = Field(description="Messages that channels have not accepted yet.")
    storage: str
    problems: list[str] = Field(default_factory=list)


@tool(title="Get health")
async def get_health(call: Call) -> HealthReport:
    """Tells how everything is: monitors by state and kind, open alerts, and whether Lifesign itself is well.

    Begin here. When monitors are down, go on with list_alerts or list_endpoints with state=down.
    """
    health = await call.services.status.health(call.scope)
    return HealthReport(
        status="ok" if health.storage_ok and not health.problems else "impaired",
        version=health.version,
        started_at=health.started_at,
        monitors=dict(health.monitors),
        kinds=dict(health.kinds),
        open_alerts=health.open_alerts,
        unacknowledged_alerts=health.unacknowledged_alerts,
        late_p50_ms=round(health.late_p50_ms, 1),
        late_p99_ms=round(health.late_p99_ms, 1),
        late_max_ms=round(health.late_max_ms, 1),
        runs_total=health.runs_total,
        outbox_pending=health.outbox_pending,
        storage=health.storage,
        problems=[bounded(text, _PROBLEM_CHARS) for text in health.problems[:_MOST_PROBLEMS]],
    )
