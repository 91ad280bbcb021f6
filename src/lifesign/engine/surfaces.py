"""What the engine holds of published surfaces between batches, and the documents at hand while one is folded."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from lifesign.core.drift.compare import compare
from lifesign.core.drift.follow import TOPIC
from lifesign.core.drift.values import Change, Drift, Release
from lifesign.core.model import Run

Place = tuple[str, str]
"""Region and audience: each has its own baseline."""
Rows = Mapping[Place, Drift]


class Papers:
    """The documents at hand while a batch is folded, and what two of them differ in: compared once."""

    def __init__(self, documents: Mapping[str, bytes] | None = None) -> None:
        self._documents = dict(documents or {})
        self._compared: dict[tuple[str, str], tuple[Change, ...]] = {}

    def add(self, digest: str, document: bytes) -> None:
        """Take one more."""
        self._documents.setdefault(digest, document)

    def get(self, digest: str) -> bytes | None:
        """The document of a digest, when it is at hand."""
        return self._documents.get(digest)

    def missing(self, digests: Iterable[str]) -> set[str]:
        """Those of these digests that are not at hand."""
        return {digest for digest in digests if digest and digest not in self._documents}

    def changes(self, before: str, after: str) -> tuple[Change, ...] | None:
        """What differs, worst first; None when one of the two is not at hand."""
        pair = (before, after)
        if pair not in self._compared:
            old, new = self._documents.get(before), self._documents.get(after)
            if old is None or new is None:
                return None
            self._compared[pair] = compare(old, new)
        return self._compared[pair]


@dataclass(slots=True)
class SurfaceMemory:
    """What the engine holds of surfaces between batches."""

    rows: dict[str, Rows] = field(default_factory=dict)
    """By monitor, then by place."""
    releases: dict[str, tuple[Release, ...]] = field(default_factory=dict)
    candidates: dict[tuple[str, Place], tuple[str, bytes]] = field(default_factory=dict)
    """The newest surface that is not confirmed: it is stored once it is."""
    diverged: dict[str, datetime] = field(default_factory=dict)
    """Since when regions see different surfaces."""

    def forget(self, monitor_id: str) -> None:
        """The monitor is gone."""
        for place in self.rows.pop(monitor_id, {}):
            self.candidates.pop((monitor_id, place), None)
        self.releases.pop(monitor_id, None)
        self.diverged.pop(monitor_id, None)


def unsettled(memory: SurfaceMemory, open_keys: Iterable[str]) -> tuple[str, ...]:
    """The monitors whose alert of drift may not be what their surfaces ask for, as when we died in between."""
    told = {key.partition("/")[2] for key in open_keys if key.startswith(f"{TOPIC}/")}
    asking = {
        monitor_id
        for monitor_id, rows in memory.rows.items()
        if any(drift.is_drifted or drift.unstable for drift in rows.values())
    }
    return tuple(sorted(told ^ asking))


def papers_wanted(memory: SurfaceMemory, run: Run) -> set[str]:
    """The digests whose documents folding this run may need; none for a run that tells nothing new."""
    surface = run.observation.surface
    if surface is None:
        return set()
    rows = memory.rows.get(run.monitor_id, {})
    drift = rows.get((run.region, surface.audience))
    if drift is None:
        return {surface.digest} if surface.document is None else set()
    if surface.digest == drift.current and not (drift.unstable and drift.is_drifted):
        return set()
    wanted = {surface.digest} if surface.document is None else set()
    wanted |= {drift.current, drift.baseline}
    return wanted | {
        digest
        for other in rows.values()
        if other.is_drifted
        for digest in (other.baseline, other.current)
    }


def compare_ahead(memory: SurfaceMemory, runs: Sequence[Run], papers: Papers) -> None:
    """Compare what a second look at a candidate will be compared with."""
    for run in runs:
        surface = run.observation.surface
        if surface is None:
            continue
        drift = memory.rows.get(run.monitor_id, {}).get((run.region, surface.audience))
        if drift is not None and surface.digest == drift.candidate:
            papers.changes(drift.current, surface.digest)
            papers.changes(drift.baseline, surface.digest)


def compare_drifted(drifts: Iterable[Drift], papers: Papers) -> None:
    """Compare each surface that is drift with its baseline."""
    for drift in drifts:
        if drift.is_drifted:
            papers.changes(drift.baseline, drift.current)


def is_calm(drift: Drift, digest: str) -> bool:
    """Whether a look that sees this changes nothing: it is current, accepted, and nothing changed lately."""
    return digest == drift.current == drift.baseline and not drift.recent


def place_of(drift: Drift) -> Place:
    """Where from, and as whom, it is seen."""
    return drift.region, drift.audience


def diverged_since(rows: Rows) -> datetime | None:
    """Since when regions see different surfaces in the same role; None while they agree."""
    since: datetime | None = None
    seen: dict[str, list[Drift]] = {}
    for drift in rows.values():
        seen.setdefault(drift.audience, []).append(drift)
    for drifts in seen.values():
        if len({drift.current for drift in drifts}) > 1:
            newest = max(drift.current_since for drift in drifts)
            since = newest if since is None else min(since, newest)
    return since
