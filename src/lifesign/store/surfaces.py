"""Published surfaces: their documents, what is remembered of them, their timelines, and what people decided."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, and_, delete, insert, or_, select, update

from lifesign.core.drift.values import Drift, Release, SurfaceChange
from lifesign.core.errors import NotFoundError, StaleError
from lifesign.core.paging import Page
from lifesign.core.scope import Scope
from lifesign.store import surface_tables as t
from lifesign.store.columns import from_us, to_us
from lifesign.store.cursors import after, bounded, decode_cursor, encode_cursor
from lifesign.store.repository import Repository
from lifesign.store.surface_rows import change_of, document_of, drift_of, release_of
from lifesign.store.tenancy import within

_DIGESTS_AT_ONCE = 500


class SurfaceRepository(Repository):
    """Reads of surfaces, and what people decide about them; the engine writes by batches."""

    async def all_drifts(self) -> tuple[Drift, ...]:
        """What is remembered of every surface of every tenant. A system read."""
        async with self._database.read() as connection:
            rows = (await connection.execute(select(t.drifts))).mappings()
            return tuple(drift_of(row) for row in rows)

    async def all_releases(self, now: datetime) -> tuple[Release, ...]:
        """Every release of every tenant that is not over, by its begin. A system read."""
        query = select(t.releases).where(t.releases.c.ends_at >= now)
        async with self._database.read() as connection:
            rows = await connection.execute(query.order_by(t.releases.c.starts_at, t.releases.c.id))
            return tuple(release_of(row) for row in rows.mappings())

    async def drifts(self, scope: Scope, monitor_id: str) -> tuple[Drift, ...]:
        """What is remembered of a monitor's surface, by region and audience; empty before its first look."""
        query = select(t.drifts).where(within(scope, t.drifts), t.drifts.c.monitor_id == monitor_id)
        async with self._database.read() as connection:
            rows = await connection.execute(query.order_by(t.drifts.c.region, t.drifts.c.audience))
            return tuple(drift_of(row) for row in rows.mappings())

    async def tenant_drifts(self, scope: Scope) -> tuple[Drift, ...]:
        """What is remembered of every surface of the tenant, by monitor, region and audience."""
        keys = (t.drifts.c.monitor_id, t.drifts.c.region, t.drifts.c.audience)
        query = select(t.drifts).where(within(scope, t.drifts)).order_by(*keys)
        async with self._database.read() as connection:
            return tuple(drift_of(row) for row in (await connection.execute(query)).mappings())

    async def documents(self, scope: Scope, digests: Iterable[str]) -> Mapping[str, bytes]:
        """The canonical documents that are kept, by digest; what is not kept is absent."""
        wanted, found = sorted(set(digests)), dict[str, bytes]()
        for first in range(0, len(wanted), _DIGESTS_AT_ONCE):
            some = t.snapshots.c.digest.in_(wanted[first : first + _DIGESTS_AT_ONCE])
            query = select(t.snapshots).where(within(scope, t.snapshots), some)
            async with self._database.read() as connection:
                rows = (await connection.execute(query)).mappings().all()
            found |= {row["digest"]: document_of(row) for row in rows}
        return found

    async def shown_in(
        self, scope: Scope, monitor_id: str, digest: str
    ) -> frozenset[tuple[str, str]]:
        """The places (region, audience) in which this very monitor is known to have published a surface."""
        drifts, lines = t.drifts.c, t.surface_changes.c
        remembered = select(drifts.region, drifts.audience).where(
            within(scope, t.drifts),
            drifts.monitor_id == monitor_id,
            or_(drifts.current == digest, drifts.baseline == digest),
        )
        told = select(lines.region, lines.audience).where(
            within(scope, t.surface_changes),
            lines.monitor_id == monitor_id,
            or_(lines.before == digest, lines.after == digest),
        )
        async with self._database.read() as connection:
            found = await connection.execute(remembered.union(told))
            return frozenset([(row[0], row[1]) for row in found])

    async def changes(
        self, scope: Scope, monitor_id: str, *, limit: int = 50, cursor: str | None = None
    ) -> Page[SurfaceChange]:
        """The timeline of a monitor's surface, newest first."""
        order = (t.surface_changes.c.at, t.surface_changes.c.id)
        mine = within(scope, t.surface_changes)
        query = select(t.surface_changes).where(mine, t.surface_changes.c.monitor_id == monitor_id)
        if cursor is not None:
            at_us, change_id = decode_cursor("surface", cursor, (int, str))
            key = (from_us(int(at_us)), str(change_id))
            query = query.where(after(order, key, descending=True))
        limit = bounded(limit)
        query = query.order_by(*(column.desc() for column in order)).limit(limit + 1)
        async with self._database.read() as connection:
            rows = (await connection.execute(query)).mappings().all()
        items = tuple(change_of(row) for row in rows[:limit])
        if len(rows) <= limit:
            return Page(items)
        return Page(items, encode_cursor("surface", (to_us(items[-1].at), items[-1].id)))

    async def rebase(
        self, scope: Scope, moves: Sequence[tuple[Drift, Drift]], *, at: datetime, by: str
    ) -> None:
        """Store the baselines and pins that a person chose, each from what they saw to what they want; all or none.

        The lines of the timeline up to the newest that led to a new baseline are accepted by them. Raises StaleError
        when something else is published, accepted or pinned by now.
        """
        async with self._database.write() as connection:
            for seen, wanted in moves:
                chosen = {
                    "baseline": wanted.baseline,
                    "baseline_since": wanted.baseline_since,
                    "pinned": wanted.pinned,
                }
                same = and_(within(scope, t.drifts), _is_still(seen))
                changed = await connection.execute(update(t.drifts).where(same).values(**chosen))
                if changed.rowcount == 0:
                    raise _overtaken(seen)
                lines = and_(within(scope, t.surface_changes), _led_to(wanted))
                accepted = {"accepted_at": at, "accepted_by": by}
                await connection.execute(update(t.surface_changes).where(lines).values(**accepted))

    async def announce(self, scope: Scope, releases: Sequence[Release]) -> None:
        """Store new releases, all or none."""
        names = [column.name for column in t.releases.c]
        rows = [{name: getattr(each, name) for name in names} for each in releases]
        owned = [{**row, "tenant": scope.tenant} for row in rows]
        async with self._database.write() as connection:
            await connection.execute(insert(t.releases), owned)

    async def releases(self, scope: Scope, monitor_id: str = "") -> tuple[Release, ...]:
        """Releases of one monitor or of all, the latest to begin first."""
        query = select(t.releases).where(within(scope, t.releases))
        if monitor_id:
            query = query.where(t.releases.c.monitor_id == monitor_id)
        query = query.order_by(t.releases.c.starts_at.desc(), t.releases.c.id).limit(1000)
        async with self._database.read() as connection:
            return tuple(release_of(row) for row in (await connection.execute(query)).mappings())

    async def cancel(self, scope: Scope, release_id: str) -> Release:
        """Take a release back and return what it was; raises NotFoundError."""
        mine = and_(within(scope, t.releases), t.releases.c.id == release_id)
        async with self._database.write() as connection:
            row = (await connection.execute(select(t.releases).where(mine))).mappings().first()
            if row is None:
                raise NotFoundError(
                    f"There is no release {release_id!r}.",
                    remedy="List the releases to see what is announced.",
                )
            await connection.execute(delete(t.releases).where(mine))
        return release_of(row)


