"""Takes runs off the bus in batches, has them judged, commits everything at once, then tells the world.

Only after the commit does the memory change, do followers hear the news and is the notifier woken. While the
store refuses, the batch is kept and tried again, and the runs behind it wait in the bus.
"""

import asyncio
import secrets
from collections.abc import Callable, Sequence
from typing import cast

import structlog

from lifesign.bus import Bus, Topic
from lifesign.clock import Clock
from lifesign.core.batch import Event
from lifesign.core.errors import StorageError
from lifesign.core.model import Run
from lifesign.engine.chronicle import chronicle
from lifesign.engine.fold import Fold
from lifesign.engine.gauges import Gauges
from lifesign.engine.watch import Memory
from lifesign.store import Store

MOST_RUNS = 1000
"""Runs in one commit."""
COMMIT_EVERY_S = 0.1
"""A commit at most this often, so that a busy engine writes large batches."""
RETRY_S = (0.5, 1.0, 2.0, 5.0)

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
    ) -> None:
        self._store = store
        self._bus = bus
        self._clock = clock
        self._gauges = gauges
        self._memory = memory
        self._hasten = hasten
        self._wake_notifier = wake_notifier
        self._one_at_a_time = asyncio.Lock()

    async def run(self) -> None:
        """Judge until the bus closes and nothing is left."""
        while runs := cast("list[Run]", await self._bus.take(Topic.RUNS, MOST_RUNS)):
            began_s = self._clock.monotonic()
            self._gauges.beats["judge"] = began_s
            await self.settle(lambda fold, runs=runs: fold.add_runs(runs))  # type: ignore[misc]  # a default binds the loop's value
            if len(runs) < MOST_RUNS:
                await asyncio.sleep(max(0.0, COMMIT_EVERY_S - (self._clock.monotonic() - began_s)))

    async def settle(self, decide: Callable[[Fold], None]) -> None:
        """Let `decide` fill a batch, commit it, and only then believe and tell it."""
        async with self._one_at_a_time:
            fold = Fold(self._memory, _new_alert_id)
            decide(fold)
            events = await self._commit(fold)
            fold.apply()
        chronicle(events)
        for monitor_id in fold.rechecks:
            self._hasten(monitor_id)
        if fold.deliveries:
            self._wake_notifier()
        await self._tell(fold.runs, events)

    async def _commit(self, fold: Fold) -> Sequence[Event]:
        batch = fold.batch()
        attempt = 0
        while True:
            try:
                events = await self._store.observations.commit(batch)
            except StorageError as refusal:
                self._gauges.commit_failures += 1
                self._gauges.problems["storage"] = str(refusal)
                _log.error("commit_failed", attempt=attempt + 1, reason=str(refusal))
                await asyncio.sleep(RETRY_S[min(attempt, len(RETRY_S) - 1)])
                attempt += 1
            else:
                self._gauges.problems.pop("storage", None)
                self._gauges.commits += 1
                return events

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
