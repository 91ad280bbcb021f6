"""Published surfaces as people work with them, over a real store."""

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import pytest

from lifesign.bus import Change, Topic
from lifesign.core.batch import Batch, Snapshot
from lifesign.core.drift.hashes import surface_of
from lifesign.core.drift.values import Drift, Impact, SurfaceChange
from lifesign.core.errors import ConflictError, ForbiddenError, InvalidError, NotFoundError
from lifesign.core.model import (
    Failure,
    Monitor,
    Observation,
    Outcome,
    Owner,
    Run,
    State,
    Surface,
)
from lifesign.core.scope import Grant, Scope
from premises import ADMIN, OPERATOR, READER, Premises

SCHEMA = {"type": "object", "properties": {}}


def published(*tools: str) -> Surface:
    listed = [{"name": name, "inputSchema": SCHEMA} for name in tools]
    return surface_of({"tools": listed, "serverInfo": {"name": "shop", "version": "4.0"}})


TWO, ONE = published("search", "fetch"), published("search")


async def add(house: Premises, name: str = "shop", **more: object) -> Monitor:
    draft = {"target": "https://shop.example/mcp", "kind": "mcp", "name": name, **more}
    view = await house.services.monitors.add(ADMIN, draft, owner=Owner.API)
    return await house.store.monitors.get(ADMIN, view.id)


def a_drift(house: Premises, monitor: Monitor, *, current: Surface = ONE, **more: object) -> Drift:
    now = house.clock.now()
    values: dict[str, object] = {
        "monitor_id": monitor.id, "baseline": TWO.digest, "baseline_since": now - timedelta(days=2),
        "current": current.digest, "current_since": now - timedelta(hours=3),
    }  # fmt: skip
    return Drift(**{**values, **more})  # type: ignore[arg-type]


async def keep(house: Premises, *drifts: Drift, lines: Sequence[SurfaceChange] = ()) -> None:
    """Store what is remembered, and a look at every place just now."""
    now = house.clock.now()
    for number, drift in enumerate(drifts):
        await look(house, drift.monitor_id, drift.current, ago_s=number / 1000)
    snapshots = [
        Snapshot(digest=each.digest, document=each.document or b"", at=now) for each in (ONE, TWO)
    ]
    await house.store.observations.commit(
        Batch(snapshots=tuple(snapshots), drifts=drifts, surface_changes=tuple(lines))
    )


async def look(
    house: Premises, monitor_id: str, digest: str | None, *, ago_s: float = 0.0, **facts: object
) -> None:
    """Store a run that saw a surface, or failed to see any."""
    at = house.clock.now() - timedelta(seconds=ago_s)
    seen = {**facts, "surface.digest": digest} if digest else facts
    failure = None if digest else Failure("tcp", "refused", "Nothing listens.")
    run = Run(
        monitor_id=monitor_id, slot=at, observation=Observation(facts=seen, failure=failure),
        outcome=Outcome(State.DOWN if failure else State.UP, failure), started_at=at, duration_ms=1.0,
    )  # fmt: skip
    await house.store.observations.commit(Batch(runs=(run,)))


def a_line(house: Premises, monitor: Monitor, **more: object) -> SurfaceChange:
    values: dict[str, object] = {
        "id": "chg_1", "monitor_id": monitor.id, "at": house.clock.now() - timedelta(hours=3),
        "before": TWO.digest, "after": ONE.digest, "impact": Impact.BREAKING,
    }  # fmt: skip
    return SurfaceChange(**{**values, **more})  # type: ignore[arg-type]


async def drifted(house: Premises) -> Monitor:
    monitor = await add(house)
    await keep(house, a_drift(house, monitor), lines=[a_line(house, monitor)])
    return monitor


async def test_a_surface_says_what_is_published_and_what_changed(house: Premises) -> None:
    monitor = await drifted(house)
    view = await house.services.surfaces.of(READER, monitor.slug)
    (place,) = view.places

    assert (view.drifted, view.pinned, view.unstable) == (True, False, False)
    assert view.unchanged_s == 3 * 3600
    assert (place.tool_count, place.tools, place.server) == (1, ("search",), "shop 4.0")
    assert place.impact is Impact.BREAKING
    assert [change.code for change in place.differences] == ["tool_removed"]


async def test_a_surface_that_is_seen_no_more_is_spoken_of_in_the_past(house: Premises) -> None:
    monitor = await drifted(house)
    fresh = await house.services.surfaces.of(READER, monitor.id)
    seen_at = house.clock.now()
    house.clock.advance(9 * 60)
    for number in range(12):
        await look(house, monitor.id, None, ago_s=number)
    (place,) = (later := await house.services.surfaces.of(READER, monitor.id)).places

    assert (fresh.stale, fresh.seen_at) == (False, seen_at)
    assert (later.stale, later.seen_at, place.stale, place.seen_at) == (
        True,
        seen_at,
        True,
        seen_at,
    )
    assert later.unchanged_s == 3 * 3600


