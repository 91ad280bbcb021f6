"""Makes the message of an outbox row out of the alert, its monitor and the newest run."""

from collections.abc import Mapping
from datetime import timedelta
from types import MappingProxyType

from lifesign.channels.registry import Message
from lifesign.core import wording
from lifesign.core.errors import NotFoundError
from lifesign.core.ladder import as_text, ladder
from lifesign.core.messages import Alert, Delivery
from lifesign.core.model import Monitor, Observation
from lifesign.core.scope import Scope, system_scope
from lifesign.probes.registry import Kind
from lifesign.store import Store

_PAGES: Mapping[str, str] = MappingProxyType(
    {"drift": "/surface/diff", "divergence": "/surface", "latency": "?window=7d&by=p95"}
)
"""Where under a monitor's page the evidence of a concern stands."""

_ROUNDED_BY = timedelta(milliseconds=1)
"""Stored runs begin on whole milliseconds; the alert that one of them opened began at its exact instant."""


class Composer:
    """Finds what a message is about and puts it into words."""

    def __init__(self, *, store: Store, kinds: Mapping[str, Kind], base_url: str) -> None:
        self._store = store
        self._kinds = kinds
        self._base_url = base_url.rstrip("/")

    async def compose(self, delivery: Delivery) -> Message | None:
        """The message of one delivery; None when the alert or the monitor no longer exists."""
        scope = system_scope("notifier", delivery.tenant)
        try:
            alert = await self._store.alerts.get(scope, delivery.alert_id)
            monitor = await self._store.monitors.get(scope, alert.monitor_id)
        except NotFoundError:
            return None
        kind = self._kinds[monitor.kind]
        target = kind.target(kind.settings.model_validate(monitor.settings))
        page = _PAGES.get(wording.topic_of(alert), "")
        link = f"{self._base_url}/monitors/{monitor.slug}{page}"
        drawn = await self._ladder(scope, monitor, alert)
        return Message(
            id=delivery.id,
            event=delivery.event,
            alert=alert,
            title=wording.title(alert, event=delivery.event, monitor=monitor),
            text=wording.text(
                alert, event=delivery.event, monitor=monitor, target=target, ladder=drawn, link=link
            ),
            link=link,
            monitor_name=monitor.name,
            monitor_kind=monitor.kind,
            monitor_target=target,
            tags=monitor.tags,
            occurred_at=delivery.created_at,
            why=delivery.why,
        )

    async def _ladder(self, scope: Scope, monitor: Monitor, alert: Alert) -> str:
        kind = self._kinds[monitor.kind]
        if kind.passive or wording.topic_of(alert) != wording.MONITOR:
            # A concern is told beside the layers: all of them may hold.
            return ""
        newest = await self._store.observations.last_runs(scope, [monitor.id])
        run = newest.get(monitor.id)
        if run is None or run.started_at + _ROUNDED_BY < alert.opened_at:
            return ""
        seen = Observation(facts=run.facts, phases_ms=run.phases_ms, failure=run.failure)
        return as_text(ladder(kind.ladder, seen, alert.failure))
