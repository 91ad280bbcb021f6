"""The tool pause_monitor."""

from lifesign.core.scope import Grant
from lifesign.mcp.arguments import MonitorId, MonitorType
from lifesign.mcp.chosen import chosen_monitor
from lifesign.mcp.registry import Call, tool
from lifesign.mcp.results import MonitorChanged, MonitorRow


@tool(title="Pause monitor", grant=Grant.OPERATE, destructive=True)
async def pause_monitor(
    call: Call, *, monitor_id: MonitorId, monitor_type: MonitorType = ""
) -> MonitorChanged:
    """Stops watching a monitor of any kind until resume_monitor: no checks, no alerts.

    Do this only when a person asked for it: while paused, nobody is told of an outage. Doing it twice
    changes nothing. A monitor that the configuration file owns is changed in that file only.
    """
    monitor = await chosen_monitor(call, monitor_id, kind=monitor_type)
    view = await call.services.monitors.pause(call.scope, monitor.id)
    return MonitorChanged(message=f"{view.name} is paused.", monitor=MonitorRow.of(view))
