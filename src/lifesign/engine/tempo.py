"""Whether monitors became slow: gathers committed runs into periods, and has those judged that look slow.

A period whose p95 is near the usual one costs nothing further. The others wait for the loop, which reads the past of
a few monitors at a time, so that neither a start nor a bad hour of the whole network makes runs late. In each turn:
1. once a minute, take in releases and end what is told of monitors that are no longer judged;
2. judge the periods that wait, reading the past of a monitor at most once an hour;
3. with the room that is left, read the past of monitors whose usual p95 is not known or a day old.

A restart forgets which periods were slow, never what is told: an open alert is followed on.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Final

import structlog

from lifesign.clock import Clock
from lifesign.core.alerting import Concern, alert_key
from lifesign.core.drift.values import Release
from lifesign.core.errors import StorageError
from lifesign.core.latency import (
    NEW_NORMAL,
    REGRESSION,
    RELEASE_FACTOR,
    SLOW_BURN,
    TOPIC,
    WEEK,
    Baseline,
    Pace,
    Period,
    Slice,
    Yardstick,
    baseline_of,
    judge_growth,
    judge_latency,
    limit_ms,
    past_until,
    release_in_force,
    with_phase,
)
from lifesign.core.messages import Alert
from lifesign.core.model import Failure, Monitor, Run
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


@dataclass(slots=True)
class _Case:
    """A monitor that looks slow, or is told to be: its pace, and its baseline until an hour."""

    pace: Pace
    until: datetime | None = None
    baseline: Baseline | None = None


@dataclass(slots=True)
class _Saying:
    """What is to be told of a monitor from now on."""

    monitor_id: str
    concern: Concern | None
    at: datetime


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
        self._cases: dict[str, _Case] = {}
        self._waiting: dict[str, list[Period]] = {}
        self._unread: dict[str, None] = {}
        self._releases: Mapping[str, Sequence[Release]] = {}
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
        case = self._cases.get(monitor.id)
        is_open = self._alert(monitor.id) is not None if case is None else not case.pace.is_at_rest
        if is_open or self._looks_slow(monitor, lap, period):
            waiting = self._waiting.setdefault(monitor.id, [])
            waiting.append(period)
            del waiting[:-WAITING]

    def _looks_slow(self, monitor: Monitor, lap: Lap, period: Period) -> bool:
        release = release_in_force(self._releases.get(monitor.id, ()), period.ended)
        factor = _factor(monitor, release)
        return lap.usual_ms > 0 and period.p95_ms > limit_ms(lap.usual_ms, factor)

    def _alert(self, monitor_id: str) -> Alert | None:
        return self._memory.alerts.get(alert_key(monitor_id, TOPIC))

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
        self._releases = releases
        watched = self._memory.watched
        ended = [
            _Saying(alert.monitor_id, None, now)
            for alert in self._memory.alerts.values()
            if alert.key == alert_key(alert.monitor_id, TOPIC)
            and alert.monitor_id in watched
            and self._judged(alert.monitor_id) is None
        ]
        await self._say(ended)
        for kept in (self._laps, self._cases, self._waiting, self._unread):
            for monitor_id in [each for each in kept if self._judged(each) is None]:
                del kept[monitor_id]
        for monitor_id, case in list(self._cases.items()):
            if case.pace.is_at_rest and (case.until is None or case.until < now - _HOUR):
                del self._cases[monitor_id]

    async def _judge(self) -> int:
        """Judge what waits; the number of monitors whose past was read for it."""
        ready, wanted = self._next_cases()
        pasts = await self._pasts.slices(wanted)
        for monitor, until in wanted:
            case = ready[monitor.id]
            case.until, case.baseline = until, baseline_of(pasts[monitor.id], until=until)
        said = [each for id, case in ready.items() for each in self._judge_one(id, case)]
        for each in [each for each in said if each.concern is not None][:MOST_READ]:
            # When many become slow at once, the others are told without their phase.
            await self._name_phase(each)
        await self._say(said)
        return len(wanted)

    def _next_cases(self) -> tuple[dict[str, _Case], list[Wanted]]:
        """The monitors to judge in this turn, and the pasts to be read before."""
        ready: dict[str, _Case] = {}
        wanted: list[Wanted] = []
        for monitor_id in list(islice(self._waiting, MOST_JUDGED)):
            monitor = self._judged(monitor_id)
            if monitor is None:
                del self._waiting[monitor_id]
                continue
            case = self._cases.get(monitor_id) or self._case_of_alert(monitor)
            until = self._past_until(case, monitor)
            if until != case.until:
                if len(wanted) >= MOST_READ:
                    # To the end of the line: behind it may be some whose past is read already.
                    self._waiting[monitor_id] = self._waiting.pop(monitor_id)
                    continue
                wanted.append((monitor, until))
            ready[monitor_id] = case
        return ready, wanted

    async def _name_phase(self, saying: _Saying) -> None:
        """Find out which phase grew, where that can be read: it is told without as well."""
        case, watched = self._cases[saying.monitor_id], self._memory.watched.get(saying.monitor_id)
        since = case.pace.since
        if saying.concern is None or watched is None or since is None or case.until is None:
            return
        with suppress(StorageError):
            read = self._pasts.phases_p95_ms
            now = await read(watched.monitor, since, saying.at)
            usual = await read(watched.monitor, case.until - WEEK, case.until)
            saying.concern = with_phase(saying.concern, now, usual)
            case.pace = replace(case.pace, concern=saying.concern)

    def _case_of_alert(self, monitor: Monitor) -> _Case:
        """A new case; where an alert is open from before a restart, it goes on from there."""
        alert = self._alert(monitor.id)
        if alert is None:
            return _Case(Pace())
        failure = alert.failure or Failure("latency", "unknown", alert.title)
        is_slow = failure.code != SLOW_BURN
        concern = Concern(TOPIC, alert.severity, alert.title, failure)
        return _Case(Pace(since=alert.opened_at if is_slow else None, concern=concern))

    def _release(self, case: _Case, monitor: Monitor, at: datetime) -> Release | None:
        told = case.pace.concern is not None and case.pace.concern.failure.code == REGRESSION
        return release_in_force(self._releases.get(monitor.id, ()), at, is_told=told)

    def _past_until(self, case: _Case, monitor: Monitor) -> datetime:
        period = self._waiting[monitor.id][0]
        release = self._release(case, monitor, period.ended)
        return past_until(case.pace, period, release).replace(minute=0, second=0, microsecond=0)

    def _judge_one(self, monitor_id: str, case: _Case) -> Iterable[_Saying]:
        """Judge all periods of one monitor that wait, and say what changed by them."""
        before, monitor = case.pace.concern, self._judged(monitor_id)
        periods = self._waiting.pop(monitor_id)
        if monitor is None:
            return
        release = self._release(case, monitor, periods[0].ended)
        restarted_s = self._lap(monitor.id).restarted_s
        at = periods[0].ended
        while periods and self._release(case, monitor, periods[0].ended) is release:
            period = periods.pop(0)
            at = period.ended
            if case.baseline is None:
                # Nothing is known to be usual, so nothing is unusual.
                case.pace = Pace()
                continue
            case.pace = judge_latency(
                case.pace,
                period,
                Yardstick(case.baseline, _factor(monitor, release), release),
                restarted_at=_restarted_at(restarted_s, self._releases.get(monitor.id, ()), period),
                most=monitor.severity,
            )
        if periods:
            # A release came between: these are held against what was usual before it, in the next turn.
            self._waiting[monitor.id] = periods
        self._cases[monitor.id] = case
        if case.pace.concern is not before:
            yield _Saying(monitor.id, case.pace.concern, at)

    async def _read_ahead(self, most: int) -> None:
        """Learn what is usual of a few monitors, and whether they grow slower from week to week."""
        now = self._clock.now()
        hour = now.replace(minute=0, second=0, microsecond=0)
        chosen = list(islice(self._unread, max(0, most)))
        monitors = [each for each in map(self._judged, chosen) if each is not None]
        pasts = await self._pasts.slices([(monitor, hour) for monitor in monitors])
        for monitor_id in chosen:
            del self._unread[monitor_id]
        sayings: list[_Saying] = []
        for monitor in monitors:
            past = pasts[monitor.id]
            usual = baseline_of(past, until=hour)
            lap = self._lap(monitor.id)._replace(
                read_s=now.timestamp(), usual_ms=0.0 if usual is None else usual.p95_ms
            )
            self._laps[monitor.id] = lap.pack()
            sayings += self._judge_growth(monitor, past, hour)
        await self._say(sayings)

    def _judge_growth(
        self, monitor: Monitor, past: Sequence[Slice], until: datetime
    ) -> Iterable[_Saying]:
        case = self._cases.get(monitor.id) or self._case_of_alert(monitor)
        before = case.pace.concern
        case.pace = judge_growth(case.pace, past, until=until, most=monitor.severity)
        if case.pace.concern is not before:
            self._cases[monitor.id] = case
            yield _Saying(monitor.id, case.pace.concern, self._clock.now())

    async def _say(self, sayings: Sequence[_Saying]) -> None:
        """Raise and end concerns, all in one batch."""
        if not sayings:
            return

        def decide(fold: Fold) -> None:
            for each in sayings:
                watched = self._memory.watched.get(each.monitor_id)
                if watched is not None:
                    fold.concern(watched.monitor, TOPIC, each.concern, at=each.at)

        await self._settle(decide)


def _factor(monitor: Monitor, release: Release | None) -> float:
    factor = monitor.policy.latency_factor or float("inf")
    return factor if release is None else min(factor, RELEASE_FACTOR)


def _restarted_at(
    restarted_s: float, releases: Iterable[Release], period: Period
) -> datetime | None:
    """When the target was last started anew before the end of a period, as far as it was seen or announced."""
    signs = [at for each in releases for at in (each.starts_at, each.ends_at)]
    if restarted_s:
        signs.append(datetime.fromtimestamp(restarted_s, UTC))
    return max((at for at in signs if at <= period.ended), default=None)
