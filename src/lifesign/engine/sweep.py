"""Housekeeping and the watch over the watcher: rollups, retention, and loops that have gone silent."""

import asyncio
from datetime import timedelta

import structlog

from lifesign.clock import Clock
from lifesign.core.errors import StorageError
from lifesign.engine.gauges import Gauges
from lifesign.store import Retention, Store

LOOK_EVERY_S = 5.0
ROLL_UP_EVERY_S = 60.0
PRUNE_EVERY_S = 600.0
SILENT_AFTER_S = 30.0
"""A loop that has not come round for so long has stopped; each comes round at least every few seconds."""
LATE_MS = 1000.0
"""Runs that begin this late at the 99th percentile are told as a problem of our own."""
WATCHED_LOOPS = ("scheduler", "notifier")

_log = structlog.get_logger(__name__)


class Sweep:
    """Runs beside the arrow and keeps the house clean."""

    def __init__(self, *, store: Store, clock: Clock, gauges: Gauges, retention: Retention) -> None:
        self._store = store
        self._clock = clock
        self._gauges = gauges
        self._retention = retention
        self._rolled_up_at = self._pruned_at = clock.monotonic()

    async def run(self) -> None:
        """Sweep until cancelled."""
        while True:
            self.look()
            try:
                await self._keep_house()
            except StorageError as refusal:
                self._gauges.problems["housekeeping"] = str(refusal)
                _log.error("housekeeping_failed", reason=str(refusal))
            else:
                self._gauges.problems.pop("housekeeping", None)
            await asyncio.sleep(LOOK_EVERY_S)

    def look(self) -> None:
        """Note which loops have gone silent and whether runs begin late."""
        now = self._clock.monotonic()
        for name in WATCHED_LOOPS:
            silent_s = now - self._gauges.beats.get(name, now)
            self._set_problem(
                name,
                f"The {name} has not come round for {silent_s:.0f} s."
                if silent_s > SILENT_AFTER_S
                else "",
            )
        _, p99_ms, _ = self._gauges.late_ms()
        self._set_problem(
            "lateness",
            f"Checks begin {p99_ms:.0f} ms late (99th percentile)." if p99_ms > LATE_MS else "",
        )

    def _set_problem(self, part: str, text: str) -> None:
        if not text:
            self._gauges.problems.pop(part, None)
        elif self._gauges.problems.get(part) is None:
            _log.error("self_problem", part=part, text=text)
            self._gauges.problems[part] = text

    async def _keep_house(self) -> None:
        now_s = self._clock.monotonic()
        if now_s - self._rolled_up_at >= ROLL_UP_EVERY_S:
            self._rolled_up_at = now_s
            await self._store.observations.roll_up(self._clock.now() - timedelta(seconds=30))
        if now_s - self._pruned_at >= PRUNE_EVERY_S:
            self._pruned_at = now_s
            await self._store.observations.prune(self._clock.now(), self._retention)