def _is_still(seen: Drift) -> ColumnElement[bool]:
    """The row of this surface, as long as it says what somebody looked at."""
    row = t.drifts.c
    return and_(
        row.monitor_id == seen.monitor_id,
        row.region == seen.region,
        row.audience == seen.audience,
        row.baseline == seen.baseline,
        row.pinned == seen.pinned,
        row.current == seen.current,
    )


def _led_to(wanted: Drift) -> ColumnElement[bool]:
    """The lines that are drift and lie before, or are, the newest one that led to the baseline."""
    lines, same = t.surface_changes.c, t.surface_changes.alias("led")
    newest = (
        select(same.c.at)
        .where(
            same.c.monitor_id == wanted.monitor_id,
            same.c.region == wanted.region,
            same.c.audience == wanted.audience,
            same.c.after == wanted.baseline,
        )
        .order_by(same.c.at.desc())
        .limit(1)
        .scalar_subquery()
    )
    return and_(
        lines.monitor_id == wanted.monitor_id,
        lines.region == wanted.region,
        lines.audience == wanted.audience,
        lines.accepted_by == "",
        lines.at <= newest,
    )


def _overtaken(seen: Drift) -> StaleError:
    return StaleError(
        f"The surface seen from {seen.region} changed, or somebody else decided about it, in the meantime.",
        remedy="Look at it again and repeat what still holds.",
    )
