"""Monitors and what the judge remembers of them."""

import re
import unicodedata
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import replace
from typing import Any

from sqlalchemy import ColumnElement, RowMapping, Select, and_, case, delete, func, insert, select
from sqlalchemy import update as update_rows
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from lifesign.core.errors import ConflictError, NotFoundError, StaleError
from lifesign.core.model import Monitor, MonitorState, State
from lifesign.core.paging import Page
from lifesign.core.scope import Scope
from lifesign.store import surface_tables
from lifesign.store import tables as t
from lifesign.store.codes import CODE_STATE, RANK, STATE_CODE
from lifesign.store.columns import json_text
from lifesign.store.cursors import after, bounded, decode_cursor, encode_cursor
from lifesign.store.repository import Repository
from lifesign.store.rows import monitor_columns, monitor_of, run_of, state_of
from lifesign.store.tenancy import within
from lifesign.store.values import MonitorQuery, MonitorRow, StoredRun

_MONITOR_DATA = (
    t.monitor_states,
    t.runs,
    t.hourly,
    t.daily,
    t.rollup_late,
    t.transitions,
    t.alerts,
    t.pings,
    surface_tables.drifts,
    surface_tables.surface_changes,
    surface_tables.releases,
)
_SLUG_LENGTH = 60
_REMOVED_AT_ONCE = 500

_shown_state: ColumnElement[int] = case(
    (t.monitors.c.paused, STATE_CODE[State.PAUSED]),
    else_=func.coalesce(t.monitor_states.c.state, STATE_CODE[State.UNKNOWN]),
)
_rank: ColumnElement[int] = case(
    {STATE_CODE[state]: rank for state, rank in RANK.items()}, value=_shown_state
)


