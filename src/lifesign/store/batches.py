"""The batch writer: one transaction for everything that one turn of the engine decided."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from functools import partial

from sqlalchemy import (
    ColumnElement,
    Insert,
    String,
    Table,
    Update,
    case,
    func,
    literal_column,
    or_,
)
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from lifesign.core.batch import Batch, Event
from lifesign.core.errors import ConflictError
from lifesign.store import tables as t
from lifesign.store.database import Database
from lifesign.store.repository import Repository
from lifesign.store.rows import (
    Columns,
    alert_columns,
    delivery_columns,
    event_columns,
    numbered,
    ping_columns,
    run_columns,
    state_columns,
    transition_columns,
)
from lifesign.store.statements import Prepared, insert_into, insert_watched
from lifesign.store.surface_rows import (
    change_columns,
    drift_columns,
    settlement_columns,
    snapshot_columns,
)
from lifesign.store.surface_statements import (
    change_statement,
    drift_statement,
    settlement_statement,
    snapshot_statement,
)
from lifesign.store.vault import Vault

HOUR_MS = 3_600_000

_PROGRESS = "SELECT closing_ms, raw_from_ms FROM rollup_progress WHERE id = 1"
_NUMBERS = "UPDATE event_counter SET newest = newest + {} WHERE id = 1 RETURNING newest"


class BatchWriter(Repository):
    """Writes batches; the only writer of runs, states, transitions and alerts on the hot path."""

    def __init__(self, database: Database, vault: Vault | None = None) -> None:
        super().__init__(database, vault)
        self._prepared: dict[str, Prepared] = {}

    async def commit(self, batch: Batch) -> tuple[Event, ...]:
        """Write all of a batch or nothing, and return its events under their ids. A system write.

        Runs, transitions, deliveries and pings that are there already are left as they are. An alert
        never returns from resolved, and what people acknowledged stays acknowledged until it resolves; what they
        pinned stays pinned. Raises ConflictError for a second open alert of one key.
        """
        durable = _is_durable(batch)
        ran = [run_columns(run) for run in batch.runs]
        snapshots = await asyncio.to_thread(_deflated, batch) if batch.snapshots else []
        try:
            async with self._database.write(durable=durable) as connection:
                await self._write_runs(connection, ran)
                await self._write(connection, "state", map(state_columns, batch.states))
                changes = map(transition_columns, batch.transitions)
                await self._write(connection, "transition", changes)
                await self._write(connection, "alert", map(alert_columns, batch.alerts))
                await self._write(connection, "delivery", map(delivery_columns, batch.deliveries))
                await self._write(connection, "ping", map(ping_columns, batch.pings))
                await self._write_surfaces(connection, batch, snapshots)
                return await self._write_events(connection, batch.events)
        except IntegrityError as error:
            raise ConflictError(
                f"A batch was refused, because it would break a rule of the store: {error.orig}",
                remedy="Resolve the open alert of this key before another one of the same key is opened.",
            ) from error

    async def _write_runs(self, connection: AsyncConnection, rows: list[Columns]) -> None:
        """Runs, and a mark on every hour that was summed up before its run came in.

        The row lock in PostgreSQL makes `roll_up` wait for commits that do not know yet that an hour closes.
        A run from before what is kept at all is dropped: its hour can no longer be summed up.
        """
        if not rows:
            return
        lock = " FOR SHARE" if self._database.dialect == "postgresql" else ""
        found = await connection.exec_driver_sql(_PROGRESS + lock)
        progress = found.mappings().one()
        closing, kept_from = progress["closing_ms"], progress["raw_from_ms"]
        if min(row["slot_ms"] for row in rows) < closing:
            rows = [row for row in rows if row["slot_ms"] >= kept_from]
            late = {
                (row["monitor_id"], row["slot_ms"] // HOUR_MS * HOUR_MS, row["tenant"])
                for row in rows
                if row["slot_ms"] < closing
            }
            marks = [
                dict(zip(("monitor_id", "hour_ms", "tenant"), mark, strict=True)) for mark in late
            ]
            await self._write(connection, "late", marks)
        await self._write(connection, "run", rows)

    async def _write_surfaces(
        self, connection: AsyncConnection, batch: Batch, snapshots: list[Columns]
    ) -> None:
        """Documents before what refers to them; in order of their keys, so that two writers never wait in a circle."""
        await self._write(connection, "snapshot", snapshots)
        drifts = sorted(
            batch.drifts, key=lambda each: (each.monitor_id, each.region, each.audience)
        )
        await self._write(connection, "drift", map(drift_columns, drifts))
        await self._write(connection, "surface_change", map(change_columns, batch.surface_changes))
        await self._write(connection, "settlement", map(settlement_columns, batch.settlements))

    async def _write_events(
        self, connection: AsyncConnection, events: Sequence[Event]
    ) -> tuple[Event, ...]:
        """Events under the next ids. The counter's row lock makes ids grow in order of commit."""
        if not events:
            return ()
        newest = (await connection.exec_driver_sql(_NUMBERS.format(len(events)))).scalar_one()
        first = newest - len(events) + 1
        stored = tuple(numbered(event, first + place) for place, event in enumerate(events))
        await self._write(connection, "event", map(event_columns, stored))
        return stored

    async def _write(
        self, connection: AsyncConnection, what: str, rows: "map[Columns] | list[Columns]"
    ) -> None:
        prepared = self._prepared.get(what)
        if prepared is None:
            statement = _statement(what, self._database.dialect)
            prepared = self._prepared[what] = Prepared(statement, connection.dialect)
        await prepared.run(connection, rows)


