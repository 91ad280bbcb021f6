"""Whether monitors became slow: gathers committed runs into periods, and has those judged that look slow.

A period whose p95 is near the usual one costs nothing further. The others wait for the loop, which reads the past of
a few monitors at a time, so that neither a start nor a bad hour of the whole network makes runs late. In each turn:
1. once a minute, take in releases and end what is told of monitors that are no longer judged;
2. judge the periods that wait, reading the past of a monitor at most once an hour;
3. with the room that is left, read the past of monitors whose usual p95 is not known or a day old.

A restart forgets which periods were slow, never what is told: an open alert is followed on.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from itertools import islice
from typing import Final

import structlog

from lifesign.clock import Clock
from lifesign.core.alerting import alert_key
from lifesign.core.drift.values import Release
from lifesign.core.errors import StorageError
from lifesign.core.latency import (
    NEW_NORMAL,
    TOPIC,
    WEEK,
    Period,
    baseline_of,
    with_phase,
)
from lifesign.core.model import Monitor, Run
from lifesign.engine.cases import Case, Cases, Saying
from lifesign.engine.fold import Fold
from lifesign.engine.gauges import Gauges
from lifesign.engine.laps import Lap
from lifesign.engine.pasts import Pasts, Wanted
from lifesign.engine.watch import Memory
from lifesign.store import Store

TURN_S: Final = 0.25
MOST_READ: Final = 5
"""Monitors whose past is read in one turn: some 10 ms of work; fifty thousand of them take 42 minutes."""
MOST_JUDGED: Final = 200
REFRESH_S: Final = 86_400.0
"""How old the usual p95 may be that decides what looks slow."""
TOO_YOUNG_S: Final = 3600.0
"""When a monitor of which too little is known is looked at again."""
PATROL_S: Final = 60.0
AGAIN_S: Final = 5.0
"""How long to wait when the store could not be read."""
WAITING: Final = 3
"""Periods of one monitor that wait to be judged: as many as a decision takes."""
_HOUR: Final = timedelta(hours=1)
RELEASES_BACK: Final = NEW_NORMAL + timedelta(days=1)

Settle = Callable[[Callable[[Fold], None]], Awaitable[None]]
"""How the judge lets somebody fill a batch, commits it and tells it."""

_log = structlog.get_logger(__name__)


class Tempo:
    """Hears every committed run; its loop raises and ends the concerns of latency."""

    def __init__(
        self, *, store: Store, clock: Clock, gauges: Gauges, memory: Memory, settle: Settle
    ) -> None:
        self._store = store
        self._clock = clock
        self._gauges = gauges
        self._memory = memory
        self._settle = settle
        self._pasts = Pasts(store)
        self._laps: dict[str, bytes] = {}
        self._cases = Cases(memory.alerts)
        self._waiting: dict[str, list[Period]] = {}
        self._unread: dict[str, None] = {}
        self._patrolled_s = float("-inf")

    def hear(self, runs: Iterable[Run]) -> None:
        """Take committed runs into the laps of their monitors. Called by the judge: it never waits."""
        for run in runs:
            monitor = self._judged(run.monitor_id)
            if monitor is None:
                continue
            lap, period = self._lap(monitor.id).after(run, monitor)
            self._laps[monitor.id] = lap.pack()
            if period is not None:
                self._sort(monitor, lap, period)

    def _judged(self, monitor_id: str) -> Monitor | None:
        """The monitor, when it is one whose latency is judged."""
        watched = self._memory.watched.get(monitor_id)
        if watched is None or watched.kind.passive or watched.monitor.paused:
            return None
        return None if watched.monitor.policy.latency_factor is None else watched.monitor

    def _lap(self, monitor_id: str) -> Lap:
        packed = self._laps.get(monitor_id)
        return Lap() if packed is None else Lap.unpack(packed)

    def _sort(self, monitor: Monitor, lap: Lap, period: Period) -> None:
        """Let a period wait to be judged when it looks slow or something is remembered of its monitor."""
        age_s = self._clock.now().timestamp() - lap.read_s
        if age_s >= (REFRESH_S if lap.usual_ms else TOO_YOUNG_S):
            self._unread[monitor.id] = None
        if self._cases.has(monitor.id) or self._cases.looks_slow(monitor, period, lap.usual_ms):
            waiting = self._waiting.setdefault(monitor.id, [])
            waiting.append(period)
            del waiting[:-WAITING]

    async def run(self) -> None:
        """Take turns until cancelled."""
        while True:
            self._gauges.beats["tempo"] = self._clock.monotonic()
            try:
                await self.turn()
            except StorageError as refusal:
                # Nothing is lost: what waited still waits, and the next turn reads again.
                _log.error("latency_unread", reason=str(refusal))
                await asyncio.sleep(AGAIN_S)
            self._gauges.latency_waiting = len(self._waiting) + len(self._unread)
            await asyncio.sleep(TURN_S)

    async def turn(self) -> None:
        """One turn: patrol, judge, read ahead. Raises StorageError when the past cannot be read."""
        now_s = self._clock.monotonic()
        if now_s - self._patrolled_s >= PATROL_S:
            await self._patrol()
            self._patrolled_s = now_s
        read = await self._judge()
        await self._read_ahead(MOST_READ - read)

    async def _patrol(self) -> None:
        """Take in releases, end what is told of monitors no longer judged, forget those that are gone."""
        now = self._clock.now()
        releases: dict[str, list[Release]] = {}
        for release in await self._store.surfaces.all_releases(now - RELEASES_BACK):
            releases.setdefault(release.monitor_id, []).append(release)
        self._cases.releases = releases
        watched = self._memory.watched
        ended = [
            Saying(alert.monitor_id, None, now)
            for alert in self._memory.alerts.values()
            if alert.key == alert_key(alert.monitor_id, TOPIC)
            and alert.monitor_id in watched
            and self._judged(alert.monitor_id) is None
        ]
        await self._say(ended)
        for kept in (self._laps, self._waiting, self._unread):
            for monitor_id in [each for each in kept if self._judged(each) is None]:
                del kept[monitor_id]
        self._cases.forget(lambda each: self._judged(each) is not None, now)

    async def _judge(self) -> int:
        """Judge what waits; the number of monitors whose past was read for it."""
        ready, wanted = self._next_cases()
        pasts = await self._pasts.slices(wanted)
        for monitor, until in wanted:
            case = ready[monitor.id]
            case.until, case.baseline = until, baseline_of(pasts[monitor.id], until=until)
        said = [each for id, case in ready.items() if (each := self._judge_one(id, case))]
        for each in [each for each in said if each.concern is not None][:MOST_READ]:
            # When many become slow at once, the others are told without their phase.
            await self._name_phase(each)
        await self._say(said)
        return len(wanted)

    def _next_cases(self) -> tuple[dict[str, Case], list[Wanted]]:
        """The monitors to judge in this turn, and the pasts to be read before."""
        ready: dict[str, Case] = {}
        wanted: list[Wanted] = []
        for monitor_id in list(islice(self._waiting, MOST_JUDGED)):
            monitor = self._judged(monitor_id)
            if monitor is None:
                del self._waiting[monitor_id]
                continue
            case = self._cases.of(monitor_id)
            until = self._cases.past_until(monitor_id, case, self._waiting[monitor_id][0])
            if until != case.until:
                if len(wanted) >= MOST_READ:
                    # To the end of the line: behind it may be some whose past is read already.
                    self._waiting[monitor_id] = self._waiting.pop(monitor_id)
                    continue
                wanted.append((monitor, until))
            ready[monitor_id] = case
        return ready, wanted

    def _judge_one(self, monitor_id: str, case: Case) -> Saying | None:
        periods, monitor = self._waiting.pop(monitor_id), self._judged(monitor_id)
        if monitor is None:
            return None
        restarted_s = self._lap(monitor_id).restarted_s
        saying = self._cases.judge(monitor, case, periods, restarted_s=restarted_s)
        if periods:
            self._waiting[monitor_id] = periods
        return saying

    async def _name_phase(self, saying: Saying) -> None:
        """Find out which phase grew, where that can be read: it is told without as well."""
        case = self._cases.of(saying.monitor_id)
        watched = self._memory.watched.get(saying.monitor_id)
        since = case.pace.since
        if saying.concern is None or watched is None or since is None or case.until is None:
            return
        with suppress(StorageError):
            read = self._pasts.phases_p95_ms
            now = await read(watched.monitor, since, saying.at)
            usual = await read(watched.monitor, case.until - WEEK, case.until)
            saying.concern = with_phase(saying.concern, now, usual)
            case.pace = replace(case.pace, concern=saying.concern)

    async def _read_ahead(self, most: int) -> None:
        """Learn what is usual of a few monitors, and whether they grow slower from week to week."""
        now = self._clock.now()
        hour = now.replace(minute=0, second=0, microsecond=0)
        chosen = list(islice(self._unread, max(0, most)))
        monitors = [each for each in map(self._judged, chosen) if each is not None]
        pasts = await self._pasts.slices([(monitor, hour) for monitor in monitors])
        for monitor_id in chosen:
            del self._unread[monitor_id]
        sayings: list[Saying] = []
        for monitor in monitors:
            past = pasts[monitor.id]
            usual = baseline_of(past, until=hour)
            lap = self._lap(monitor.id)._replace(
                read_s=now.timestamp(), usual_ms=0.0 if usual is None else usual.p95_ms
            )
            self._laps[monitor.id] = lap.pack()
            saying = self._cases.judge_growth(monitor, past, until=hour, at=now)
            sayings += [] if saying is None else [saying]
        await self._say(sayings)

    async def _say(self, sayings: Sequence[Saying]) -> None:
        """Raise and end concerns, all in one batch."""
        if not sayings:
            return

        def decide(fold: Fold) -> None:
            for each in sayings:
                watched = self._memory.watched.get(each.monitor_id)
                if watched is not None:
                    fold.concern(watched.monitor, TOPIC, each.concern, at=each.at)

        await self._settle(decide)
