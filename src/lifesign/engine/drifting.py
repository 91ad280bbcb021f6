"""The part of a fold that follows what monitors publish: baselines, confirmed changes, who accepted them. No I/O.

A run whose surface is the current and accepted one costs two lookups and a comparison, and writes nothing. Any other
one goes through `core.drift.follow`, and needs the documents that it is about: whoever folds has read them before and
hands them in. A document that nobody has is asked for again, and until it is there nothing is confirmed.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from lifesign.core.alerting import Concern
from lifesign.core.batch import Event, Settlement, Snapshot
from lifesign.core.drift import follow
from lifesign.core.drift.compare import worst
from lifesign.core.drift.values import Change, Drift, Impact, Release, SurfaceChange
from lifesign.core.model import Monitor, Run, Surface
from lifesign.engine.drift_news import (
    DIVERGED_FOR,
    DIVERGENCE,
    divergence,
    drift_json,
    line_id,
    surface_event,
)
from lifesign.engine.surfaces import (
    Papers,
    Place,
    Rows,
    SurfaceMemory,
    diverged_since,
    is_calm,
    place_of,
)

REVERTED = "reverted"
"""Who settled drift that went away because the baseline is published again."""
SUPERSEDED = "superseded"
"""Who settled drift that was seen with a credential that the monitor no longer has."""


@dataclass(slots=True)
class SurfaceFold:
    """The surfaces of one batch, over the memory as it was when the batch began."""

    memory: SurfaceMemory
    papers: Papers
    say: Callable[[Monitor, str, Concern | None, datetime], None]
    """How a concern stands: `Fold.concern`."""
    events: list[Event]
    rechecks: set[str]
    rows: dict[str, dict[Place, Drift]] = field(default_factory=dict)
    releases: dict[str, tuple[Release, ...]] = field(default_factory=dict)
    written: dict[tuple[str, Place], Drift] = field(default_factory=dict)
    snapshots: dict[tuple[str, str], Snapshot] = field(default_factory=dict)
    changes: list[SurfaceChange] = field(default_factory=list)
    settlements: list[Settlement] = field(default_factory=list)
    candidates: dict[tuple[str, Place], tuple[str, bytes]] = field(default_factory=dict)
    asked_again: set[str] = field(default_factory=set)
    """Monitors whose probe must bring the document once more."""
    untold: set[str] = field(default_factory=set)
    """Monitors of whose drift could not be told, because a document was not at hand."""

    def follow(self, run: Run, surface: Surface, monitor: Monitor) -> None:
        """Follow what one run saw published."""
        place = (run.region, surface.audience)
        drift = self._rows(monitor.id).get(place)
        if drift is not None and is_calm(drift, surface.digest):
            self._watch_edges(monitor, run.started_at)
            return
        if surface.document is not None:
            self.papers.add(surface.digest, surface.document)
        if drift is None:
            self._begin(run, surface, monitor)
        else:
            self._look(monitor, drift, surface.digest, at=run.started_at)
        self._watch_edges(monitor, run.started_at)

    def take_up(
        self,
        monitor: Monitor,
        drifts: Iterable[Drift],
        releases: Sequence[Release],
        *,
        at: datetime,
    ) -> None:
        """Go on from what is stored now: somebody accepted, pinned, announced or took something back."""
        self.rows[monitor.id] = {place_of(drift): drift for drift in drifts}
        self.releases[monitor.id] = tuple(releases)
        for drift in list(self.rows[monitor.id].values()):
            accepted = self._accepted(monitor, drift, at=at)
            if accepted is not drift:
                self._write(accepted)
        self._tell(monitor, at)

    def _begin(self, run: Run, surface: Surface, monitor: Monitor) -> None:
        """The first look is the baseline. It is not begun without its document: nothing could be compared with it."""
        if self.papers.missing([surface.digest]):
            self.asked_again.add(monitor.id)
            return
        drift = follow.begin(
            surface,
            monitor_id=monitor.id,
            tenant=monitor.tenant,
            region=run.region,
            at=run.started_at,
        )
        for other in list(self._rows(monitor.id).values()):
            if other.region == run.region and not other.pinned:
                self._retire(monitor, other, at=run.started_at)
        self._keep(drift, at=run.started_at)
        self._write(drift)

    def _retire(self, monitor: Monitor, drift: Drift, *, at: datetime) -> None:
        """Nobody looks at it in this role any more: what nobody can see get better must not be told for ever.

        A pinned one is left alone, for that is what people asked for.
        """
        if is_calm(drift, drift.current):
            return
        after = replace(drift, candidate="", recent=(), steady=0, unstable=False)
        self._write(self._settled(after, by=SUPERSEDED, at=at) if drift.is_drifted else after)
        self._tell(monitor, at)

    def _look(self, monitor: Monitor, before: Drift, digest: str, *, at: datetime) -> None:
        look = follow.look(before, digest, at=at)
        if self.papers.missing([digest]) and digest not in {before.current, before.baseline}:
            self.asked_again.add(monitor.id)
            if look.confirmed:
                return
        after = look.drift
        self._remember_candidate(after, digest)
        if look.recheck:
            self.rechecks.add(monitor.id)
        if look.confirmed:
            after = self._confirmed(monitor, before, after, at=at)
        else:
            after = self._accepted(monitor, after, at=at)
        if after is not before:
            self._write(after)
        if look.became_unstable or look.became_stable:
            word = "unstable" if look.became_unstable else "stable"
            self.events.append(surface_event(f"monitor.surface_{word}", monitor, after, at, {}))
        if look.confirmed or after.baseline != before.baseline or after.unstable != before.unstable:
            self._tell(monitor, at)

    def _remember_candidate(self, drift: Drift, digest: str) -> None:
        document = self.papers.get(digest)
        if digest not in {drift.current, drift.baseline} and document is not None:
            self.candidates[drift.monitor_id, place_of(drift)] = (digest, document)

    def _confirmed(self, monitor: Monitor, before: Drift, drift: Drift, *, at: datetime) -> Drift:
        """A second look saw it too: a line of the timeline, and drift unless somebody accepts it at once."""
        changes = self.papers.changes(before.current, drift.current) or ()
        by = REVERTED if not drift.is_drifted else self._who_accepts(monitor, drift, at=at)
        line = SurfaceChange(
            id=line_id(drift, at),
            monitor_id=monitor.id,
            tenant=monitor.tenant,
            region=drift.region,
            audience=drift.audience,
            at=at,
            before=before.current,
            after=drift.current,
            impact=worst(changes) if changes else Impact.INFO,
            changes=changes,
            accepted_at=at if by else None,
            accepted_by=by,
        )
        self.changes.append(line)
        self.events.append(surface_event("monitor.drift", monitor, drift, at, drift_json(line)))
        self._keep(drift, at=at)
        return drift if not by else self._settled(drift, by=by, at=at)

    def _accepted(self, monitor: Monitor, drift: Drift, *, at: datetime) -> Drift:
        """The drift that was confirmed earlier, accepted where a release or time does so now."""
        by = self._who_accepts(monitor, drift, at=at) if drift.is_drifted else ""
        if not by:
            return drift
        data = {"digest": drift.current, "by": by}
        self.events.append(surface_event("monitor.drift_accepted", monitor, drift, at, data))
        return self._settled(drift, by=by, at=at)

    def _who_accepts(self, monitor: Monitor, drift: Drift, *, at: datetime) -> str:
        releases = self.releases.get(monitor.id)
        if releases is None:
            releases = self.memory.releases.get(monitor.id, ())
        accept_after_s = monitor.policy.drift_accept_s
        return follow.accepted_by(drift, at=at, accept_after_s=accept_after_s, releases=releases)

    def _settled(self, drift: Drift, *, by: str, at: datetime) -> Drift:
        """Nothing of it is drift any more: what is published is the baseline."""
        self.settlements.append(
            Settlement(
                monitor_id=drift.monitor_id,
                region=drift.region,
                audience=drift.audience,
                at=at,
                by=by,
            )
        )
        return follow.accept(drift, drift.current, at=at, pinned=drift.pinned)

    def _tell(self, monitor: Monitor, at: datetime) -> None:
        """One alert over all places: the most severe concern. Without the documents it stays as it is."""
        concerns: list[Concern] = []
        for drift in self._rows(monitor.id).values():
            changes: Sequence[Change] | None = ()
            if drift.is_drifted:
                changes = self.papers.changes(drift.baseline, drift.current)
            if changes is None:
                self.untold.add(monitor.id)
                return
            concern = follow.concern_of(drift, changes, severity=monitor.severity)
            if concern is not None:
                concerns.append(concern)
        loudest = max(concerns, key=lambda each: each.severity.rank, default=None)
        self.say(monitor, follow.TOPIC, loudest, at)

    def _watch_edges(self, monitor: Monitor, at: datetime) -> None:
        """Regions that go on seeing different surfaces are told of, mildly."""
        mine = self.rows.get(monitor.id)
        since = self.memory.diverged.get(monitor.id) if mine is None else diverged_since(mine)
        if since is None and mine is None:
            return
        is_told = since is not None and at - since >= DIVERGED_FOR
        concern = divergence(monitor, self._rows(monitor.id)) if is_told else None
        self.say(monitor, DIVERGENCE, concern, at)

    def _keep(self, drift: Drift, *, at: datetime) -> None:
        """Store the document of what is published now."""
        document = self.papers.get(drift.current)
        if document is not None:
            key = (drift.tenant, drift.current)
            self.snapshots[key] = Snapshot(
                tenant=drift.tenant, digest=drift.current, document=document, at=at
            )

    def _rows(self, monitor_id: str) -> Rows:
        mine = self.rows.get(monitor_id)
        return self.memory.rows.get(monitor_id, {}) if mine is None else mine

    def _write(self, drift: Drift) -> None:
        if drift.monitor_id not in self.rows:
            self.rows[drift.monitor_id] = dict(self.memory.rows.get(drift.monitor_id, {}))
        place = place_of(drift)
        self.rows[drift.monitor_id][place] = self.written[drift.monitor_id, place] = drift

    def apply(self) -> None:
        """The batch is committed: make the memory say the same."""
        memory = self.memory
        memory.releases.update(self.releases)
        memory.candidates.update(self.candidates)
        for monitor_id, rows in self.rows.items():
            memory.rows[monitor_id] = rows
            since = diverged_since(rows)
            if since is None:
                memory.diverged.pop(monitor_id, None)
            else:
                memory.diverged[monitor_id] = since
            for place, drift in rows.items():
                kept = memory.candidates.get((monitor_id, place))
                if kept is not None and kept[0] in {drift.current, drift.baseline}:
                    del memory.candidates[monitor_id, place]
