"""Runs what is due: bounded in all, per tenant and per host, fair between tenants, one deadline each.

1. A job starts at once when the whole, its tenant and its host have room.
2. A job whose host is full waits in the host's own line; it takes no other room while it waits.
3. A job that finds the whole or its tenant full waits in its tenant's line; the lines are served in turn.
4. A monitor that is still waiting or running at its next slot skips that slot, and the skip is counted.
"""

import asyncio
from collections import Counter, deque
from dataclasses import dataclass
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
from lifesign.engine.scheduler import STALL_S, Job
from lifesign.engine.watch import Watched
from lifesign.net import Net
from lifesign.probes.once import OVERRUN_S, observe
from lifesign.probes.registry import ProbeContext

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Limits:
    """How many runs may be under way: in all, for one tenant, to one host and port."""

    total: int = 5000
    per_tenant: int = 5000
    per_host: int = 50


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
    ) -> None:
        self._net = net
        self._bus = bus
        self._clock = clock
        self._gauges = gauges
        self._limits = limits
        self._tasks = tasks
        self._region = region
        self._total = 0
        self._of_tenant: Counter[str] = Counter()
        self._of_host: Counter[str] = Counter()
        self._host_lines: dict[str, deque[Job]] = {}
        self._tenant_lines: dict[str, deque[Job]] = {}
        self._turns: deque[str] = deque()
        self._under_way: set[asyncio.Task[None]] = set()
        self._open = True

    def submit(self, job: Job) -> None:
        """Take a due job: start it, queue it, or skip the slot when the monitor is still busy."""
        if job.watched.busy or not self._open:
            self._gauges.skipped += 1
            return
        job.watched.busy = True
        self._admit(job)

    def stop(self) -> None:
        """Start nothing more; what runs may finish."""
        self._open = False
        self._host_lines.clear()
        self._tenant_lines.clear()
        self._turns.clear()

    async def drain(self, within_s: float) -> None:
        """Let what is under way finish, for so long; what then still runs is cancelled and not counted."""
        _, late = (
            await asyncio.wait(self._under_way, timeout=within_s) if self._under_way else ((), ())
        )
        for task in late:
            task.cancel()

    def _admit(self, job: Job) -> None:
        host = job.watched.authority
        if host and self._of_host[host] >= self._limits.per_host:
            self._host_lines.setdefault(host, deque()).append(job)
        elif self._has_room(job.watched.monitor.tenant):
            self._start(job)
        else:
            self._queue_for_tenant(job)
        self._gauges.running = self._total

    def _has_room(self, tenant: str) -> bool:
        return (
            self._total < self._limits.total and self._of_tenant[tenant] < self._limits.per_tenant
        )

    def _queue_for_tenant(self, job: Job) -> None:
        tenant = job.watched.monitor.tenant
        if tenant not in self._tenant_lines:
            self._tenant_lines[tenant] = deque()
            self._turns.append(tenant)
        self._tenant_lines[tenant].append(job)
        self._gauges.waiting += 1

    def _start(self, job: Job) -> None:
        watched = job.watched
        self._total += 1
        self._of_tenant[watched.monitor.tenant] += 1
        self._of_host[watched.authority] += 1
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
            self._release(job.watched)

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
            duration_ms=took_s * 1000,
            tenant=monitor.tenant,
            monitor_version=monitor.version,
            region=self._region,
            late_s=late_s,
        )

    def _release(self, watched: Watched) -> None:
        self._total -= 1
        _count_down(self._of_tenant, watched.monitor.tenant)
        _count_down(self._of_host, watched.authority)
        self._serve_host(watched.authority)
        self._serve_lines()
        self._gauges.running = self._total

    def _serve_host(self, host: str) -> None:
        """Let the host's line go on while the host has room; who finds no other room waits with its tenant."""
        line = self._host_lines.get(host)
        while line and self._of_host[host] < self._limits.per_host:
            self._admit(line.popleft())
        if line is not None and not line:
            del self._host_lines[host]

    def _serve_lines(self) -> None:
        """Give the free places to the waiting tenants, one each in turn."""
        for _ in range(len(self._turns)):
            if self._total >= self._limits.total:
                return
            tenant = self._turns.popleft()
            line = self._tenant_lines[tenant]
            if self._of_tenant[tenant] < self._limits.per_tenant:
                self._gauges.waiting -= 1
                self._admit(line.popleft())
            if line:
                self._turns.append(tenant)
            else:
                del self._tenant_lines[tenant]


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
    if not observation.content:
        return observation
    return Observation(
        observation.facts, observation.phases_ms, observation.failure, observation.findings
    )


def _count_down(counter: Counter[str], key: str) -> None:
    counter[key] -= 1
    if counter[key] <= 0:
        del counter[key]
