"""The monitor that a caller means, with a guard against meaning another."""

from lifesign.core.errors import ConflictError
from lifesign.mcp.registry import Call
from lifesign.service.views import MonitorView


async def chosen_monitor(call: Call, id_or_slug: str, *, kind: str) -> MonitorView:
    """The monitor; raises ConflictError when a `kind` is given and it is of another."""
    monitor = await call.services.monitors.get(call.scope, id_or_slug)
    if kind and monitor.kind != kind:
        raise ConflictError(
            f"{monitor.name} is of kind {monitor.kind}, not {kind}; nothing was changed.",
            remedy="Leave monitor_type out, or choose another monitor.",
        )
    return monitor
