"""The tool resume_monitor."""

from lifesign.core.scope import Grant
from lifesign.mcp.arguments import MonitorId, MonitorType
from lifesign.mcp.chosen import chosen_monitor
from lifesign.mcp.registry import Call, tool
from lifesign.mcp.results import MonitorChanged, MonitorRow


@tool(title="Resume monitor", grant=Grant.OPERATE)
async def resume_monitor(
    call: Call, *, monitor_id: MonitorId, monitor_type: MonitorType = ""
) -> MonitorChanged:
    """Watches a paused monitor again, on its old schedule.

    Doing it twice changes nothing.
    """
    monitor = await chosen_monitor(call, monitor_id, kind=monitor_type)
    view = await call.services.monitors.resume(call.scope, monitor.id)
    return MonitorChanged(message=f"{view.name} is watched again.", monitor=MonitorRow.of(view))
