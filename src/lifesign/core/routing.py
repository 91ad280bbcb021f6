"""Who is told about an alert event, and why: pure, so that every answer can be explained."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from hashlib import blake2b

from lifesign.core.messages import Alert, AlertEvent, Channel, Delivery, Route
from lifesign.core.model import Monitor

_WHY = {
    AlertEvent.FIRED: "the alert fired",
    AlertEvent.ESCALATED: "the alert became worse",
    AlertEvent.ACKNOWLEDGED: "the alert was acknowledged",
    AlertEvent.RESOLVED: "the alert was resolved",
}


def matches(route: Route, *, alert: Alert, monitor: Monitor, event: AlertEvent) -> bool:
    """Whether a route wants this event: every field it sets must hold, any one value of a field will do."""
    return (
        route.enabled
        and route.tenant == alert.tenant
        and alert.severity.rank >= route.min_severity.rank
        and (not route.kinds or monitor.kind in route.kinds)
        and (not route.tags or not set(route.tags).isdisjoint(monitor.tags))
        and (not route.monitors or monitor.id in route.monitors or monitor.slug in route.monitors)
        and (not route.events or event in route.events)
    )


def deliveries(
    alert: Alert,
    *,
    event: AlertEvent,
    monitor: Monitor,
    routes: Iterable[Route],
    channels: Mapping[str, Channel],
    at: datetime,
) -> tuple[Delivery, ...]:
    """The outbox rows of one alert event: each channel once, with the first route that names it as the reason.

    The ids are made of what they are about, so that deciding twice owes once.
    """
    owed: dict[str, Delivery] = {}
    for route in routes:
        if not matches(route, alert=alert, monitor=monitor, event=event):
            continue
        for channel_id in route.channels:
            channel = channels.get(channel_id)
            if channel is None or not channel.enabled or channel_id in owed:
                continue
            owed[channel_id] = Delivery(
                id=_delivery_id(alert, event, channel_id),
                tenant=alert.tenant,
                channel_id=channel_id,
                alert_id=alert.id,
                event=event,
                why=f"{_WHY[event]}; route “{route.name}” names this channel",
                created_at=at,
                due_at=at,
            )
    return tuple(owed.values())


def _delivery_id(alert: Alert, event: AlertEvent, channel_id: str) -> str:
    parts = (alert.id, event.value, alert.severity.value, alert.updated_at.isoformat(), channel_id)
    return "msg_" + blake2b("\0".join(parts).encode(), digest_size=15).hexdigest()
