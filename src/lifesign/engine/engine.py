"""The engine as a whole: reads what is to be watched, follows its changes, and runs the arrow.

On stopping: nothing new is started, what runs may finish for a while, the judge commits what is left, and only then
does the notifier go. Whatever is not sent stays in the outbox.
"""

import asyncio
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import structlog

from lifesign.bus import Bus, Topic
from lifesign.channels.registry import ChannelKind
from lifesign.clock import Clock
from lifesign.config.model import SMTPConfig
from lifesign.core.model import Run
from lifesign.engine.compose import Composer
from lifesign.engine.gauges import Gauges
from lifesign.engine.judge import Judge
from lifesign.engine.notifier import Notifier
from lifesign.engine.places import Limits
from lifesign.engine.pulse import PulseDesk
from lifesign.engine.roster import Roster
from lifesign.engine.runner import Runner
from lifesign.engine.scheduler import Job, Scheduler
from lifesign.engine.sweep import Sweep
from lifesign.engine.tempo import Tempo
from lifesign.engine.watch import Compiler, Memory
from lifesign.net import Net
from lifesign.probes.registry import Kind
from lifesign.store import Retention, Store

CHANGES_ROOM = 100_000
DRAIN_S = 5.0
"""How long runs that are under way may go on after a stop was asked for."""
SETTLE_S = 2.0
"""How long the judge may then take to commit what is left; a store that refuses must not hold up the stop."""

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineParts:
    """What the composition root opens for the engine."""

    store: Store
    bus: Bus
    net: Net
    clock: Clock
    kinds: Mapping[str, Kind]
    channel_kinds: Mapping[str, ChannelKind]
    base_url: str
    limits: Limits = field(default_factory=Limits)
    retention: Retention = field(default_factory=Retention)
    smtp: SMTPConfig | None = None
    may_spawn: bool = False
    """Whether monitors may start programs on this machine."""
    away_s: float = 0.0
    """How long this process was away before this start; heartbeat deadlines move by it."""


class Engine:
    """Schedules, runs, judges, tells. `run` is its life."""

    def __init__(self, parts: EngineParts) -> None:
        self._parts = parts
        self.gauges = Gauges(started_at=parts.clock.now())
        self._memory = Memory()
        self._scheduler = Scheduler(parts.clock, self.gauges)
        self._pulse = PulseDesk(
            bus=parts.bus, clock=parts.clock, gauges=self.gauges, memory=self._memory,
            scheduler=self._scheduler,
        )  # fmt: skip
        composer = Composer(store=parts.store, kinds=parts.kinds, base_url=parts.base_url)
        self._notifier = Notifier(
            store=parts.store, bus=parts.bus, net=parts.net, clock=parts.clock, gauges=self.gauges,
            kinds=parts.channel_kinds, channels=self._memory.channels, compose=composer.compose,
            chance=random.Random(),  # noqa: S311 - jitter, not a secret
            smtp=parts.smtp,
        )  # fmt: skip
        self._judge = Judge(
            store=parts.store, bus=parts.bus, clock=parts.clock, gauges=self.gauges,
            memory=self._memory, hasten=self._hasten, wake_notifier=self._notifier.wake,
            hear=self._hear,
        )  # fmt: skip
        self._tempo = Tempo(
            store=parts.store, clock=parts.clock, gauges=self.gauges, memory=self._memory,
            settle=self._judge.settle,
        )  # fmt: skip
        self._roster = Roster(
            store=parts.store, clock=parts.clock, gauges=self.gauges, memory=self._memory,
            compiler=Compiler(parts.kinds), scheduler=self._scheduler, pulse=self._pulse,
            judge=self._judge,
        )  # fmt: skip
        self._sweep = Sweep(
            store=parts.store, clock=parts.clock, gauges=self.gauges, retention=parts.retention
        )
        self.ready = asyncio.Event()

    def reading(self) -> Mapping[str, float]:
        """The engine's figures for health pages and metrics; `_ms` and `_s` are units, `_total` counts."""
        gauges = self.gauges
        late_p50_ms, late_p99_ms, late_max_ms = gauges.late_ms()
        now_s = self._parts.clock.monotonic()
        return {
            "late_p50_ms": late_p50_ms,
            "late_p99_ms": late_p99_ms,
            "late_max_ms": late_max_ms,
            "running": gauges.running,
            "waiting": gauges.waiting,
            "latency_waiting": gauges.latency_waiting,
            "silent_s": now_s - gauges.beats.get("scheduler", now_s),
            "runs_total": gauges.runs,
            "skipped_total": gauges.skipped,
            "commits_total": gauges.commits,
            "commit_failures_total": gauges.commit_failures,
            "deliveries_sent_total": gauges.deliveries_sent,
            "deliveries_failed_total": gauges.deliveries_failed,
            "clock_jumps_total": gauges.clock_jumps,
            "stalls_total": gauges.stalls,
        }

    def problems(self) -> tuple[str, ...]:
        """What is wrong with Lifesign itself, in words."""
        return tuple(self.gauges.problems.values())

    async def run(self, stop: asyncio.Event) -> None:
        """Live until `stop` is set, then drain."""
        with self._parts.bus.follow(Topic.CHANGES, room=CHANGES_ROOM) as changes:
            await self._roster.load(away_s=self._parts.away_s)
            async with asyncio.TaskGroup() as background:
                side = [
                    background.create_task(self._sweep.run()),
                    background.create_task(self._notifier.run()),
                    background.create_task(self._roster.follow(changes)),
                    background.create_task(self._tempo.run()),
                ]
                await self._run_arrow(stop)
                for task in side:
                    task.cancel()

    async def _run_arrow(self, stop: asyncio.Event) -> None:
        """Schedule, run and judge; on `stop`, in that order, let each stage finish what it holds."""
        async with asyncio.TaskGroup() as judging:
            judges = [
                judging.create_task(self._judge.run()),
                judging.create_task(self._pulse.run()),
            ]
            async with asyncio.TaskGroup() as running:
                runner = Runner(
                    net=self._parts.net, bus=self._parts.bus, clock=self._parts.clock,
                    gauges=self.gauges, limits=self._parts.limits, tasks=running,
                    may_spawn=self._parts.may_spawn,
                )  # fmt: skip
                scheduling = running.create_task(
                    self._scheduler.run(
                        lambda job: self._submit(job, runner, running),
                        self._memory.watched.values,
                        self._pulse,
                    )
                )
                self.ready.set()
                await stop.wait()
                scheduling.cancel()
                runner.stop()
                await runner.drain(DRAIN_S)
            self._parts.bus.close()
            _, late = await asyncio.wait(judges, timeout=SETTLE_S)
            for task in late:
                _log.error("stopped_unwritten", reason=self.gauges.problems.get("storage", ""))
                task.cancel()

    def _submit(self, job: Job, runner: Runner, tasks: asyncio.TaskGroup) -> None:
        if job.watched.kind.passive:
            tasks.create_task(self._pulse.due(job))
        else:
            runner.submit(job)

    def _hear(self, runs: Sequence[Run]) -> None:
        self._tempo.hear(runs)

    def _hasten(self, monitor_id: str) -> None:
        watched = self._memory.watched.get(monitor_id)
        if watched is not None and not watched.kind.passive and not watched.monitor.paused:
            self._scheduler.hasten(watched, watched.monitor.policy.recheck_s)
