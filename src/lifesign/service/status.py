"""How Lifesign itself is: counts, lateness, storage, and what is wrong in words."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Protocol

from lifesign import __version__
from lifesign.clock import Clock
from lifesign.core.errors import LifesignError
from lifesign.core.messages import AlertState
from lifesign.core.scope import Grant, Scope
from lifesign.service.access import require
from lifesign.service.views import Health
from lifesign.store import MAX_LIMIT, Store
from lifesign.store.values import AlertQuery

LATE_MS = 1000.0
"""A 99th percentile of lateness above this means that the machine cannot keep up."""
SILENT_S = 30.0
"""A scheduler that has not come round for so long is stuck."""
OUTBOX_MANY = 1000


class EngineGauges(Protocol):
    """What the engine says of itself; the composition root hands its reading over."""

    def __call__(self) -> Mapping[str, float]:
        """Figures by name; what is absent counts as 0.

        `late_p50_ms`, `late_p99_ms`, `late_max_ms`, `running`, `waiting`, `silent_s` (since the scheduler last came
        round) and counters whose names end in `_total`.
        """


class Status:
    """The operations on Lifesign's own health."""

    def __init__(
        self,
        *,
        store: Store,
        clock: Clock,
        gauges: EngineGauges,
        engine_problems: Callable[[], Sequence[str]],
        database_file: Path | None,
    ) -> None:
        self._store = store
        self._file = database_file
        self._engine_problems = engine_problems
        self.gauges = gauges
        self.started_at = clock.now()

    async def health(self, scope: Scope) -> Health:
        """Counts by state and kind, open alerts, lateness, storage, and what is wrong in words."""
        require(scope, Grant.READ)
        figures = self.gauges()
        pending = await self._store.outbox.pending_count()
        storage_ok = await self._store.healthy()
        firing = await self._count_alerts(scope, AlertState.FIRING)
        seen = await self._count_alerts(scope, AlertState.ACKNOWLEDGED)
        return Health(
            version=__version__,
            started_at=self.started_at,
            monitors=await self.counts(scope),
            kinds=await self._store.monitors.counts_by_kind(scope),
            open_alerts=firing + seen,
            unacknowledged_alerts=firing,
            late_p50_ms=figures.get("late_p50_ms", 0.0),
            late_p99_ms=figures.get("late_p99_ms", 0.0),
            late_max_ms=figures.get("late_max_ms", 0.0),
            runs_total=int(figures.get("runs_total", 0)),
            running=int(figures.get("running", 0)),
            outbox_pending=pending,
            storage=self._store.dialect,
            storage_ok=storage_ok,
            database_bytes=self._database_bytes(),
            problems=self._problems(storage_ok=storage_ok, pending=pending),
        )

    async def counts(self, scope: Scope) -> Mapping[str, int]:
        """How many monitors are in each state; every state is named."""
        require(scope, Grant.READ)
        counted = await self._store.monitors.counts(scope)
        return {state.value: number for state, number in counted.items()}

    async def unready(self) -> tuple[str, ...]:
        """Why this process should get no traffic; empty when it should."""
        reasons: list[str] = []
        try:
            if not await self._store.healthy():
                reasons.append("The database does not answer, or refused the newest write.")
        except LifesignError as error:
            reasons.append(str(error))
        return (*reasons, *self._stuck())

    def _problems(self, *, storage_ok: bool, pending: int) -> tuple[str, ...]:
        said = list(self._engine_problems())
        if not storage_ok:
            said.append("storage: The database does not answer, or refused the newest write.")
        p99 = self.gauges().get("late_p99_ms", 0.0)
        if p99 > LATE_MS:
            said.append(f"engine: Runs begin late (99th percentile {p99:.0f} ms).")
        if pending > OUTBOX_MANY:
            said.append(f"outbox: {pending} messages wait to be sent.")
        return (*said, *self._stuck())

    def _stuck(self) -> tuple[str, ...]:
        silent_s = self.gauges().get("silent_s", 0.0)
        if silent_s <= SILENT_S:
            return ()
        return (f"engine: The scheduler has not come round for {silent_s:.0f} s.",)

    async def _count_alerts(self, scope: Scope, state: AlertState) -> int:
        """How many alerts are in this state."""
        counted, cursor = 0, None
        while True:
            query = AlertQuery(states=(state,), limit=MAX_LIMIT, cursor=cursor)
            page = await self._store.alerts.list(scope, query)
            counted, cursor = counted + len(page.items), page.next_cursor
            if cursor is None:
                return counted

    def _database_bytes(self) -> int | None:
        """The size of the database file with its log; None for a database server."""
        if self._file is None:
            return None
        sizes = [
            path.stat().st_size
            for path in (self._file, self._file.with_name(self._file.name + "-wal"))
            if path.exists()
        ]
        return sum(sizes) if sizes else None
