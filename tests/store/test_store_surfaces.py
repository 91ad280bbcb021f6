"""Surfaces in storage: documents once, timelines by page, and what people decided over what the engine writes."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from lifesign.core.batch import Batch, Settlement, Snapshot
from lifesign.core.drift.values import Change, Drift, Impact, Release, SurfaceChange
from lifesign.core.errors import InvalidError, NotFoundError, StaleError
from lifesign.core.model import Monitor
from lifesign.store import Retention, Store
from store.making import OURS, T0, THEIRS, a_monitor, at

REMOVED = Change(
    "tool_removed", Impact.BREAKING, "tool search", "", '{"name":"search"}', "", "search is gone."
)


def a_snapshot(digest: str = "v1:a", **changes: Any) -> Snapshot:
    given: dict[str, Any] = {"document": b'{"tools":[]}' * 100, "at": T0}
    return Snapshot(digest=digest, **{**given, **changes})


def a_drift(**changes: Any) -> Drift:
    given: dict[str, Any] = {
        "monitor_id": "m1", "baseline": "v1:a", "baseline_since": T0, "current": "v1:b",
        "current_since": at(hours=1), "recent": ("v1:a", "v1:b"), "steady": 2,
    }  # fmt: skip
    return Drift(**{**given, **changes})


def a_change(id: str = "chg_1", **changes: Any) -> SurfaceChange:
    given: dict[str, Any] = {
        "monitor_id": "m1", "at": at(hours=1), "before": "v1:a", "after": "v1:b",
        "impact": Impact.BREAKING, "changes": (REMOVED,),
    }  # fmt: skip
    return SurfaceChange(id=id, **{**given, **changes})


async def commit(store: Store, **parts: Any) -> None:
    await store.observations.commit(Batch(**parts))


async def test_all_of_it_comes_back_as_it_was(store: Store, monitor: Monitor):
    drift, change = a_drift(), a_change(accepted_at=at(hours=2), accepted_by="ada")
    await commit(store, snapshots=(a_snapshot(),), drifts=(drift,), surface_changes=(change,))

    assert await store.surfaces.drifts(OURS, monitor.id) == (drift,)
    assert await store.surfaces.all_drifts() == (drift,)
    assert await store.surfaces.tenant_drifts(OURS) == (drift,)
    assert (await store.surfaces.changes(OURS, monitor.id)).items == (change,)
    assert await store.surfaces.documents(OURS, ["v1:a", "v1:b"]) == {"v1:a": a_snapshot().document}


async def test_other_tenants_see_none_of_it(store: Store, monitor: Monitor):
    await commit(
        store, snapshots=(a_snapshot(),), drifts=(a_drift(),), surface_changes=(a_change(),)
    )

    assert await store.surfaces.drifts(THEIRS, monitor.id) == ()
    assert await store.surfaces.tenant_drifts(THEIRS) == ()
    assert (await store.surfaces.changes(THEIRS, monitor.id)).items == ()
    assert await store.surfaces.documents(THEIRS, ["v1:a"]) == {}
    assert not await store.surfaces.shown_in(THEIRS, monitor.id, "v1:a")


async def test_a_document_is_kept_once_and_stays_as_it_was(store: Store):
    await commit(store, snapshots=(a_snapshot(), a_snapshot()))
    await commit(store, snapshots=(a_snapshot(document=b"{}", at=at(days=1)),))

    assert await store.surfaces.documents(OURS, ["v1:a"]) == {"v1:a": a_snapshot().document}


@pytest.mark.usefixtures("monitor")
async def test_an_engine_that_has_not_heard_of_a_pin_does_not_undo_it(store: Store):
    before = a_drift()
    await commit(store, drifts=(before,))
    pinned = replace(before, baseline="v1:b", baseline_since=at(hours=2), pinned=True)
    await store.surfaces.rebase(OURS, [(before, pinned)], at=at(hours=2), by="ada")
    late = replace(before, baseline="v1:c", baseline_since=at(hours=3), current="v1:c", steady=3)
    await commit(store, drifts=(late,))

    assert await store.surfaces.drifts(OURS, "m1") == (replace(pinned, current="v1:c", steady=3),)


@pytest.mark.usefixtures("monitor")
async def test_of_two_acceptances_the_later_one_stays(store: Store):
    before = a_drift()
    await commit(store, drifts=(before,))
    accepted = replace(before, baseline="v1:b", baseline_since=at(hours=2))
    await store.surfaces.rebase(OURS, [(before, accepted)], at=at(hours=2), by="ada")
    await commit(store, drifts=(replace(before, steady=9),))
    (kept,) = await store.surfaces.drifts(OURS, "m1")
    newer = replace(accepted, baseline="v1:c", baseline_since=at(hours=3))
    await commit(store, drifts=(newer,))

    assert kept == replace(accepted, steady=9)
    assert await store.surfaces.drifts(OURS, "m1") == (newer,)


@pytest.mark.usefixtures("monitor")
async def test_a_decision_about_what_is_no_longer_published_is_refused_whole(store: Store):
    ours, other = a_drift(), a_drift(region="rome")
    await commit(store, drifts=(ours, replace(other, current="v1:z")))
    moves = [(each, replace(each, baseline="v1:b", pinned=True)) for each in (ours, other)]

    with pytest.raises(StaleError):
        await store.surfaces.rebase(OURS, moves, at=T0, by="ada")
    assert await store.surfaces.drifts(OURS, "m1") == (ours, replace(other, current="v1:z"))


@pytest.mark.usefixtures("monitor")
async def test_accepting_settles_the_lines_up_to_what_was_accepted(store: Store):
    lines = (
        a_change("chg_1"),
        a_change("chg_2", before="v1:b", after="v1:c", at=at(hours=2)),
        a_change("chg_3", before="v1:c", after="v1:d", at=at(hours=3)),
    )
    seen = a_drift(current="v1:d")
    await commit(store, drifts=(seen,), surface_changes=lines)
    wanted = replace(seen, baseline="v1:c", baseline_since=at(hours=4))
    await store.surfaces.rebase(OURS, [(seen, wanted)], at=at(hours=4), by="ada")
    found = (await store.surfaces.changes(OURS, "m1")).items

    assert [each.accepted_by for each in found] == ["", "ada", "ada"]
    assert found[1].accepted_at == at(hours=4)


@pytest.mark.usefixtures("monitor")
async def test_a_settlement_settles_one_surface_and_what_was_settled_stays(store: Store):
    lines = (
        a_change("chg_1", accepted_by="ada", accepted_at=T0),
        a_change("chg_2"),
        a_change("chg_3", region="rome"),
    )
    settled = Settlement(monitor_id="m1", at=at(hours=1), by="auto")
    await commit(store, surface_changes=lines, settlements=(settled,))
    found = {each.id: each.accepted_by for each in (await store.surfaces.changes(OURS, "m1")).items}

    assert found == {"chg_1": "ada", "chg_2": "auto", "chg_3": ""}


@pytest.mark.usefixtures("monitor")
async def test_the_timeline_comes_in_pages_newest_first(store: Store):
    lines = tuple(a_change(f"chg_{n}", at=at(hours=n // 2)) for n in range(5))
    await commit(store, surface_changes=lines)
    first = await store.surfaces.changes(OURS, "m1", limit=3)
    rest = await store.surfaces.changes(OURS, "m1", limit=3, cursor=first.next_cursor)

    assert [each.id for each in first.items + rest.items] == [f"chg_{n}" for n in (4, 3, 2, 1, 0)]
    assert rest.next_cursor is None
    with pytest.raises(InvalidError):
        await store.surfaces.changes(OURS, "m1", cursor="nonsense")


@pytest.mark.usefixtures("monitor")
async def test_releases_are_announced_listed_and_taken_back(store: Store):
    release = Release(
        id="rel_1", monitor_id="m1", starts_at=T0, ends_at=at(hours=2), note="4.1", by="ada"
    )
    over = replace(release, id="rel_0", ends_at=at(hours=1))
    await store.surfaces.announce(OURS, [release, over])

    assert set(await store.surfaces.releases(OURS, "m1")) == {release, over}
    assert await store.surfaces.releases(OURS, "m2") == ()
    assert await store.surfaces.releases(THEIRS) == ()
    assert await store.surfaces.all_releases(at(hours=1.5)) == (release,)
    with pytest.raises(NotFoundError):
        await store.surfaces.cancel(THEIRS, "rel_1")
    assert await store.surfaces.cancel(OURS, "rel_1") == release
    assert await store.surfaces.releases(OURS) == (over,)


async def test_a_removed_monitor_leaves_nothing_and_gets_nothing(store: Store, monitor: Monitor):
    release = Release(id="rel_1", monitor_id="m1", starts_at=T0, ends_at=at(hours=1))
    await store.surfaces.announce(OURS, [release])
    parts = {"drifts": (a_drift(),), "surface_changes": (a_change(),)}
    await commit(store, **parts)
    await store.monitors.remove(OURS, monitor.id)
    await commit(store, **parts)

    assert await store.surfaces.all_drifts() == ()
    assert (await store.surfaces.changes(OURS, "m1")).items == ()
    assert await store.surfaces.releases(OURS) == ()


async def test_a_monitor_has_shown_what_it_published_where_it_did(store: Store, monitor: Monitor):
    await store.monitors.add(OURS, a_monitor("m2"))
    drifts = (a_drift(), a_drift(region="rome", baseline="v1:b"))
    await commit(store, drifts=drifts, surface_changes=(a_change(before="v1:old"),))

    async def places(digest: str, monitor_id: str = monitor.id) -> set[str]:
        found = await store.surfaces.shown_in(OURS, monitor_id, digest)
        return {region for region, _ in found}

    assert [await places(each) for each in ("v1:a", "v1:b", "v1:old", "v1:z")] == [
        {"local"},
        {"local", "rome"},
        {"local"},
        set(),
    ]
    assert await places("v1:a", "m2") == set()


@pytest.mark.usefixtures("monitor")
async def test_old_documents_go_when_nothing_refers_to_them(store: Store):
    digests = ("v1:a", "v1:b", "v1:line", "v1:nobody", "v1:young")
    snapshots = [a_snapshot(each) for each in digests[:-1]]
    lines = (
        a_change("chg_old", before="v1:a", after="v1:nobody"),
        a_change("chg_new", at=at(days=9), before="v1:a", after="v1:line"),
    )
    young = a_snapshot("v1:young", at=at(days=9))
    await commit(store, snapshots=(*snapshots, young), drifts=(a_drift(),), surface_changes=lines)
    await store.observations.prune(at(days=10), Retention(surfaces=timedelta(days=5)))

    assert set(await store.surfaces.documents(OURS, digests)) == set(digests) - {"v1:nobody"}
    assert [each.id for each in (await store.surfaces.changes(OURS, "m1")).items] == ["chg_new"]
