"""What one run fills in as it goes; it becomes the observation however far the run got."""

from dataclasses import dataclass, field

from lifesign.core.model import Failure, Finding, Level
from lifesign.probes.mcp.codes import CODES

BASE_PHASES = frozenset(
    {
        "spawn", "dns", "tcp", "tls", "http", "jsonrpc", "discover", "initialize", "version", "initialized",
        "tools_list",
    }
)  # fmt: skip
"""What every look consists of. Checks with a period of their own would make the latency jump when they are due."""


@dataclass(slots=True)
class Sheet:
    """Facts by dotted name, milliseconds by phase in the order they ran, findings in the order they were met."""

    facts: dict[str, object] = field(default_factory=dict)
    phases: dict[str, float] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)

    def note_latency(self, elapsed_ms: float, *, is_through: bool) -> None:
        """What the server took: the base phases of a probe that got through, else the time until it broke."""
        if is_through:
            elapsed_ms = sum(ms for name, ms in self.phases.items() if name in BASE_PHASES)
        self.facts["latency_ms"] = round(elapsed_ms, 3)

    def find(self, level: Level, layer: str, code: str, message: str) -> None:
        """Note a finding with the remedy of its code, once: what several checks see is told by the first."""
        finding = found(level, layer, code, message)
        if finding not in self.findings:
            self.findings.append(finding)

    def first(self, failure: Failure | None, found: Failure | None) -> Failure | None:
        """The failure that counts: the first one. One that was found after it stands beside it as a finding."""
        if failure is None or found is None:
            return failure or found
        beside = Finding.of(found, Level.FAIL)
        if beside not in self.findings:
            self.findings.append(beside)
        return failure


def found(level: Level, layer: str, code: str, message: str) -> Finding:
    """A finding with the reason and the remedy of its code."""
    entry = CODES[layer, code]
    return Finding(level, layer, code, message, entry.remedy, entry.reason)


def failed(layer: str, code: str, message: str, *, evidence: str = "", remedy: str = "") -> Failure:
    """A failure with the reason and, unless a better one is given, the remedy of its code."""
    entry = CODES[layer, code]
    return Failure(layer, code, message, entry.reason, remedy or entry.remedy, evidence)
