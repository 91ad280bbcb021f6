"""Runs what is due: bounded in all, per tenant and per host, fair between tenants, one deadline each.

1. A job gets its place in the lane of its kind (`places.py`): kinds whose runs are costly have one of their own,
   so that they wait for each other and never keep the others waiting.
2. A monitor that is still waiting or running at its next slot skips that slot, and the skip is counted.
"""

import asyncio
import os
from dataclasses import replace
from datetime import datetime

import structlog

from lifesign.bus import Bus, Topic
from lifesign.clock import Clock
from lifesign.core.model import (
    DEFAULT_REGION,
    Failure,
    Observation,
    Outcome,
    Reason,
    Run,
    State,
)
from lifesign.core.verdict import assess
from lifesign.engine.gauges import Gauges
from lifesign.engine.places import Limits, Places
from lifesign.engine.scheduler import STALL_S, Job
from lifesign.engine.watch import Watched
from lifesign.net import Net
from lifesign.probes.once import OVERRUN_S, observe
from lifesign.probes.registry import ProbeContext

_log = structlog.get_logger(__name__)


class Runner:
    """Starts jobs within the limits and publishes their runs."""

    def __init__(
        self,
        *,
        net: Net,
        bus: Bus,
        clock: Clock,
        gauges: Gauges,
        limits: Limits,
        tasks: asyncio.TaskGroup,
        region: str = DEFAULT_REGION,
        may_spawn: bool = False,
    ) -> None:
        self._net = net
        self._bus = bus
        self._clock = clock
        self._gauges = gauges
        self._limits = limits
        self._tasks = tasks
        self._region = region
        self._may_spawn = may_spawn
        self._lanes: dict[str, Places] = {}
        self._under_way: set[asyncio.Task[None]] = set()
        self._open = True

    def submit(self, job: Job) -> None:
        """Take a due job: start it, queue it, or skip the slot when the monitor is still busy."""
        if job.watched.busy or not self._open:
            self._gauges.skipped += 1
            return
        job.watched.busy = True
        self._lane(job.watched).admit(job)

    def stop(self) -> None:
        """Start nothing more; what runs may finish."""
        self._open = False
        for places in self._lanes.values():
            places.send_home()

    async def drain(self, within_s: float) -> None:
        """Let what is under way finish, for so long; what then still runs is cancelled and not counted."""
        _, late = (
            await asyncio.wait(self._under_way, timeout=within_s) if self._under_way else ((), ())
        )
        for task in late:
            task.cancel()

    def _lane(self, watched: Watched) -> Places:
        name = watched.kind.lane
        if name not in self._lanes:
            limits, room = self._limits, self._limits.per_lane or os.cpu_count() or 1
            bounds = limits if not name else Limits(room, room, room)
            self._lanes[name] = Places(bounds, start=self._start, gauges=self._gauges)
        return self._lanes[name]

    def _start(self, job: Job) -> None:
        task = self._tasks.create_task(self._run(job))
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)

    async def _run(self, job: Job) -> None:
        """Probe, and keep the place until the judge has room for the run: what it cannot take is not made."""
        try:
            await self._bus.publish(Topic.RUNS, await self._probe(job))
        except asyncio.CancelledError:
            self.stop()
            raise
        finally:
            job.watched.busy = False
            self._lane(job.watched).release(job.watched)

    async def _probe(self, job: Job) -> Run:
        watched, monitor = job.watched, job.watched.monitor
        started_at, began_s = self._clock.now(), self._clock.monotonic()
        late_s = max(0.0, started_at.timestamp() - job.slot_s)
        self._gauges.note_late(late_s)
        ctx = ProbeContext(
            net=self._net,
            clock=self._clock,
            deadline=asyncio.get_running_loop().time() + monitor.timeout_s,
            region=self._region,
            memory=watched.memory,
            may_spawn=self._may_spawn,
        )
        observation = await observe(watched.kind, watched.settings, ctx)
        took_s = self._clock.monotonic() - began_s
        if observation.failure is not None and took_s > monitor.timeout_s + OVERRUN_S + STALL_S:
            observation = Observation(failure=_stood_still(took_s, monitor.timeout_s))
        return Run(
            monitor_id=monitor.id,
            slot=job.slot,
            observation=_without_content(observation),
            outcome=_judged(watched, observation, self._clock.now()),
            started_at=started_at,
            duration_ms=_latency_ms(observation, took_s * 1000),
            tenant=monitor.tenant,
            monitor_version=monitor.version,
            region=self._region,
            late_s=late_s,
        )


def _judged(watched: Watched, observation: Observation, now: datetime) -> Outcome:
    """Hold the conditions; a bug of ours in doing so is unknown, like one in a probe."""
    degraded_ms = watched.monitor.policy.degraded_ms
    try:
        return assess(observation, watched.conditions, degraded_ms=degraded_ms, now=now)
    except Exception as bug:  # noqa: BLE001 - the runner's edge: one odd answer must not stop the others
        _log.error("condition_bug", monitor=watched.monitor.id, exc_info=bug)
        return Outcome(State.UNKNOWN, _condition_bug(type(bug).__name__))


def _condition_bug(name: str) -> Failure:
    return Failure(
        "internal", "condition_bug",
        f"The conditions could not be held against the answer ({name}); nothing is known about the target.",
        Reason.INTERNAL,
        "Look for condition_bug in Lifesign's log and report it.",
    )  # fmt: skip


def _latency_ms(observation: Observation, took_ms: float) -> float:
    """What the target took, where the kind tells it apart from what we did on the side (canaries, saying goodbye)."""
    latency_ms = observation.facts.get("latency_ms")
    return float(latency_ms) if isinstance(latency_ms, int | float) else took_ms


def _stood_still(took_s: float, timeout_s: float) -> Failure:
    """A deadline that passed while we did nothing says nothing about the target."""
    return Failure(
        "internal", "stood_still",
        f"The check took {took_s:.1f} s with a time-out of {timeout_s:g} s, because Lifesign itself stood still.",
        Reason.INTERNAL,
        "See whether this machine was suspended or is short of CPU.",
    )  # fmt: skip


def _without_content(observation: Observation) -> Observation:
    """Let go of bodies as soon as they are judged: they are never stored and may be large."""
    return replace(observation, content={}) if observation.content else observation
