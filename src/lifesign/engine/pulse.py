"""Heartbeats on the arrow: each ping, and each silence that has lasted too long, becomes a run.

A ping arrives here after it is durable. The journal of a job lives in its probe memory; it is rebuilt from the
stored pings at start, with deadlines moved by the time that nobody could have reached us.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import cast

from lifesign.bus import Bus, Topic
from lifesign.clock import Clock
from lifesign.core.batch import Ping
from lifesign.core.model import DEFAULT_REGION, Observation, Run
from lifesign.core.verdict import assess as assess_conditions
from lifesign.engine.gauges import Gauges
from lifesign.engine.scheduler import Job, Scheduler
from lifesign.engine.watch import Memory, Watched
from lifesign.probes.heartbeat import HeartbeatSettings, Journal, assess

MOST_PINGS = 1000


class PulseDesk:
    """Folds pings into journals and watches their deadlines."""

    def __init__(
        self, *, bus: Bus, clock: Clock, gauges: Gauges, memory: Memory, scheduler: Scheduler
    ) -> None:
        self._bus = bus
        self._clock = clock
        self._gauges = gauges
        self._memory = memory
        self._scheduler = scheduler

    def begin(self, watched: Watched, pings: Iterable[Ping] = (), *, away_s: float = 0.0) -> None:
        """Start watching a job: fold what it sent so far, move its deadline by our own absence, plan it."""
        journal = Journal(created_at=watched.monitor.created_at or self._clock.now())
        for ping in sorted(pings, key=lambda each: each.at):
            journal = journal.after(ping)
        watched.memory["journal"] = journal
        if away_s:
            self._excuse(watched, away_s)
        self._plan(watched)

    def _excuse(self, watched: Watched, away_s: float) -> None:
        """Move the deadline of a job by our own absence, unless it was late before that began."""
        before, _ = self._look(watched, self._clock.now() - timedelta(seconds=away_s))
        if before.failure is None:
            watched.memory["journal"] = _journal(watched).extend(away_s)

    def resume(self, watched: Watched) -> None:
        """Go on with a job whose settings changed; its journal is kept, or begun when there is none."""
        if "journal" not in watched.memory:
            self.begin(watched)
        else:
            self._plan(watched)

    def clock_jumped(self, seconds: float) -> None:
        """The wall clock was set: all that was heard moves with it, so that every silence stays as long as it is."""
        for watched in self._jobs():
            watched.memory["journal"] = _journal(watched).shift(seconds)
            if not watched.monitor.paused:
                self._plan(watched)

    def stood_still(self, seconds: float) -> None:
        """We could not be reached for so long: whoever was not late before gets that time."""
        for watched in self._jobs():
            self._excuse(watched, seconds)
            if not watched.monitor.paused:
                self._plan(watched)

    def _jobs(self) -> list[Watched]:
        return [each for each in self._memory.watched.values() if each.kind.passive]

    def _plan(self, watched: Watched) -> None:
        """Look again when something can change; at once when something is wrong or was not judged yet."""
        now = self._clock.now()
        observation, next_at = self._look(watched, now)
        is_news = observation.failure is not None or self._is_unjudged(watched, observation)
        self._scheduler.plan(watched, (now if is_news else next_at).timestamp())

    def _is_unjudged(self, watched: Watched, observation: Observation) -> bool:
        """Whether a ping is durable whose run never was, because we died or the monitor changed in between."""
        journal = _journal(watched)
        if journal.last_start is None and journal.last_finish is None:
            return False
        known = self._memory.states.get(watched.monitor.id)
        seen = assess_conditions(observation, watched.conditions).state
        return known is None or known.state is not seen

    async def run(self) -> None:
        """Take pings until the bus closes."""
        while pings := cast("list[Ping]", await self._bus.take(Topic.PINGS, MOST_PINGS)):
            self._gauges.beats["pulse"] = self._clock.monotonic()
            for ping in pings:
                await self._hear(ping)

    async def _hear(self, ping: Ping) -> None:
        watched = self._memory.watched.get(ping.monitor_id)
        if watched is None or not isinstance(watched.settings, HeartbeatSettings):
            return
        watched.memory["journal"] = _journal(watched).after(ping)
        if ping.action != "log" and not watched.monitor.paused:
            await self._publish(watched, at=ping.at)

    async def due(self, job: Job) -> None:
        """A deadline has come: say what the silence means now, unless the monitor changed at this moment."""
        if self._memory.watched.get(job.watched.monitor.id) is not job.watched:
            return
        self._gauges.note_late(max(0.0, self._clock.now().timestamp() - job.slot_s))
        await self._publish(job.watched, at=self._clock.now())

    async def _publish(self, watched: Watched, *, at: datetime) -> None:
        observation, next_at = self._look(watched, at)
        self._scheduler.plan(watched, next_at.timestamp())
        monitor = watched.monitor
        duration_s = observation.facts.get("duration_s")
        run = Run(
            monitor_id=monitor.id,
            slot=at,
            observation=observation,
            outcome=assess_conditions(observation, watched.conditions),
            started_at=at,
            duration_ms=float(duration_s) * 1000 if isinstance(duration_s, int | float) else 0.0,
            tenant=monitor.tenant,
            monitor_version=monitor.version,
            region=DEFAULT_REGION,
        )
        await self._bus.publish(Topic.RUNS, run)

    @staticmethod
    def _look(watched: Watched, at: datetime) -> tuple[Observation, datetime]:
        return assess(cast("HeartbeatSettings", watched.settings), _journal(watched), at)


def _journal(watched: Watched) -> Journal:
    return cast("Journal", watched.memory["journal"])