async def test_the_version_of_the_newest_look_is_shown_though_the_surface_is_the_same(
    house: Premises,
) -> None:
    monitor = await drifted(house)
    house.clock.advance(60)
    said = {"server.name": "shop", "server.version": "4.1"}
    await look(house, monitor.id, ONE.digest, **said)
    (place,) = (await house.services.surfaces.of(READER, monitor.id)).places

    assert place.server == "shop 4.1"


async def test_before_the_first_look_there_is_nothing_to_see_and_to_accept(house: Premises) -> None:
    monitor = await add(house)
    view = await house.services.surfaces.of(READER, monitor.id)

    assert (view.places, view.unchanged_s) == ((), None)
    for decide in (house.services.surfaces.accept, house.services.surfaces.pin):
        with pytest.raises(ConflictError, match="no surface yet"):
            await decide(OPERATOR, monitor.id)


async def test_accepting_moves_the_baseline_and_tells_the_engine(house: Premises) -> None:
    monitor = await drifted(house)
    with house.bus.follow(Topic.CHANGES) as changes:
        view = await house.services.surfaces.accept(OPERATOR, monitor.id, by="Olga")
        house.bus.close()
        heard = [news async for news in changes]
    (line,) = (await house.services.surfaces.timeline(READER, monitor.id)).items
    event = (await house.events())[-1]

    assert heard == [Change("surface", monitor.id, monitor.tenant)]
    assert view.places[0].baseline == ONE.digest
    assert not view.drifted
    assert (line.accepted_by, line.accepted_at) == ("Olga", house.clock.now())
    assert (event.type, event.monitor_id, event.data["by"]) == (
        "monitor.drift_accepted", monitor.id, OPERATOR.actor,
    )  # fmt: skip


async def test_accepting_twice_changes_and_tells_nothing(house: Premises) -> None:
    monitor = await drifted(house)
    first = await house.services.surfaces.accept(OPERATOR, monitor.id)
    told = len(await house.events())
    again = await house.services.surfaces.accept(OPERATOR, monitor.id)

    assert again == first
    assert len(await house.events()) == told


async def test_a_surface_that_was_never_published_cannot_be_accepted(house: Premises) -> None:
    monitor = await drifted(house)
    with pytest.raises(InvalidError, match="never published") as refusal:
        await house.services.surfaces.accept(OPERATOR, monitor.id, digest="v1:made-up")

    assert refusal.value.problems[0][0] == "digest"


async def test_a_digest_is_accepted_only_where_it_was_seen(house: Premises) -> None:
    monitor = await add(house)
    mine = a_drift(house, monitor)
    theirs = a_drift(house, monitor, audience="cred", current=TWO)
    await keep(house, mine, theirs)
    view = await house.services.surfaces.accept(OPERATOR, monitor.id, digest=ONE.digest)

    assert {place.audience: place.baseline for place in view.places} == {
        "": ONE.digest,
        "cred": TWO.digest,
    }


async def test_a_pin_is_set_stays_when_something_is_accepted_and_is_taken_out(
    house: Premises,
) -> None:
    monitor = await drifted(house)
    pinned = await house.services.surfaces.pin(OPERATOR, monitor.id)
    accepted = await house.services.surfaces.accept(OPERATOR, monitor.id)
    free = await house.services.surfaces.unpin(OPERATOR, monitor.id)
    types = [event.type for event in await house.events()][-3:]

    assert (pinned.pinned, pinned.drifted) == (True, True)
    assert (accepted.pinned, accepted.drifted) == (True, False)
    assert not free.pinned
    assert types == [
        "monitor.baseline_pinned",
        "monitor.drift_accepted",
        "monitor.baseline_unpinned",
    ]


async def test_what_the_engine_writes_meanwhile_is_decided_about_anew(house: Premises) -> None:
    monitor = await drifted(house)
    rebase, tries = house.store.surfaces.rebase, []

    async def overtaken(scope: Scope, moves: Sequence[tuple[Drift, Drift]], **more: object) -> None:
        tries.append(moves)
        if len(tries) == 1:
            ((before, _),) = moves
            await keep(house, replace(before, current=TWO.digest))
        await rebase(scope, moves, **more)  # type: ignore[arg-type]

    house.store.surfaces.rebase = overtaken  # type: ignore[method-assign]
    view = await house.services.surfaces.accept(OPERATOR, monitor.id, digest=ONE.digest, pin=True)

    assert len(tries) == 2
    assert view.places[0].baseline == ONE.digest
    assert view.places[0].digest == TWO.digest


