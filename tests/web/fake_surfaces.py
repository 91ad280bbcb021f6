"""Published surfaces without a store: one that drifted in two places, one that is as accepted, and none."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from lifesign.core.drift.compare import worst
from lifesign.core.drift.values import Change, Impact
from lifesign.core.errors import InvalidError, NotFoundError
from lifesign.core.paging import Page
from lifesign.core.scope import Scope
from lifesign.service.surface_views import (
    PlaceView,
    ReleaseView,
    SurfaceChangeView,
    SurfaceDiffView,
    SurfaceView,
    counts,
)
from web.fake_kinds import NASTY, NOW

OLD, NEW = "v1:" + "0a" * 32, "v1:" + "f7" * 32
CHANGES = (
    Change("tool_removed", Impact.BREAKING, "tool wait", "", '{"name":"wait"}', "", "Tool ‘wait’ was removed."),
    Change("read_only_hint_flipped", Impact.HINT, "tool add", "annotations.readOnlyHint", "true", "false", "Tool add says readOnlyHint: false now."),
    Change("description_suspicious", Impact.TEXT, "tool search", "description", '"Finds."', f'"Finds.\u200b\u202e {NASTY}"', "The description of tool search holds characters that cannot be seen."),
    Change("description_changed", Impact.TEXT, "tool echo", "description", '"Says."', '"Repeats."', "The description of tool echo changed."),
    Change("server_version_changed", Impact.INFO, "server", "serverInfo.version", '"1"', '"2"', f"The version changed to {NASTY}."),
)  # fmt: skip


def place(**more: object) -> PlaceView:
    """What one audience sees from one region; as accepted unless told otherwise."""
    base = PlaceView(
        region="local", audience="", digest=OLD, since=NOW - timedelta(days=3), unchanged_s=259_200.0,
        seen_at=NOW, stale=False,
        baseline=OLD, baseline_since=NOW - timedelta(days=3), pinned=False, drifted=False,
        unstable=False, impact=None, differences=(), server="billing-tools 2.14.0", tool_count=3,
        tools=("echo", "add", NASTY), resource_count=2, prompt_count=1,
    )  # fmt: skip
    return replace(base, **more)  # type: ignore[arg-type]


DRIFTED = place(
    digest=NEW, since=NOW - timedelta(minutes=7), unchanged_s=420.0, drifted=True,
    impact=worst(CHANGES), differences=CHANGES,
)  # fmt: skip


def line(number: int, **more: object) -> SurfaceChangeView:
    """A line of a timeline."""
    base = SurfaceChangeView(
        id=f"chg_{number}", monitor_id="id-billing-tools", region="local", audience="",
        at=NOW - timedelta(days=number), before=OLD, after=NEW, impact=Impact.BREAKING,
        counts=counts(CHANGES), changes=CHANGES, accepted_at=None, accepted_by="",
    )  # fmt: skip
    return replace(base, **more)  # type: ignore[arg-type]


def _release(**more: object) -> ReleaseView:
    base = ReleaseView(
        id="rel_1", monitor_id="id-billing-tools", monitor_name="billing-tools", status="upcoming",
        starts_at=NOW + timedelta(hours=1), ends_at=NOW + timedelta(hours=2), digest=NEW,
        note="4.1 " + NASTY, by="ada@example.com",
    )  # fmt: skip
    return replace(base, **more)  # type: ignore[arg-type]


@dataclass
class FakeSurfaces:
    places: dict[str, tuple[PlaceView, ...]] = field(default_factory=lambda: {
        "billing-tools": (DRIFTED, replace(DRIFTED, region="eu-west", pinned=True)),
        "github": (place(unstable=True),),
        "stripe": (place(pinned=True),),
    })  # fmt: skip
    releases: list[ReleaseView] = field(default_factory=lambda: [_release()])
    lines: list[SurfaceChangeView] = field(default_factory=lambda: [
        line(1), line(2, impact=Impact.TEXT, accepted_by="grace@example.com", accepted_at=NOW),
        line(3, impact=Impact.ADDITIVE, accepted_by="release 4.0", accepted_at=NOW),
        line(4, accepted_by="auto", accepted_at=NOW), line(5, accepted_by="reverted", accepted_at=NOW),
    ])  # fmt: skip
    calls: list[tuple[str, Mapping[str, object]]] = field(default_factory=list)

    async def of(self, _scope: Scope, monitor_id: str) -> SurfaceView:
        slug = monitor_id.removeprefix("id-")
        places = self.places.get(slug, ())
        return SurfaceView(
            monitor_id=f"id-{slug}", monitor_name=slug, monitor_slug=slug,
            unchanged_s=min((each.unchanged_s for each in places), default=None),
            seen_at=min((each.seen_at for each in places if each.seen_at), default=None),
            stale=any(each.stale for each in places),
            drifted=any(each.drifted for each in places),
            unstable=any(each.unstable for each in places),
            pinned=any(each.pinned for each in places), places=places,
            releases=tuple(self.releases) if slug == "billing-tools" else (),
        )  # fmt: skip

    async def timeline(
        self, _scope: Scope, monitor_id: str, *, limit: int, cursor: str | None
    ) -> Page[SurfaceChangeView]:
        if not monitor_id.endswith("billing-tools") or cursor:
            return Page(())
        return Page(tuple(self.lines[:limit]), "more")

    async def compare(
        self, _scope: Scope, monitor_id: str, before: str, after: str
    ) -> SurfaceDiffView:
        if not {before, after} <= {OLD, NEW}:
            raise NotFoundError("It never published such a surface.")
        changes = CHANGES if before != after else ()
        return SurfaceDiffView(
            monitor_id=monitor_id, before=before, after=after,
            impact=worst(changes) if changes else None, counts=counts(changes), changes=changes,
        )  # fmt: skip

    async def accept(
        self, scope: Scope, monitor_id: str, *, digest: str = "", pin: bool = False, by: str = ""
    ) -> SurfaceView:
        self.calls.append(("accept", {"id": monitor_id, "digest": digest, "pin": pin, "by": by}))
        accepted = place(digest=NEW, baseline=NEW, pinned=pin)
        self.places[monitor_id] = (accepted,)
        return await self.of(scope, monitor_id)

    async def pin(self, scope: Scope, monitor_id: str, *, by: str = "") -> SurfaceView:
        self.calls.append(("pin", {"id": monitor_id, "by": by}))
        return await self._pinned(scope, monitor_id, is_pinned=True)

    async def unpin(self, scope: Scope, monitor_id: str, *, by: str = "") -> SurfaceView:
        self.calls.append(("unpin", {"id": monitor_id, "by": by}))
        return await self._pinned(scope, monitor_id, is_pinned=False)

    async def _pinned(self, scope: Scope, slug: str, *, is_pinned: bool) -> SurfaceView:
        self.places[slug] = tuple(replace(each, pinned=is_pinned) for each in self.places[slug])
        return await self.of(scope, slug)

    async def announce(
        self, _scope: Scope, *, ends_at: datetime, starts_at: datetime | None, **more: object
    ) -> tuple[ReleaseView, ...]:
        if ends_at <= NOW:
            raise InvalidError(
                "This release cannot be announced: ends_at is over already.",
                problems=(("ends_at", "is over already"),),
            )
        self.calls.append(("announce", {"ends_at": ends_at, "starts_at": starts_at, **more}))
        made = _release(
            id="rel_2", starts_at=starts_at or NOW, ends_at=ends_at, note=str(more["note"])
        )
        self.releases.append(made)
        return (made,)

    async def cancel(self, _scope: Scope, release_id: str) -> None:
        self.releases = [each for each in self.releases if each.id != release_id]
