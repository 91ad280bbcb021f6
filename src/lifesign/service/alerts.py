"""Alerts as people work with them: list, look, acknowledge, see who was told."""

from collections.abc import Mapping
from dataclasses import replace

from lifesign.clock import Clock
from lifesign.core.batch import Batch, Event
from lifesign.core.errors import ConflictError, NotFoundError
from lifesign.core.messages import Alert, AlertEvent, AlertState, Delivery
from lifesign.core.model import Monitor
from lifesign.core.paging import Page
from lifesign.core.routing import deliveries
from lifesign.core.scope import Grant, Scope
from lifesign.service.access import require
from lifesign.service.news import News
from lifesign.service.views import AlertView, DeliveryView
from lifesign.store import Store
from lifesign.store.values import AlertQuery


class Alerts:
    """The operations on alerts."""

    def __init__(self, *, store: Store, clock: Clock, news: News) -> None:
        self._store = store
        self._clock = clock
        self._news = news

    async def list(self, scope: Scope, query: AlertQuery) -> Page[AlertView]:
        """Alerts, newest first."""
        require(scope, Grant.READ)
        page = await self._store.alerts.list(scope, query)
        known: dict[str, Monitor | None] = {}
        for alert in page.items:
            if alert.monitor_id not in known:
                known[alert.monitor_id] = await self._monitor(scope, alert.monitor_id)
        views = tuple([_view(alert, known[alert.monitor_id]) for alert in page.items])
        return Page(views, page.next_cursor)

    async def get(self, scope: Scope, id: str) -> AlertView:
        """One alert. Raises NotFoundError."""
        require(scope, Grant.READ)
        alert = await self._store.alerts.get(scope, id)
        return _view(alert, await self._monitor(scope, alert.monitor_id))

    async def acknowledge(self, scope: Scope, id: str, *, by: str) -> AlertView:
        """Say that somebody looks after it, and tell those whose routes want to hear of that.

        The alert, its event and what channels are owed are one commit. Saying it again changes nothing. Raises
        NotFoundError, and ConflictError once the alert is resolved.
        """
        require(scope, Grant.OPERATE)
        alert = await self._store.alerts.get(scope, id)
        monitor = await self._monitor(scope, alert.monitor_id)
        if alert.state is AlertState.RESOLVED:
            raise ConflictError(
                f"The alert “{alert.title}” is resolved; there is nothing left to acknowledge.",
                remedy="Look at the monitor: a new alert opens when it fails again.",
            )
        if alert.state is AlertState.FIRING:
            await self._news.commit(await self._acknowledgement(scope, alert, monitor, by=by))
            await self._news.alert_changed(scope, alert.id)
        return await self.get(scope, id)

    async def deliveries(self, scope: Scope, id: str) -> tuple[DeliveryView, ...]:
        """Who was told of the alert, and how that went, oldest first. Raises NotFoundError."""
        require(scope, Grant.READ)
        await self._store.alerts.get(scope, id)
        names = {each.id: each.name for each in await self._store.channels.list(scope)}
        logs = await self._store.alerts.deliveries(scope, id)
        return tuple([_delivery_view(log.delivery, names) for log in logs])

    async def _acknowledgement(
        self, scope: Scope, alert: Alert, monitor: Monitor | None, *, by: str
    ) -> Batch:
        now = self._clock.now()
        seen = replace(
            alert, state=AlertState.ACKNOWLEDGED, acknowledged_at=now, acknowledged_by=by,
            updated_at=now,
        )  # fmt: skip
        owed: tuple[Delivery, ...] = ()
        if monitor is not None:
            owed = deliveries(
                seen,
                event=AlertEvent.ACKNOWLEDGED,
                monitor=monitor,
                routes=await self._store.channels.list_routes(scope),
                channels={each.id: each for each in await self._store.channels.list(scope)},
                at=now,
            )
        return Batch(alerts=(seen,), deliveries=owed, events=(_event(seen, monitor),))

    async def _monitor(self, scope: Scope, id: str) -> Monitor | None:
        try:
            return await self._store.monitors.get(scope, id)
        except NotFoundError:
            return None


def _view(alert: Alert, monitor: Monitor | None) -> AlertView:
    """The view; a removed monitor leaves its alerts without a name."""
    if monitor is None:
        return AlertView.of(alert, name="", slug="", kind="")
    return AlertView.of(alert, name=monitor.name, slug=monitor.slug, kind=monitor.kind)


def _event(alert: Alert, monitor: Monitor | None) -> Event:
    return Event(
        type="alert.acknowledged",
        at=alert.updated_at,
        tenant=alert.tenant,
        monitor_id=alert.monitor_id,
        data={
            "alert_id": alert.id,
            "name": monitor.name if monitor is not None else "",
            "slug": monitor.slug if monitor is not None else "",
            "severity": alert.severity.value,
            "state": alert.state.value,
            "title": alert.title,
            "by": alert.acknowledged_by,
        },
    )


def _delivery_view(delivery: Delivery, names: Mapping[str, str]) -> DeliveryView:
    return DeliveryView(
        id=delivery.id,
        alert_id=delivery.alert_id,
        channel_id=delivery.channel_id,
        channel_name=names.get(delivery.channel_id, ""),
        event=delivery.event.value,
        why=delivery.why,
        status=delivery.status,
        attempts=delivery.attempts,
        created_at=delivery.created_at,
        due_at=delivery.due_at,
        last_detail=delivery.last_detail,
    )
