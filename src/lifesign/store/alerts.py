"""Alerts as people meet them; they are opened and resolved by batches."""

from datetime import datetime

from sqlalchemy import and_, select, update

from lifesign.core.errors import ConflictError, NotFoundError
from lifesign.core.messages import Alert, AlertState
from lifesign.core.model import Severity
from lifesign.core.paging import Page
from lifesign.core.scope import Scope
from lifesign.store import tables as t
from lifesign.store.columns import from_us, to_us
from lifesign.store.cursors import after, bounded, decode_cursor, encode_cursor
from lifesign.store.repository import Repository
from lifesign.store.rows import alert_of, attempt_of, delivery_of
from lifesign.store.tenancy import within
from lifesign.store.values import AlertQuery, DeliveryLog


class AlertRepository(Repository):
    """Reads of alerts and of what was sent about them, and the acknowledgement."""

    async def open_alerts(self) -> list[Alert]:
        """Every alert of every tenant that is not resolved. A system read."""
        query = select(t.alerts).where(t.alerts.c.state != AlertState.RESOLVED.value)
        async with self._database.read() as connection:
            rows = (await connection.execute(query.order_by(t.alerts.c.opened_at))).mappings()
            return [alert_of(row) for row in rows]

    async def list(self, scope: Scope, query: AlertQuery) -> Page[Alert]:
        """One page of alerts, newest first."""
        order = (t.alerts.c.opened_at, t.alerts.c.id)
        chosen = select(t.alerts).where(within(scope, t.alerts))
        if query.states:
            states = [state.value for state in query.states]
            chosen = chosen.where(t.alerts.c.state.in_(states))
        if query.severity is not None:
            enough = [s.value for s in Severity if s.rank >= query.severity.rank]
            chosen = chosen.where(t.alerts.c.severity.in_(enough))
        if query.monitor_id:
            chosen = chosen.where(t.alerts.c.monitor_id == query.monitor_id)
        if query.cursor is not None:
            opened, alert_id = decode_cursor("alerts", query.cursor, (int, str))
            key = (from_us(int(opened)), str(alert_id))
            chosen = chosen.where(after(order, key, descending=True))
        limit = bounded(query.limit)
        chosen = chosen.order_by(*(column.desc() for column in order)).limit(limit + 1)
        async with self._database.read() as connection:
            rows = (await connection.execute(chosen)).mappings().all()
        items = tuple(alert_of(row) for row in rows[:limit])
        if len(rows) <= limit:
            return Page(items)
        last = items[-1]
        return Page(items, encode_cursor("alerts", (to_us(last.opened_at), last.id)))

    async def get(self, scope: Scope, alert_id: str) -> Alert:
        """One alert; raises NotFoundError."""
        query = select(t.alerts).where(within(scope, t.alerts), t.alerts.c.id == alert_id)
        async with self._database.read() as connection:
            row = (await connection.execute(query)).mappings().one_or_none()
        if row is None:
            raise NotFoundError(
                f"There is no alert {alert_id!r}.", remedy="List the alerts to see what there is."
            )
        return alert_of(row)

    async def acknowledge(self, scope: Scope, alert_id: str, by: str, at: datetime) -> Alert:
        """Say that somebody takes care of an alert. The first one stays named when it is said again.

        Raises NotFoundError, and ConflictError when the alert is resolved.
        """
        firing = and_(
            within(scope, t.alerts),
            t.alerts.c.id == alert_id,
            t.alerts.c.state == AlertState.FIRING.value,
        )
        seen = {
            "state": AlertState.ACKNOWLEDGED.value,
            "acknowledged_at": at,
            "acknowledged_by": by,
            "updated_at": at,
        }
        async with self._database.write() as connection:
            await connection.execute(update(t.alerts).where(firing).values(seen))
        alert = await self.get(scope, alert_id)
        if alert.state is AlertState.RESOLVED:
            raise ConflictError(
                f"Alert {alert_id} is resolved; there is nothing left to acknowledge.",
                remedy="Look at the monitor: a new alert opens when it fails again.",
            )
        return alert

    async def deliveries(self, scope: Scope, alert_id: str) -> tuple[DeliveryLog, ...]:
        """What was sent about an alert, oldest first, with every try."""
        mine = and_(within(scope, t.deliveries), t.deliveries.c.alert_id == alert_id)
        sent = (
            select(t.deliveries).where(mine).order_by(t.deliveries.c.created_at, t.deliveries.c.id)
        )
        tries = (
            select(t.attempts)
            .where(t.attempts.c.delivery_id.in_(select(t.deliveries.c.id).where(mine)))
            .order_by(t.attempts.c.delivery_id, t.attempts.c.number)
        )
        async with self._database.read() as connection:
            rows = (await connection.execute(sent)).mappings().all()
            attempts = [attempt_of(row) for row in (await connection.execute(tries)).mappings()]
        return tuple(
            DeliveryLog(delivery_of(row), tuple(a for a in attempts if a.delivery_id == row["id"]))
            for row in rows
        )