def _is_durable(batch: Batch) -> bool:
    """Whether it tells of something that a power cut must not undo."""
    said = (batch.transitions, batch.alerts, batch.deliveries, batch.events, batch.pings)
    return any((*said, batch.surface_changes, batch.settlements))


def _deflated(batch: Batch) -> list[Columns]:
    """The snapshots as columns, each once; called in a thread, because thousands come at a first start."""
    rows = {(each.tenant, each.digest): each for each in batch.snapshots}
    return [snapshot_columns(rows[key]) for key in sorted(rows)]


def _statement(what: str, dialect: str) -> Insert | Update:
    """How each part of a batch is written, and what happens where it is there already."""
    if what in _ONCE:
        return insert_watched(_ONCE[what], dialect).on_conflict_do_nothing()
    if what == "delivery":
        return insert_into(t.deliveries, dialect).on_conflict_do_nothing()
    return _ALWAYS[what](dialect)


def _state_statement(dialect: str) -> Insert:
    statement = insert_watched(t.monitor_states, dialect)
    given = statement.excluded
    changed = {
        column.name: given[column.name]
        for column in t.monitor_states.c
        if column.name not in {"monitor_id", "tenant"}
    }
    return statement.on_conflict_do_update(index_elements=["monitor_id"], set_=changed)


def _quoted(word: str) -> ColumnElement[str]:
    """One of our own words in the statement itself, so that it asks for no parameter of its own."""
    return literal_column(f"'{word}'", String)


def _alert_statement(dialect: str) -> Insert:
    """What the engine holds in memory may be older than what a person did a moment ago."""
    statement = insert_watched(t.alerts, dialect)
    given, stored = statement.excluded, t.alerts.c
    firing, acknowledged, resolved = map(_quoted, ("firing", "acknowledged", "resolved"))
    seen = (stored.state == acknowledged) & (given.state == firing)
    kept = {
        "state": case((seen, acknowledged), else_=given.state),
        "severity": given.severity,
        "title": given.title,
        "failure": given.failure,
        "updated_at": given.updated_at,
        "resolved_at": given.resolved_at,
        "acknowledged_at": func.coalesce(given.acknowledged_at, stored.acknowledged_at),
        "acknowledged_by": case(
            (given.acknowledged_by == _quoted(""), stored.acknowledged_by),
            else_=given.acknowledged_by,
        ),
    }
    open_still = or_(stored.state != resolved, given.state == resolved)
    return statement.on_conflict_do_update(index_elements=["id"], set_=kept, where=open_still)


_ONCE: Mapping[str, Table] = {"run": t.runs, "late": t.rollup_late, "transition": t.transitions}
_ALWAYS: Mapping[str, Callable[[str], Insert | Update]] = {
    "state": _state_statement,
    "alert": _alert_statement,
    "ping": partial(insert_watched, t.pings),
    "event": partial(insert_into, t.events),
    "snapshot": snapshot_statement,
    "drift": drift_statement,
    "surface_change": change_statement,
    "settlement": settlement_statement,
}
