"""What the log says of the watched world: a line for each change of a state, surface or alert, once it is committed.

Names, states and codes only: what a server answered may be long, and stands on the page of the monitor.
"""

from collections.abc import Iterable, Mapping
from typing import cast

import structlog

from lifesign.core.batch import Event

_log = structlog.get_logger(__name__)


def chronicle(events: Iterable[Event]) -> None:
    """Write one line for each event of a state, a surface or an alert; others write their own."""
    for event in events:
        if event.type == "monitor.state":
            _log.info("monitor_changed", **_monitor(event), before=event.data["before"])
        elif event.type == "monitor.drift":
            _log.info(
                "surface_changed",
                monitor=event.data["slug"] or event.monitor_id,
                region=event.data["region"],
                impact=event.data["impact"],
                accepted_by=event.data["accepted_by"],
            )
        elif event.type.startswith("alert."):
            _log.info(
                event.type.replace(".", "_"),
                **_monitor(event),
                alert=event.data["alert_id"],
                severity=event.data["severity"],
            )


def _monitor(event: Event) -> dict[str, object]:
    said: dict[str, object] = {
        "monitor": event.data["slug"] or event.monitor_id,
        "state": event.data["state"],
    }
    failure = cast("Mapping[str, str] | None", event.data["failure"])
    if failure is not None:
        said["failure"] = f"{failure['layer']}/{failure['code']}"
    return said