class MonitorRepository(Repository):
    """Everything about monitors that is asked of storage."""

    async def add(self, scope: Scope, monitor: Monitor) -> Monitor:
        """Store a new monitor in the caller's tenant.

        An empty slug is made from the name and is unique then; a given one that is taken, or a taken id,
        raises ConflictError.
        """
        async with self._database.write() as connection:
            slug = monitor.slug or await _free_slug(connection, scope, monitor.name)
            stored = replace(monitor, tenant=scope.tenant, slug=slug, version=1)
            try:
                await connection.execute(insert(t.monitors), self._columns(stored))
            except IntegrityError as error:
                raise ConflictError(
                    f"Another monitor has the id {monitor.id} or the slug {slug} already.",
                    remedy="Choose another slug, or change the monitor that has it.",
                ) from error
        return stored

    async def add_all(self, scope: Scope, monitors: Sequence[Monitor]) -> tuple[Monitor, ...]:
        """Store many new monitors in one transaction, each with an unused slug made from its name.

        Raises ConflictError for a taken id; then none is stored.
        """
        async with self._database.write() as connection:
            query = select(t.monitors.c.slug).where(within(scope, t.monitors))
            slugs = set((await connection.execute(query)).scalars())
            stored: list[Monitor] = []
            for monitor in monitors:
                slug = _unused(slugify(monitor.name), slugs)
                slugs.add(slug)
                stored.append(replace(monitor, tenant=scope.tenant, slug=slug, version=1))
            try:
                await connection.execute(insert(t.monitors), [self._columns(m) for m in stored])
            except IntegrityError as error:
                raise ConflictError(
                    "Another monitor has one of these ids already.",
                    remedy="Change the monitor that has it.",
                ) from error
        return tuple(stored)

    async def replace(
        self, scope: Scope, monitor: Monitor, *, expected_version: int | None
    ) -> Monitor:
        """Store a changed monitor under the next version.

        Raises NotFoundError, ConflictError for a taken slug, and StaleError when the stored version is
        not `expected_version` (None overwrites whatever is there).
        """
        async with self._database.write() as connection:
            found = await _find(connection, scope, t.monitors.c.id == monitor.id, monitor.id)
            if expected_version not in {None, found["version"]}:
                raise StaleError(
                    f"Monitor {found['slug']} is at version {found['version']}, not {expected_version}.",
                    remedy="Read it again and repeat the change on what is there now.",
                )
            stored = replace(
                monitor,
                tenant=scope.tenant,
                slug=monitor.slug or found["slug"],
                version=found["version"] + 1,
                created_at=found["created_at"],
            )
            change = update_rows(t.monitors).where(
                within(scope, t.monitors), t.monitors.c.id == monitor.id
            )
            try:
                await connection.execute(change.values(**self._columns(stored)))
            except IntegrityError as error:
                raise ConflictError(
                    f"Another monitor has the slug {stored.slug} already.",
                    remedy="Choose another slug.",
                ) from error
        return stored

    async def remove(self, scope: Scope, monitor_id: str) -> None:
        """Delete a monitor with all its data; raises NotFoundError. Its events stay in the feed."""
        async with self._database.write() as connection:
            await _find(connection, scope, t.monitors.c.id == monitor_id, monitor_id)
            await _delete(connection, scope, [monitor_id])

    async def remove_all(self, scope: Scope, ids: Sequence[str]) -> None:
        """Delete many monitors with all their data, some at a time; those that are gone already are passed over."""
        for first in range(0, len(ids), _REMOVED_AT_ONCE):
            async with self._database.write() as connection:
                await _delete(connection, scope, ids[first : first + _REMOVED_AT_ONCE])

    async def get(self, scope: Scope, id_or_slug: str) -> Monitor:
        """The monitor with this id or slug; raises NotFoundError."""
        match = (t.monitors.c.id == id_or_slug) | (t.monitors.c.slug == id_or_slug)
        async with self._database.read() as connection:
            return self._monitor(await _find(connection, scope, match, id_or_slug))

    async def state(self, scope: Scope, monitor_id: str) -> MonitorState | None:
        """What the judge remembers of one monitor; None before its first verdict."""
        query = select(t.monitor_states).where(
            within(scope, t.monitor_states), t.monitor_states.c.monitor_id == monitor_id
        )
        async with self._database.read() as connection:
            row = (await connection.execute(query)).mappings().one_or_none()
        return None if row is None else state_of(row)

    async def list(self, scope: Scope, query: MonitorQuery) -> Page[MonitorRow]:
        """One page of monitors with their states and newest runs."""
        limit = bounded(query.limit)
        order = _order(query)
        chosen = _select(scope, query).order_by(*order).limit(limit + 1)
        if query.cursor is not None:
            types = (int, str, str) if query.sort == "worst" else (str,) * len(order)
            chosen = chosen.where(after(order, decode_cursor(query.sort, query.cursor, types)))
        async with self._database.read() as connection:
            rows = (await connection.execute(chosen)).mappings().all()
            shown = rows[:limit]
            ids = [row["id"] for row in shown]
            states = await _states(connection, scope, ids)
            newest = await newest_runs(connection, scope, ids)
        items = tuple(
            MonitorRow(self._monitor(row), states.get(row["id"]), newest.get(row["id"]))
            for row in shown
        )
        key = [shown[-1][name] for name in _KEYS[query.sort]] if len(rows) > limit else None
        return Page(items, None if key is None else encode_cursor(query.sort, key))

    async def counts(self, scope: Scope) -> Mapping[State, int]:
        """How many monitors are in each state; every state is named."""
        grouped = (
            select(_shown_state.label("shown"), func.count().label("n"))
            .select_from(_with_states())
            .where(within(scope, t.monitors))
            .group_by(_shown_state)
        )
        async with self._database.read() as connection:
            found = {CODE_STATE[code]: n for code, n in await connection.execute(grouped)}
        return {state: found.get(state, 0) for state in State}

    async def counts_by_kind(self, scope: Scope) -> Mapping[str, int]:
        """How many monitors there are of each kind that has any."""
        kind = t.monitors.c.kind
        grouped = select(kind, func.count()).where(within(scope, t.monitors)).group_by(kind)
        async with self._database.read() as connection:
            rows = await connection.execute(grouped.order_by(kind))
            return {row[0]: row[1] for row in rows}

    async def all_active(self) -> tuple[Monitor, ...]:
        """Every monitor of every tenant, paused ones too, for the engine. A system read."""
        async with self._database.read() as connection:
            rows = (
                await connection.execute(select(t.monitors).order_by(t.monitors.c.id))
            ).mappings()
            return tuple(self._monitor(row) for row in rows)

    async def all_states(self) -> tuple[MonitorState, ...]:
        """What the judge remembered of every monitor of every tenant. A system read."""
        async with self._database.read() as connection:
            rows = (await connection.execute(select(t.monitor_states))).mappings()
            return tuple(state_of(row) for row in rows)

    def _columns(self, monitor: Monitor) -> dict[str, Any]:
        sealed = self._seal(
            monitor.settings, tenant=monitor.tenant, table="monitors", row=monitor.id
        )
        return monitor_columns(monitor, sealed)

    def _monitor(self, row: RowMapping) -> Monitor:
        settings = self._open(
            row["settings"], tenant=row["tenant"], table="monitors", row=row["id"]
        )
        return monitor_of(row, settings)


_KEYS: Mapping[str, tuple[str, ...]] = {
    "worst": ("rank", "name_key", "id"),
    "name": ("name_key", "id"),
    "kind": ("kind", "name_key", "id"),
}


def _order(query: MonitorQuery) -> tuple[ColumnElement[Any], ...]:
    columns: Mapping[str, ColumnElement[Any]] = {"rank": _rank, **t.monitors.c}
    return tuple(columns[name] for name in _KEYS[query.sort])


def _with_states() -> Any:
    on = t.monitor_states.c.monitor_id == t.monitors.c.id
    return t.monitors.outerjoin(t.monitor_states, on)