async def test_readers_may_look_and_not_decide(house: Premises) -> None:
    monitor = await drifted(house)
    surfaces = house.services.surfaces
    await surfaces.releases(READER)
    for refused in (
        surfaces.accept(READER, monitor.id), surfaces.pin(READER, monitor.id),
        surfaces.unpin(READER, monitor.id), surfaces.cancel(READER, "rel_1"),
        surfaces.announce(READER, monitor_id=monitor.id, ends_at=house.clock.now()),
    ):  # fmt: skip
        with pytest.raises(ForbiddenError):
            await refused


async def test_another_tenant_finds_nothing(house: Premises) -> None:
    monitor = await drifted(house)
    stranger = Scope(actor="eve", grant=Grant.ADMIN, tenant="other")
    for refused in (
        house.services.surfaces.of(stranger, monitor.id),
        house.services.surfaces.document(stranger, monitor.id, ONE.digest),
        house.services.surfaces.accept(stranger, monitor.id),
    ):
        with pytest.raises(NotFoundError):
            await refused
    assert await house.services.surfaces.figures(stranger) == ()


async def test_documents_and_differences_are_those_of_the_monitor(house: Premises) -> None:
    monitor, other = await drifted(house), await add(house, "other")
    surfaces = house.services.surfaces
    document = json.loads(await surfaces.document(READER, monitor.id, ONE.digest))
    diff = await surfaces.compare(READER, monitor.id, ONE.digest, TWO.digest)
    same = await surfaces.compare(READER, monitor.id, ONE.digest, ONE.digest)

    assert [tool["name"] for tool in document["tools"]] == ["search"]
    assert (diff.impact, diff.counts) == (Impact.ADDITIVE, {"additive": 1})
    assert (same.impact, same.changes) == (None, ())
    with pytest.raises(NotFoundError):
        await surfaces.document(READER, other.id, ONE.digest)
    with pytest.raises(NotFoundError):
        await surfaces.compare(READER, monitor.id, ONE.digest, "v1:made-up")


async def test_a_release_is_announced_shown_and_taken_back(house: Premises) -> None:
    monitor = await drifted(house)
    ends_at = house.clock.now() + timedelta(hours=2)
    with house.bus.follow(Topic.CHANGES) as changes:
        (release,) = await house.services.surfaces.announce(
            OPERATOR, monitor_id=monitor.slug, ends_at=ends_at, note="4.1"
        )
        await house.services.surfaces.cancel(OPERATOR, release.id)
        house.bus.close()
        heard = [news async for news in changes]

    assert (release.status, release.by, release.monitor_name) == ("open", OPERATOR.actor, "shop")
    assert heard == [Change("surface", monitor.id, monitor.tenant)] * 2
    assert await house.services.surfaces.releases(READER) == ()
    types = [event.type for event in await house.events()][-2:]
    assert types == ["release.announced", "release.cancelled"]


async def test_a_release_of_a_tag_is_one_of_each_monitor(house: Premises) -> None:
    for name in ("a", "b", "c"):
        await add(house, name, tags=["shop"] if name != "c" else [])
    ends_at = house.clock.now() + timedelta(hours=2)
    await house.services.surfaces.announce(OPERATOR, tag="shop", ends_at=ends_at)
    found = await house.services.surfaces.releases(READER)

    assert sorted(release.monitor_name for release in found) == ["a", "b"]


@pytest.mark.parametrize(
    ("window", "field"),
    [
        ({"ends": -1.0, "starts": -2.0}, "ends_at"),
        ({"ends": 1.0, "starts": 2.0}, "ends_at"),
        ({"ends": 24.0 * 31}, "ends_at"),
        ({"ends": 24.0 * 400, "starts": 24.0 * 399}, "ends_at"),
        ({"ends": 1.0, "note": "x" * 201}, "note"),
        ({"ends": 1.0, "monitor_id": ""}, "monitor"),
        ({"ends": 1.0, "monitor_id": "", "tag": "nobody"}, "tag"),
    ],
)
async def test_a_release_that_makes_no_sense_is_refused(
    house: Premises, window: dict[str, object], field: str
) -> None:
    monitor = await drifted(house)
    now, given = house.clock.now(), {"monitor_id": monitor.id, **window}
    ends, starts = given.pop("ends"), given.pop("starts", None)
    assert isinstance(ends, float)
    starts_at = now + timedelta(hours=starts) if isinstance(starts, float) else None

    with pytest.raises(InvalidError) as refusal:
        await house.services.surfaces.announce(
            OPERATOR,
            ends_at=now + timedelta(hours=ends),
            starts_at=starts_at,
            **given,  # type: ignore[arg-type]
        )
    assert [problem[0] for problem in refusal.value.problems] == [field]
