"""Monitors: add, change, look at, pause, run."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from lifesign.bus import ChangeOf
from lifesign.clock import Clock
from lifesign.core.errors import ConflictError, InvalidError
from lifesign.core.model import Monitor, Owner, State
from lifesign.core.paging import Page
from lifesign.core.scope import Grant, Scope
from lifesign.service.access import require, require_writable
from lifesign.service.drafts import DraftReader
from lifesign.service.history import Histories
from lifesign.service.keys import new_id
from lifesign.service.monitor_views import MonitorViews
from lifesign.service.news import News
from lifesign.service.pings import PingAddresses
from lifesign.service.sightings import Sightings
from lifesign.service.views import (
    CertificateView,
    HeartbeatView,
    HistoryView,
    LatencyView,
    MonitorView,
    RunView,
)
from lifesign.store import Store
from lifesign.store.values import MonitorQuery, MonitorRow


class Monitors:
    """The operations on monitors."""

    def __init__(
        self,
        *,
        store: Store,
        clock: Clock,
        reader: DraftReader,
        views: MonitorViews,
        news: News,
        addresses: PingAddresses,
        config_file: str,
    ) -> None:
        self._store = store
        self._clock = clock
        self._reader = reader
        self._views = views
        self._news = news
        self._addresses = addresses
        self._file = config_file
        self._histories = Histories(store=store, clock=clock)
        self._sightings = Sightings(store=store, views=views, clock=clock)

    async def add(
        self, scope: Scope, draft: Mapping[str, object], *, owner: Owner, id: str = ""
    ) -> MonitorView:
        """A new monitor. Raises InvalidError with problems, ConflictError when a ping key is taken."""
        require(scope, Grant.ADMIN)
        monitor = self._drawn_up(scope, id or new_id("mon"), draft, owner=owner)
        stored = await self._store.monitors.add(scope, monitor)
        return await self._saved(scope, stored, "monitor.added")

    async def declare(
        self,
        scope: Scope,
        drafts: Mapping[str, Mapping[str, object]],
        stored: Mapping[str, Monitor],
    ) -> tuple[int, int]:
        """Make the monitors of the file what the drafts (by id) say; how many were new and how many changed.

        Thousands are written in one transaction; what is already as the file says is left alone.
        """
        require(scope, Grant.ADMIN)
        new = []
        for id, draft in drafts.items():
            if id not in stored:
                new.append(self._drawn_up(scope, id, draft, owner=Owner.FILE))
                # Known at once, so that the next one of the file cannot have the same ping key.
                self._addresses.learn(new[-1])
        if new:
            added = await self._store.monitors.add_all(scope, new)
            await self._news.tell_of_many(scope, "monitor.added", {m.id: _named(m) for m in added})
        changed = 0
        for id, draft in drafts.items():
            if id in stored:
                view = await self._redrawn(scope, stored[id], draft, owner=Owner.FILE)
                changed += view is not None
        return len(new), changed

    async def retire(self, scope: Scope, gone: Sequence[Monitor]) -> None:
        """Remove the monitors that left the file, with all that was seen of them."""
        require(scope, Grant.ADMIN)
        await self._store.monitors.remove_all(scope, [monitor.id for monitor in gone])
        for monitor in gone:
            self._addresses.forget(monitor.id)
        if gone:
            await self._news.tell_of_many(scope, "monitor.removed", {m.id: _named(m) for m in gone})

    def _drawn_up(
        self, scope: Scope, id: str, draft: Mapping[str, object], *, owner: Owner
    ) -> Monitor:
        now = self._clock.now()
        base = Monitor(
            id=id, name="", kind="", settings={}, tenant=scope.tenant, owner=owner,
            created_at=now, updated_at=now,
        )  # fmt: skip
        monitor = self._reader.new(draft, base=base).monitor
        self._check_ping_key(monitor)
        return monitor

    def check(self, draft: Mapping[str, object]) -> None:
        """Raise InvalidError with every problem of a whole draft; nothing is saved."""
        self._reader.new(draft, base=Monitor(id="", name="", kind="", settings={}))

    async def update(
        self,
        scope: Scope,
        id: str,
        changes: Mapping[str, object],
        *,
        owner: Owner,
        expected_version: int | None = None,
    ) -> MonitorView:
        """Change what `changes` names; `***` for a secret keeps it, null for a setting takes it out.

        Raises NotFoundError, ReadOnlyError, InvalidError, and StaleError when `expected_version` is not the stored one.
        """
        require(scope, Grant.ADMIN)
        stored = await self._writable(scope, id, owner)
        changed = self._reader.changed(stored, changes).monitor
        self._check_ping_key(changed)
        return await self._replaced(scope, changed, expected_version)

    async def replace(
        self, scope: Scope, id: str, draft: Mapping[str, object], *, owner: Owner
    ) -> MonitorView:
        """Make it what a whole draft says; what the draft leaves out goes back to its default, a pause stays."""
        require(scope, Grant.ADMIN)
        stored = await self._writable(scope, id, owner)
        return await self._redrawn(scope, stored, draft, owner=owner) or await self.get(scope, id)

    async def _redrawn(
        self, scope: Scope, stored: Monitor, draft: Mapping[str, object], *, owner: Owner
    ) -> MonitorView | None:
        """Store what a whole draft makes of a stored monitor; None when that is what it is already."""
        base = Monitor(
            id=stored.id, name="", kind="", settings=stored.settings, tenant=stored.tenant,
            slug=stored.slug, owner=owner, version=stored.version, created_at=stored.created_at,
            paused=stored.paused,
        )  # fmt: skip
        monitor = self._reader.new(draft, base=base).monitor
        if replace(monitor, updated_at=stored.updated_at) == stored:
            return None
        return await self._replaced(scope, monitor, None)

    async def remove(self, scope: Scope, id: str, *, owner: Owner = Owner.API) -> None:
        """Remove it with all that was seen of it. Raises NotFoundError, ReadOnlyError."""
        require(scope, Grant.ADMIN)
        stored = await self._writable(scope, id, owner)
        await self._store.monitors.remove(scope, stored.id)
        self._addresses.forget(stored.id)
        await self._news.tell(
            scope, "monitor.removed", kind="monitor", id=stored.id, data=_named(stored),
            what=ChangeOf.REMOVED,
        )  # fmt: skip

    async def pause(self, scope: Scope, id: str) -> MonitorView:
        """Let it rest. A monitor of the file is paused too: resting is operation, not configuration."""
        return await self._rest(scope, id, paused=True)

    async def resume(self, scope: Scope, id: str) -> MonitorView:
        """Watch again."""
        return await self._rest(scope, id, paused=False)

    async def run_now(self, scope: Scope, id: str) -> None:
        """Ask the engine for a run at once. Raises ConflictError for one that rests or is only told."""
        require(scope, Grant.OPERATE)
        monitor = await self._store.monitors.get(scope, id)
        if monitor.paused:
            raise ConflictError(f"{monitor.name} is paused.", remedy="Resume it first.")
        if monitor.kind in self._reader.kinds and self._reader.kinds[monitor.kind].passive:
            raise ConflictError(
                f"{monitor.name} is not probed: it is told of by its job.",
                remedy="Ping its address instead.",
            )
        await self._news.ask_for_run(scope, monitor.id)

    async def get(self, scope: Scope, id_or_slug: str) -> MonitorView:
        """One monitor by id or slug. Raises NotFoundError."""
        require(scope, Grant.READ)
        monitor = await self._store.monitors.get(scope, id_or_slug)
        state = await self._store.monitors.state(scope, monitor.id)
        last = await self._store.observations.last_runs(scope, [monitor.id])
        row = MonitorRow(monitor, state, last.get(monitor.id))
        return (await self._views.of(scope, [row]))[0]

    async def list(
        self, scope: Scope, query: MonitorQuery, *, with_figures: bool = True
    ) -> Page[MonitorView]:
        """Monitors, worst first unless sorted otherwise; `with_figures` adds uptime and p95 of 24 hours."""
        require(scope, Grant.READ)
        page = await self._store.monitors.list(scope, query)
        if with_figures:
            return Page(await self._views.of(scope, page.items), page.next_cursor)
        return Page(tuple([self._views.view(scope, row) for row in page.items]), page.next_cursor)

    async def history(
        self,
        scope: Scope,
        id: str,
        *,
        since: datetime,
        until: datetime,
        points: int = 120,
        days: int = 90,
    ) -> HistoryView:
        """The past of one monitor. Raises NotFoundError, InvalidError."""
        monitor = await self._readable(scope, id)
        return await self._histories.history(
            scope, monitor.id, since=since, until=until, points=points, days=days
        )

    async def latency(self, scope: Scope, id: str) -> LatencyView:
        """Percentiles of 24 hours, 7 and 30 days, and what is usual. Raises NotFoundError."""
        return await self._histories.latency(scope, await self._readable(scope, id))

    async def runs(
        self,
        scope: Scope,
        id: str,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        limit: int = 50,
        cursor: str | None = None,
        states: tuple[State, ...] = (),
    ) -> Page[RunView]:
        """Single runs, newest first. Raises NotFoundError."""
        monitor = await self._readable(scope, id)
        return await self._histories.runs(
            scope, monitor.id, since=since, until=until, limit=limit, cursor=cursor, states=states
        )

    async def heartbeats(
        self, scope: Scope, *, limit: int = 50, cursor: str | None = None
    ) -> Page[HeartbeatView]:
        """The jobs that report, worst first."""
        require(scope, Grant.READ)
        return await self._sightings.heartbeats(scope, limit=limit, cursor=cursor)

    async def certificates(
        self, scope: Scope, *, limit: int = 50, cursor: str | None = None
    ) -> Page[CertificateView]:
        """The certificates that were met on last runs, the soonest to expire first."""
        require(scope, Grant.READ)
        return await self._sightings.certificates(scope, limit=limit, cursor=cursor)

    async def _readable(self, scope: Scope, id: str) -> Monitor:
        require(scope, Grant.READ)
        return await self._store.monitors.get(scope, id)

    async def _writable(self, scope: Scope, id: str, by: Owner) -> Monitor:
        stored = await self._store.monitors.get(scope, id)
        require_writable(stored.owner, what=f"The monitor {stored.name}", by=by, file=self._file)
        return stored

    async def _rest(self, scope: Scope, id: str, *, paused: bool) -> MonitorView:
        require(scope, Grant.OPERATE)
        stored = await self._store.monitors.get(scope, id)
        if stored.paused == paused:
            return await self.get(scope, stored.id)
        return await self._replaced(scope, replace(stored, paused=paused), None)

    async def _replaced(
        self, scope: Scope, monitor: Monitor, expected_version: int | None
    ) -> MonitorView:
        stored = await self._store.monitors.replace(
            scope,
            replace(monitor, updated_at=self._clock.now()),
            expected_version=expected_version,
        )
        return await self._saved(scope, stored, "monitor.changed")

    async def _saved(self, scope: Scope, stored: Monitor, type: str) -> MonitorView:
        self._addresses.learn(stored)
        data = {**_named(stored), "paused": stored.paused}
        await self._news.tell(scope, type, kind="monitor", id=stored.id, data=data)
        return await self.get(scope, stored.id)

    def _check_ping_key(self, monitor: Monitor) -> None:
        """A ping must mean one monitor only."""
        if not self._addresses.is_free_for(monitor):
            reason = "is the ping key of another monitor"
            raise InvalidError(
                f"The ping key of {monitor.name} {reason}.", problems=(("settings.uuid", reason),),
                remedy="Leave it out: a new one is made.",
            )  # fmt: skip


def _named(monitor: Monitor) -> dict[str, object]:
    return {"name": monitor.name, "slug": monitor.slug, "kind": monitor.kind}
