"""What a process has used: its own entry under /proc, so nothing has to be asked of the process itself."""

import os
import time
from dataclasses import dataclass
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")


def cpu_s(pid: int) -> float:
    """CPU-seconds that the process has used so far, user and system, all threads."""
    fields = Path(f"/proc/{pid}/stat").read_text("utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def rss_mb(pid: int) -> float:
    """Resident memory in MB (10^6 bytes)."""
    for line in Path(f"/proc/{pid}/status").read_text("utf-8").splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024 / 1e6
    return 0.0


@dataclass(slots=True)
class Meter:
    """CPU and wall time since it was made."""

    pid: int
    cpu_began: float = 0.0
    began: float = 0.0

    def __post_init__(self) -> None:
        self.cpu_began, self.began = cpu_s(self.pid), time.monotonic()

    @property
    def cpu(self) -> float:
        """CPU-seconds used since."""
        return cpu_s(self.pid) - self.cpu_began

    @property
    def wall(self) -> float:
        """Seconds gone by since."""
        return time.monotonic() - self.began