def _select(scope: Scope, query: MonitorQuery) -> Select[Any]:
    """The monitors that match, before order and page."""
    chosen = (
        select(t.monitors, _rank.label("rank"))
        .select_from(_with_states())
        .where(within(scope, t.monitors))
    )
    if query.kind:
        chosen = chosen.where(t.monitors.c.kind == query.kind)
    if query.group:
        chosen = chosen.where(t.monitors.c.group_name == query.group)
    if query.owner is not None:
        chosen = chosen.where(t.monitors.c.owner == query.owner.value)
    if query.states:
        chosen = chosen.where(_shown_state.in_([STATE_CODE[state] for state in query.states]))
    if query.tag:
        # Tags are a JSON list, in which a quoted tag can only be a whole one; replace() tells its
        # presence apart from case, which LIKE does not do in SQLite.
        quoted = monitor_tag(query.tag)
        chosen = chosen.where(func.replace(t.monitors.c.tags, quoted, "") != t.monitors.c.tags)
    if query.text:
        wanted = query.text.casefold()
        chosen = chosen.where(t.monitors.c.haystack.contains(wanted, autoescape=True))
    return chosen


def monitor_tag(tag: str) -> str:
    """A tag as it stands in the stored JSON list."""
    return json_text(tag)


async def _delete(connection: AsyncConnection, scope: Scope, ids: Sequence[str]) -> None:
    known = select(t.monitors.c.id).where(within(scope, t.monitors), t.monitors.c.id.in_(ids))
    mine = (await connection.execute(known)).scalars().all()
    owned = select(t.alerts.c.id).where(t.alerts.c.monitor_id.in_(mine))
    sent = select(t.deliveries.c.id).where(t.deliveries.c.alert_id.in_(owned))
    await connection.execute(delete(t.attempts).where(t.attempts.c.delivery_id.in_(sent)))
    await connection.execute(delete(t.deliveries).where(t.deliveries.c.alert_id.in_(owned)))
    for table in _MONITOR_DATA:
        await connection.execute(delete(table).where(table.c.monitor_id.in_(mine)))
    await connection.execute(
        delete(t.monitors).where(within(scope, t.monitors), t.monitors.c.id.in_(mine))
    )


async def _find(
    connection: AsyncConnection, scope: Scope, match: ColumnElement[bool], called: str
) -> RowMapping:
    query = select(t.monitors).where(within(scope, t.monitors), match)
    # An id wins over a slug that happens to look the same.
    exact = case((t.monitors.c.id == called, 0), else_=1)
    row = (await connection.execute(query.order_by(exact).limit(1))).mappings().one_or_none()
    if row is None:
        raise NotFoundError(
            f"There is no monitor {called!r}.", remedy="List the monitors to see what there is."
        )
    return row


async def _states(
    connection: AsyncConnection, scope: Scope, ids: Sequence[str]
) -> dict[str, MonitorState]:
    query = select(t.monitor_states).where(
        within(scope, t.monitor_states), t.monitor_states.c.monitor_id.in_(ids)
    )
    rows = (await connection.execute(query)).mappings()
    return {row["monitor_id"]: state_of(row) for row in rows}


async def newest_runs(
    connection: AsyncConnection, scope: Scope, ids: Sequence[str]
) -> dict[str, StoredRun]:
    """The newest run of each monitor: one step down the clustered key for each."""
    inner = t.runs.alias("newest")
    top = select(func.max(inner.c.slot_ms)).where(inner.c.monitor_id == t.monitors.c.id)
    at_top = and_(t.runs.c.monitor_id == t.monitors.c.id, t.runs.c.slot_ms == top.scalar_subquery())
    query = (
        select(t.runs)
        .select_from(t.monitors.join(t.runs, at_top))
        .where(within(scope, t.monitors), t.monitors.c.id.in_(ids))
    )
    rows = (await connection.execute(query)).mappings()
    return {row["monitor_id"]: run_of(row) for row in rows}


async def _free_slug(connection: AsyncConnection, scope: Scope, name: str) -> str:
    """The name as a slug; with a number behind it when others have it."""
    base = slugify(name)
    query = select(t.monitors.c.slug).where(
        within(scope, t.monitors), t.monitors.c.slug.startswith(base, autoescape=True)
    )
    return _unused(base, set((await connection.execute(query)).scalars()))


def _unused(base: str, taken: AbstractSet[str]) -> str:
    if base not in taken:
        return base
    return next(f"{base}-{n}" for n in range(2, len(taken) + 3) if f"{base}-{n}" not in taken)


def slugify(name: str) -> str:
    """Lower-case ASCII words joined by dashes; `monitor` when nothing of the name remains."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    words = re.sub(r"[^a-z0-9]+", "-", plain.lower()).strip("-")
    return words[:_SLUG_LENGTH].rstrip("-") or "monitor"
