"""What is said of published surfaces: events with the first changes in words, and that regions disagree. No I/O."""

import hashlib
from collections.abc import Mapping
from datetime import datetime, timedelta

from lifesign.core.alerting import Concern
from lifesign.core.batch import Event
from lifesign.core.drift.values import Drift, Impact, SurfaceChange
from lifesign.core.model import Failure, Monitor, Reason, Severity
from lifesign.engine.surfaces import Rows

DIVERGENCE = "divergence"
"""The topic of regions that see different surfaces."""
DIVERGED_FOR = timedelta(hours=2)
"""A release rolls out, and a cache of an edge runs out, in less."""
_TOLD = 5


def drift_json(line: SurfaceChange) -> dict[str, object]:
    """A line of the timeline as an event tells it: the first changes in words, the others counted."""
    counts = {impact.value: 0 for impact in Impact}
    for change in line.changes:
        counts[change.impact.value] += 1
    return {
        "change_id": line.id,
        "before": line.before,
        "after": line.after,
        "impact": line.impact.value,
        "counts": counts,
        "messages": [change.message for change in line.changes[:_TOLD]],
        "accepted_by": line.accepted_by,
    }


def surface_event(
    type: str, monitor: Monitor, drift: Drift, at: datetime, data: Mapping[str, object]
) -> Event:
    """Something that happened to the surface of a monitor in one place."""
    named = {"name": monitor.name, "slug": monitor.slug, "kind": monitor.kind}
    where = {"region": drift.region, "audience": drift.audience}
    return Event(
        type=type,
        at=at,
        tenant=monitor.tenant,
        monitor_id=monitor.id,
        data={**named, **where, **data},
    )


def divergence(monitor: Monitor, rows: Rows) -> Concern:
    """That regions go on seeing different surfaces, told mildly."""
    regions = ", ".join(sorted({region for region, _ in rows}))
    return Concern(
        DIVERGENCE,
        min(Severity.LOW, monitor.severity, key=lambda each: each.rank),
        "regions see different published surfaces",
        Failure(
            "drift",
            "edge_divergence",
            f"For more than {DIVERGED_FOR.total_seconds() / 3600:g} h, the regions {regions} do not all see the same surface.",
            Reason.SCHEMA_DRIFT,
            "Compare what each region sees; look for caches at the edge, and for a release that did not reach all of it.",
        ),
    )


def line_id(drift: Drift, at: datetime) -> str:
    """The same for the same change, so that it is told once however often it is folded."""
    parts = (drift.monitor_id, drift.region, drift.audience, drift.current, at.isoformat())
    return "chg_" + hashlib.blake2b("\0".join(parts).encode(), digest_size=10).hexdigest()
