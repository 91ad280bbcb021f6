"""Places to run in: how many runs may be under way, in all, for one tenant and to one host, and who is next.

1. A job starts at once when the whole, its tenant and its host have room.
2. A job whose host is full waits in the host's own line; it takes no other room while it waits.
3. A job that finds the whole or its tenant full waits in its tenant's line; the lines are served in turn.
"""

from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass

from lifesign.engine.gauges import Gauges
from lifesign.engine.scheduler import Job
from lifesign.engine.watch import Watched


@dataclass(frozen=True, slots=True)
class Limits:
    """How many runs may be under way: in all, for one tenant, to one host and port.

    `per_lane` holds for each lane of kinds that are run apart from the others, because a run of theirs costs a
    hundred times as much; None is one for each CPU core.
    """

    total: int = 5000
    per_tenant: int = 5000
    per_host: int = 50
    per_lane: int | None = None


class Places:
    """Hands out the places of one lane. `start` is called with each job whose turn has come."""

    def __init__(self, limits: Limits, *, start: Callable[[Job], None], gauges: Gauges) -> None:
        self._limits = limits
        self._begin = start
        self._gauges = gauges
        self._total = 0
        self._of_tenant: Counter[str] = Counter()
        self._of_host: Counter[str] = Counter()
        self._host_lines: dict[str, deque[Job]] = {}
        self._tenant_lines: dict[str, deque[Job]] = {}
        self._turns: deque[str] = deque()

    def admit(self, job: Job) -> None:
        """Start a job, or let it wait in the line where it belongs."""
        host = job.watched.authority
        if host and self._of_host[host] >= self._limits.per_host:
            self._host_lines.setdefault(host, deque()).append(job)
        elif self._has_room(job.watched.monitor.tenant):
            self._start(job)
        else:
            self._queue_for_tenant(job)

    def release(self, watched: Watched) -> None:
        """Take back the place of a run that ended, and let the lines go on."""
        self._total -= 1
        self._gauges.running -= 1
        _count_down(self._of_tenant, watched.monitor.tenant)
        _count_down(self._of_host, watched.authority)
        self._serve_host(watched.authority)
        self._serve_lines()

    def send_home(self) -> None:
        """Nobody who waits will have a turn."""
        self._host_lines.clear()
        self._tenant_lines.clear()
        self._turns.clear()

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
        self._total += 1
        self._gauges.running += 1
        self._of_tenant[job.watched.monitor.tenant] += 1
        self._of_host[job.watched.authority] += 1
        self._begin(job)

    def _serve_host(self, host: str) -> None:
        """Let the host's line go on while the host has room; who finds no other room waits with its tenant."""
        line = self._host_lines.get(host)
        while line and self._of_host[host] < self._limits.per_host:
            self.admit(line.popleft())
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
                self.admit(line.popleft())
            if line:
                self._turns.append(tenant)
            else:
                del self._tenant_lines[tenant]


def _count_down(counter: Counter[str], key: str) -> None:
    counter[key] -= 1
    if counter[key] <= 0:
        del counter[key]
