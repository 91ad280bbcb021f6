"""Takes runs off the bus in batches, has them judged, commits everything at once, then tells the world.

Only after the commit does the memory change, do followers hear the news and is the notifier woken. While the
store refuses, the batch is kept and tried again, and the runs behind it wait in the bus.
"""

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import TypeVar, cast

import structlog

from lifesign.bus import Bus, Change, Topic
from lifesign.clock import Clock
from lifesign.core.batch import Batch, Event
from lifesign.core.errors import StorageError
from lifesign.core.model import Run
from lifesign.core.scope import system_scope
from lifesign.engine.chronicle import chronicle
from lifesign.engine.fold import Fold
from lifesign.engine.gauges import Gauges
from lifesign.engine.surfaces import Papers, compare_ahead, compare_drifted, papers_wanted
from lifesign.engine.watch import Memory
from lifesign.store import Store

MOST_RUNS = 1000
"""Runs in one commit."""
COMMIT_EVERY_S = 0.1
"""A commit at most this often, so that a busy engine writes large batches."""
RETRY_S = (0.5, 1.0, 2.0, 5.0)

NOTHING = Batch()
T = TypeVar("T")

_log = structlog.get_logger(__name__)


class Judge:
    """The one writer of states and alerts."""

    def __init__(
        self,
        *,
        store: Store,
        bus: Bus,
        clock: Clock,
        gauges: Gauges,
        memory: Memory,
        hasten: Callable[[str], None],
        wake_notifier: Callable[[], None],
        hear: Callable[[Sequence[Run]], None],
    ) -> None:
        self._store = store
        self._bus = bus
        self._clock = clock
        self._gauges = gauges
        self._memory = memory
        self._hasten = hasten
        self._wake_notifier = wake_notifier
        self._hear = hear
        self._one_at_a_time = asyncio.Lock()

    async def run(self) -> None:
        """Judge until the bus closes and nothing is left."""
        while runs := cast("list[Run]", await self._bus.take(Topic.RUNS, MOST_RUNS)):
            began_s = self._clock.monotonic()
            self._gauges.beats["judge"] = began_s
            papers = await self._papers_for(runs)
            await self.settle(lambda fold, runs=runs: fold.add_runs(runs), papers)  # type: ignore[misc]  # a default binds the loop's value
            if len(runs) < MOST_RUNS:
                await asyncio.sleep(max(0.0, COMMIT_EVERY_S - (self._clock.monotonic() - began_s)))

    async def settle(self, decide: Callable[[Fold], None], papers: Papers | None = None) -> None:
        """Let `decide` fill a batch, commit it, and only then believe and tell it."""
        async with self._one_at_a_time:
            fold, events = await self._decided(decide, papers or Papers())
        await self._make_known(fold, events)
        for monitor_id in fold.surfaces.untold:
            # Somebody moved the baseline since the documents were read: it is looked at again with the right ones.
            watched = self._memory.watched.get(monitor_id)
            if watched is not None:
                tenant = watched.monitor.tenant
                await self._bus.publish(Topic.CHANGES, Change("surface", monitor_id, tenant))

    async def take_up_surface(self, monitor_id: str, tenant: str) -> None:
        """Go on from what people decided about a monitor's surface. Raises StorageError when that cannot be read.

        It is read while nothing else is judged: what was stored before is in memory, and nothing newer is lost.
        """
        scope, now = system_scope("engine", tenant), self._clock.now()
        surfaces = self._store.surfaces
        async with self._one_at_a_time:
            watched = self._memory.watched.get(monitor_id)
            if watched is None:
                return
            drifts = await surfaces.drifts(scope, monitor_id)
            releases = await surfaces.releases(scope, monitor_id)
            digests = {
                d for each in drifts if each.is_drifted for d in (each.baseline, each.current)
            }
            papers = Papers(await surfaces.documents(scope, digests)) if digests else Papers()
            await asyncio.to_thread(compare_drifted, drifts, papers)
            open_still = [release for release in releases if release.ends_at >= now]
            fold, events = await self._decided(
                lambda fold: fold.surfaces.take_up(watched.monitor, drifts, open_still, at=now),
                papers,
            )
        await self._make_known(fold, events)

    async def _decided(
        self, decide: Callable[[Fold], None], papers: Papers
    ) -> tuple[Fold, Sequence[Event]]:
        fold = Fold(self._memory, _new_alert_id, papers)
        decide(fold)
        events = await self._commit(fold)
        fold.apply()
        self._hear(fold.runs)
        return fold, events

    async def _make_known(self, fold: Fold, events: Sequence[Event]) -> None:
        chronicle(events)
        for monitor_id in fold.surfaces.asked_again:
            watched = self._memory.watched.get(monitor_id)
            if watched is not None:
                watched.forget_surface()
        for monitor_id in fold.rechecks:
            self._hasten(monitor_id)
        if fold.deliveries:
            self._wake_notifier()
        await self._tell(fold.runs, events)

    async def _papers_for(self, runs: Sequence[Run]) -> Papers:
        """The documents that these runs may be compared with: those that wait in memory, then those stored."""
        wanted: dict[str, set[str]] = {}
        papers = Papers()
        for run in runs:
            digests = papers_wanted(self._memory.surfaces, run)
            surface = run.observation.surface
            if not digests or surface is None:
                continue
            place = (run.region, surface.audience)
            kept = self._memory.surfaces.candidates.get((run.monitor_id, place))
            if kept is not None:
                papers.add(*kept)
            wanted.setdefault(run.tenant, set()).update(digests)
        for tenant, digests in wanted.items():
            await self._read_papers(papers, tenant, papers.missing(digests))
        if wanted:
            # Two lists of thousands of tools take longer to compare than the loop may stand still.
            await asyncio.to_thread(compare_ahead, self._memory.surfaces, runs, papers)
        return papers

    async def _read_papers(self, papers: Papers, tenant: str, digests: Iterable[str]) -> None:
        """Read documents; while the store refuses, wait as a commit would."""
        scope = system_scope("engine", tenant)
        found = await self._patiently(lambda: self._store.surfaces.documents(scope, digests))
        for digest, document in found.items():
            papers.add(digest, document)

    async def _commit(self, fold: Fold) -> Sequence[Event]:
        batch = fold.batch()
        if batch == NOTHING:
            return ()
        events = await self._patiently(lambda: self._store.observations.commit(batch))
        self._gauges.commits += 1
        return events

    async def _patiently(self, ask: Callable[[], Awaitable[T]]) -> T:
        """Ask the store until it answers; meanwhile say that it refuses."""
        attempt = 0
        while True:
            try:
                answer = await ask()
            except StorageError as refusal:
                self._gauges.commit_failures += 1
                self._gauges.problems["storage"] = str(refusal)
                _log.error("commit_failed", attempt=attempt + 1, reason=str(refusal))
                await asyncio.sleep(RETRY_S[min(attempt, len(RETRY_S) - 1)])
                attempt += 1
            else:
                self._gauges.problems.pop("storage", None)
                return answer

    async def _tell(self, runs: Sequence[Run], events: Sequence[Event]) -> None:
        for event in events:
            await self._bus.publish(Topic.EVENTS, event)
        if not self._bus.is_followed(Topic.EVENTS):
            return
        for run in runs:
            await self._bus.publish(Topic.EVENTS, _run_event(run))


def _run_event(run: Run) -> Event:
    return Event(
        type="monitor.run",
        at=run.started_at,
        tenant=run.tenant,
        monitor_id=run.monitor_id,
        data={
            "state": run.outcome.state.value,
            "duration_ms": round(run.duration_ms, 3),
            "region": run.region,
        },
    )


def _new_alert_id() -> str:
    return "alr_" + secrets.token_hex(10)
