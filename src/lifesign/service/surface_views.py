"""What the faces show of published surfaces. Names, texts and changes come from watched things: untrusted."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

import msgspec

from lifesign.core.drift.compare import worst
from lifesign.core.drift.values import Change, Drift, Impact, Release, SurfaceChange
from lifesign.core.model import Monitor
from lifesign.service.surface_sights import Sight

MAX_NAMES = 1000
"""Names of tools in a view; `tool_count` counts all of them."""

ReleaseStatus = Literal["upcoming", "open", "over"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaceView:
    """The surface as one audience sees it from one region.

    `digest` is what is published, `since` when that was first seen, `seen_at` when any surface was last seen here: None
    when no recent run saw one. It is `stale` when that was more than three intervals ago (a server that is down, or lets
    nobody in): what is published now is not known then. `unchanged_s` is for how many seconds it is known to be the same.
    While it is `drifted`, `differences` say what changed since the accepted `baseline`, worst first, and `impact` how
    bad the worst is. `tools` holds at most 1000 names. `server` is its name and version, as it says itself.
    """

    region: str
    audience: str
    digest: str
    since: datetime
    seen_at: datetime | None
    stale: bool
    unchanged_s: float
    baseline: str
    baseline_since: datetime
    pinned: bool
    drifted: bool
    unstable: bool
    impact: Impact | None
    differences: tuple[Change, ...]
    server: str
    tool_count: int
    tools: tuple[str, ...]
    resource_count: int
    prompt_count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseView:
    """An announced change of one monitor's surface; `by` is who announced it."""

    id: str
    monitor_id: str
    monitor_name: str
    status: ReleaseStatus
    starts_at: datetime
    ends_at: datetime
    digest: str
    note: str
    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SurfaceView:
    """What a monitor's target publishes, from everywhere it is seen; no places before its first look.

    `seen_at` is the oldest of its places'. `unchanged_s` is for how many seconds all of it is known to be the same everywhere; `stale` says that some of it was
    not seen for more than three intervals. `releases` are those that are not over.
    """

    monitor_id: str
    monitor_name: str
    monitor_slug: str
    seen_at: datetime | None
    stale: bool
    unchanged_s: float | None
    drifted: bool
    unstable: bool
    pinned: bool
    places: tuple[PlaceView, ...]
    releases: tuple[ReleaseView, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SurfaceChangeView:
    """One line of the timeline. `accepted_by` is empty while it is drift: a person, `release …`, `auto`, `reverted`.

    `counts` has the number of changes by impact, zeros left out.
    """

    id: str
    monitor_id: str
    region: str
    audience: str
    at: datetime
    before: str
    after: str
    impact: Impact
    counts: Mapping[str, int]
    changes: tuple[Change, ...]
    accepted_at: datetime | None
    accepted_by: str

    @classmethod
    def of(cls, line: SurfaceChange) -> "SurfaceChangeView":
        """The view of a stored line."""
        return cls(
            id=line.id,
            monitor_id=line.monitor_id,
            region=line.region,
            audience=line.audience,
            at=line.at,
            before=line.before,
            after=line.after,
            impact=line.impact,
            counts=counts(line.changes),
            changes=line.changes,
            accepted_at=line.accepted_at,
            accepted_by=line.accepted_by,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class SurfaceDiffView:
    """What two surfaces of one monitor differ in, worst first; `impact` is that of the worst, None when they are equal."""

    monitor_id: str
    before: str
    after: str
    impact: Impact | None
    counts: Mapping[str, int]
    changes: tuple[Change, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SurfaceFigures:
    """How the surface of one monitor stands in one place, as a metric tells it."""

    monitor_id: str
    region: str
    audience: str
    changed_at: datetime
    drifted: bool


def place_view(
    drift: Drift,
    document: bytes | None,
    differences: Sequence[Change],
    *,
    sight: Sight | None,
    stale_s: float,
    now: datetime,
) -> PlaceView:
    """The view of one place; without its document, nothing is known of what stands in it.

    `sight` is its newest look; one of more than `stale_s` seconds ago says nothing of the present.
    """
    parts = _Document() if document is None else _document.decode(document)
    names = [str(tool.get("name", "")) for tool in parts.tools]
    seen_at = None if sight is None else sight.at
    is_stale = seen_at is None or (now - seen_at).total_seconds() > stale_s
    known_until = (seen_at or drift.current_since) if is_stale else now
    return PlaceView(
        region=drift.region,
        audience=drift.audience,
        digest=drift.current,
        since=drift.current_since,
        seen_at=seen_at,
        stale=is_stale,
        unchanged_s=max(0.0, (known_until - drift.current_since).total_seconds()),
        baseline=drift.baseline,
        baseline_since=drift.baseline_since,
        pinned=drift.pinned,
        drifted=drift.is_drifted,
        unstable=drift.unstable,
        impact=worst(differences) if differences else None,
        differences=tuple(differences),
        # A server that only raised its version publishes the same document: the newest look knows better.
        server=(sight.server if sight is not None else "") or _server(parts.server_info),
        tool_count=len(names),
        tools=tuple(names[:MAX_NAMES]),
        resource_count=len(parts.resources) + len(parts.templates),
        prompt_count=len(parts.prompts),
    )


def release_view(release: Release, *, monitor_name: str, now: datetime) -> ReleaseView:
    """The view of an announced release."""
    return ReleaseView(
        id=release.id,
        monitor_id=release.monitor_id,
        monitor_name=monitor_name,
        status=release_status(release, now),
        starts_at=release.starts_at,
        ends_at=release.ends_at,
        digest=release.digest,
        note=release.note,
        by=release.by,
    )


def release_status(release: Release, now: datetime) -> ReleaseStatus:
    """Whether its window is still to come, open or over."""
    if now < release.starts_at:
        return "upcoming"
    return "open" if now <= release.ends_at else "over"


def surface_view(
    monitor: Monitor, places: Sequence[PlaceView], releases: Sequence[ReleaseView]
) -> SurfaceView:
    """The view over all places."""
    seen = [place.seen_at for place in places if place.seen_at is not None]
    return SurfaceView(
        monitor_id=monitor.id,
        monitor_name=monitor.name,
        monitor_slug=monitor.slug,
        seen_at=min(seen) if seen and len(seen) == len(places) else None,
        stale=any(place.stale for place in places),
        unchanged_s=min((place.unchanged_s for place in places), default=None),
        drifted=any(place.drifted for place in places),
        unstable=any(place.unstable for place in places),
        pinned=any(place.pinned for place in places),
        places=tuple(places),
        releases=tuple(releases),
    )


def counts(changes: Sequence[Change]) -> Mapping[str, int]:
    """How many changes there are of each impact, worst first."""
    found = Counter(change.impact for change in changes)
    return {impact.value: found[impact] for impact in Impact if found[impact]}


class _Document(msgspec.Struct, frozen=True):
    """What is shown of a canonical document; the rest is not decoded."""

    tools: list[dict[str, Any]] = []
    resources: list[msgspec.Raw] = []
    templates: list[msgspec.Raw] = msgspec.field(name="resourceTemplates", default_factory=list)
    prompts: list[msgspec.Raw] = []
    server_info: dict[str, Any] = msgspec.field(name="serverInfo", default_factory=dict)


_document = msgspec.json.Decoder(_Document)


def _server(info: Mapping[str, object]) -> str:
    said = (info.get("name"), info.get("version"))
    return " ".join(part for part in said if isinstance(part, str) and part)
