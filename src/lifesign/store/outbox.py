"""The outbox: messages that channels are owed, claimed by conditional update so that each has one sender."""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Select,
    and_,
    case,
    exists,
    func,
    literal_column,
    or_,
    select,
    update,
)

from lifesign.core.messages import Attempt, Delivery
from lifesign.store import tables as t
from lifesign.store.repository import Repository
from lifesign.store.rows import delivery_of
from lifesign.store.statements import insert_into

PENDING = "pending"
_LOOKED_AT = 1000
"""Due deliveries that one claim looks at: it holds the writer's lock, so it must not read a long backlog."""


class OutboxRepository(Repository):
    """The notifier's work, over all tenants."""

    async def claim(
        self,
        now: datetime,
        *,
        limit: int,
        lease_s: float,
        per_channel: int | None = None,
        full: Collection[str] = (),
    ) -> list[Delivery]:
        """Take deliveries that are due, the longest waiting first, for `lease_s` seconds.

        At most `per_channel` of one channel, and none of the channels that are `full`. What a channel is owed of
        one alert goes out in order: nothing is taken while an earlier message is not settled. Nobody else gets
        what is taken until the lease ends; a sender that dies loses its claim and not the message. A system read.
        """
        wanted = and_(_claimable(now), t.deliveries.c.due_at <= now, _is_next())
        if full:
            wanted = and_(wanted, t.deliveries.c.channel_id.not_in(full))
        if per_channel is not None:
            wanted = and_(wanted, t.deliveries.c.id.in_(_fair(wanted, per_channel)))
        due = (
            select(t.deliveries.c.id)
            .where(wanted)
            .order_by(t.deliveries.c.due_at, t.deliveries.c.id)
            .limit(limit)
            .with_for_update(skip_locked=True)
        )
        take = (
            update(t.deliveries)
            .where(t.deliveries.c.id.in_(due.scalar_subquery()), _claimable(now))
            .values(claimed_until=now + timedelta(seconds=lease_s))
            .returning(t.deliveries)
        )
        async with self._database.write() as connection:
            rows = (await connection.execute(take)).mappings().all()
        claimed = [delivery_of(row) for row in rows]
        return sorted(claimed, key=lambda delivery: (delivery.due_at, delivery.id))

    async def release_claims(self) -> int:
        """Free what dead senders hold; how many. Only for the sole sender of a store, before it begins. A system write."""
        held = and_(_pending(), t.deliveries.c.claimed_until.is_not(None))
        async with self._database.write() as connection:
            change = update(t.deliveries).where(held).values(claimed_until=None)
            return (await connection.execute(change)).rowcount

    async def settle(
        self, delivery: Delivery, attempt: Attempt, *, status: str, due_at: datetime
    ) -> bool:
        """Record a try and what follows: `pending` again at `due_at`, or the end.

        False when the delivery was settled already (its claim ran out and another sender was faster);
        the try is recorded all the same. A system write.
        """
        tried = {**_attempt_columns(attempt), "tenant": delivery.tenant}
        pending = and_(t.deliveries.c.id == delivery.id, t.deliveries.c.status == PENDING)
        outcome = {
            "status": status,
            "due_at": due_at,
            "attempts": attempt.number,
            "last_detail": attempt.detail,
            "claimed_until": None,
        }
        async with self._database.write() as connection:
            record = insert_into(t.attempts, self._database.dialect).on_conflict_do_nothing()
            await connection.execute(record, [tried])
            change = update(t.deliveries).where(pending).values(outcome)
            return (await connection.execute(change)).rowcount == 1

    async def drop(self, delivery_ids: Sequence[str], why: str) -> int:
        """Give up deliveries that nobody should get any more; how many were pending. A system write."""
        pending = and_(t.deliveries.c.id.in_(delivery_ids), t.deliveries.c.status == PENDING)
        change = update(t.deliveries).where(pending).values(status="dropped", last_detail=why)
        async with self._database.write() as connection:
            return (await connection.execute(change)).rowcount

    async def pending_count(self) -> int:
        """How many deliveries wait or are being sent. A system read."""
        query = select(func.count()).select_from(t.deliveries).where(_pending())
        async with self._database.read() as connection:
            return (await connection.execute(query)).scalar_one()

    async def oldest_due(self) -> datetime | None:
        """Since when the longest waiting delivery is due. A system read."""
        async with self._database.read() as connection:
            query = select(func.min(t.deliveries.c.due_at)).where(_pending())
            found: datetime | None = (await connection.execute(query)).scalar_one_or_none()
            return found

    async def next_due(self) -> datetime | None:
        """When the next delivery can be claimed, which may be past; None when nothing waits. A system read."""
        due, claimed = t.deliveries.c.due_at, t.deliveries.c.claimed_until
        free = case((claimed > due, claimed), else_=due)
        async with self._database.read() as connection:
            query = select(func.min(free)).where(_pending())
            found: datetime | None = (await connection.execute(query)).scalar_one_or_none()
            return found


def _pending() -> ColumnElement[bool]:
    return t.deliveries.c.status == PENDING


def _claimable(now: datetime) -> ColumnElement[bool]:
    claimed = t.deliveries.c.claimed_until
    return and_(_pending(), or_(claimed.is_(None), claimed <= now))


def _is_next() -> ColumnElement[bool]:
    """Whether nothing older of the same alert is still owed to the same channel."""
    mine, older = t.deliveries.c, t.deliveries.alias("older")
    return ~exists(
        select(literal_column("1")).where(
            older.c.alert_id == mine.alert_id,
            older.c.channel_id == mine.channel_id,
            older.c.status == PENDING,
            older.c.created_at < mine.created_at,
        )
    )


def _fair(wanted: ColumnElement[bool], per_channel: int) -> Select[Any]:
    """The first few of each channel among the longest waiting, so that one channel cannot fill every place."""
    order = (t.deliveries.c.due_at, t.deliveries.c.id)
    front = select(t.deliveries.c.id, t.deliveries.c.channel_id, t.deliveries.c.due_at)
    front_rows = front.where(wanted).order_by(*order).limit(_LOOKED_AT).subquery("front")
    row = front_rows.c
    place = func.row_number().over(partition_by=row.channel_id, order_by=(row.due_at, row.id))
    placed = select(row.id, place.label("place")).subquery("placed")
    return select(placed.c.id).where(placed.c.place <= per_channel)


def _attempt_columns(attempt: Attempt) -> dict[str, object]:
    return {
        "delivery_id": attempt.delivery_id,
        "number": attempt.number,
        "at": attempt.at,
        "delivered": attempt.delivered,
        "permanent": attempt.permanent,
        "detail": attempt.detail,
        "duration_ms": attempt.duration_ms,
    }
