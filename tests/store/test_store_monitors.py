import pytest

from lifesign.core.batch import Batch
from lifesign.core.errors import ConflictError, InvalidError, NotFoundError, StaleError
from lifesign.core.model import Monitor, Owner, Policy, Severity, State
from lifesign.store import MonitorQuery, Store
from store.making import OURS, T0, THEIRS, a_monitor, a_ping, a_run, a_state, an_alert, at


async def test_a_monitor_comes_back_whole(store: Store):
    given = a_monitor(
        settings={"url": "https://ü.example", "headers": {"a": "b"}},
        conditions=("status == 200",),
        policy=Policy(confirmations=5, degraded_ms=250.5),
        severity=Severity.LOW,
        group="shop",
        tags=("prod", "eu"),
        regions=("fra", "nyc"),
        owner=Owner.FILE,
        created_at=T0,
        updated_at=at(microseconds=1),
    )

    stored = await store.monitors.add(OURS, given)

    assert stored.slug == "monitor-m1"
    assert await store.monitors.get(OURS, "m1") == stored
    assert await store.monitors.get(OURS, "monitor-m1") == stored


async def test_a_slug_is_made_unique_and_a_given_one_is_refused_when_taken(store: Store):
    first = await store.monitors.add(OURS, a_monitor("m1", name="Web Shop"))
    second = await store.monitors.add(OURS, a_monitor("m2", name="web shop!"))
    elsewhere = await store.monitors.add(THEIRS, a_monitor("m3", name="Web Shop"))

    assert [first.slug, second.slug, elsewhere.slug] == ["web-shop", "web-shop-2", "web-shop"]
    with pytest.raises(ConflictError):
        await store.monitors.add(OURS, a_monitor("m4", slug="web-shop"))


async def test_replace_counts_versions_and_refuses_a_stale_one(store: Store, monitor: Monitor):
    changed = await store.monitors.replace(OURS, a_monitor(name="New"), expected_version=1)

    assert (changed.version, changed.slug) == (2, monitor.slug)
    with pytest.raises(StaleError):
        await store.monitors.replace(OURS, a_monitor(name="Newer"), expected_version=1)
    assert (await store.monitors.get(OURS, "m1")).name == "New"
    assert (await store.monitors.replace(OURS, a_monitor(), expected_version=None)).version == 3


@pytest.mark.usefixtures("monitor")
async def test_replace_refuses_the_slug_of_another(store: Store):
    await store.monitors.add(OURS, a_monitor("m2", slug="taken"))

    with pytest.raises(ConflictError):
        await store.monitors.replace(OURS, a_monitor(slug="taken"), expected_version=None)
    with pytest.raises(NotFoundError):
        await store.monitors.replace(OURS, a_monitor("m9"), expected_version=None)


@pytest.mark.usefixtures("monitor")
async def test_a_removed_monitor_takes_its_data_along(store: Store):
    batch = Batch(runs=(a_run(),), states=(a_state(),), alerts=(an_alert(),), pings=(a_ping(),))
    await store.observations.commit(batch)

    await store.monitors.remove(OURS, "m1")
    await store.observations.commit(batch)

    assert (await store.observations.runs(OURS, "m1")).items == ()
    assert await store.monitors.all_states() == ()
    assert await store.alerts.open_alerts() == []
    assert await store.pings.recent(OURS, "m1") == ()
    with pytest.raises(NotFoundError):
        await store.monitors.remove(OURS, "m1")


async def _in_states(store: Store) -> None:
    names = {"m1": "bravo", "m2": "Alpha", "m3": "charlie", "m4": "delta", "m5": "echo"}
    for monitor_id, name in names.items():
        paused = monitor_id == "m5"
        await store.monitors.add(OURS, a_monitor(monitor_id, name=name, paused=paused))
    states = {"m1": State.UP, "m2": State.UP, "m3": State.DOWN, "m5": State.DOWN}
    await store.observations.commit(
        Batch(states=tuple(a_state(state, monitor_id=m) for m, state in states.items()))
    )


async def test_the_worst_come_first_then_by_name(store: Store):
    await _in_states(store)

    page = await store.monitors.list(OURS, MonitorQuery())

    assert [row.monitor.name for row in page.items] == [
        "charlie",
        "delta",
        "Alpha",
        "bravo",
        "echo",
    ]
    assert await store.monitors.counts(OURS) == {
        State.UP: 2,
        State.DEGRADED: 0,
        State.DOWN: 1,
        State.UNKNOWN: 1,
        State.MAINTENANCE: 0,
        State.PAUSED: 1,
    }
    assert await store.monitors.counts_by_kind(OURS) == {"http": 5}


@pytest.mark.parametrize("sort", ["worst", "name", "kind"])
async def test_pages_join_without_gap_or_overlap(store: Store, sort):
    await _in_states(store)
    whole = await store.monitors.list(OURS, MonitorQuery(sort=sort))

    seen, cursor = [], None
    while True:
        page = await store.monitors.list(OURS, MonitorQuery(sort=sort, limit=2, cursor=cursor))
        seen += [row.monitor.id for row in page.items]
        cursor = page.next_cursor
        if cursor is None:
            break

    assert [row.monitor.id for row in whole.items] == seen


async def test_a_row_that_comes_between_two_pages_shifts_nothing(store: Store):
    for name in "bdfh":
        await store.monitors.add(OURS, a_monitor(name, name=name))
    first = await store.monitors.list(OURS, MonitorQuery(sort="name", limit=2))
    await store.monitors.add(OURS, a_monitor("a", name="a"))
    await store.monitors.remove(OURS, "d")

    second = await store.monitors.list(
        OURS, MonitorQuery(sort="name", limit=2, cursor=first.next_cursor)
    )

    assert [row.monitor.id for row in second.items] == ["f", "h"]


@pytest.mark.parametrize("cursor", ["", "nonsense", "W10", "WyJuYW1lIiwiYSIsImIiXQ"])
async def test_a_foreign_cursor_is_refused(store: Store, cursor: str):
    with pytest.raises(InvalidError):
        await store.monitors.list(OURS, MonitorQuery(sort="worst", cursor=cursor))


@pytest.mark.parametrize(
    ("query", "found"),
    [
        (MonitorQuery(tag="prod"), {"m1"}),
        (MonitorQuery(tag="pro"), set()),
        (MonitorQuery(tag="PROD"), set()),
        (MonitorQuery(tag='say "hi"'), {"m2"}),
        (MonitorQuery(group="shop"), {"m2"}),
        (MonitorQuery(text="ÜBER"), {"m1"}),
        (MonitorQuery(text="100%"), {"m2"}),
        (MonitorQuery(text="1%0"), set()),
        (MonitorQuery(kind="tcp"), {"m2"}),
        (MonitorQuery(owner=Owner.FILE), {"m2"}),
        (MonitorQuery(states=(State.DOWN, State.UP)), {"m1"}),
        (MonitorQuery(states=(State.UNKNOWN,)), {"m2"}),
    ],
)
async def test_filters(store: Store, query: MonitorQuery, found: set[str]):
    await store.monitors.add(OURS, a_monitor("m1", name="über web", tags=("prod", "eu")))
    second = a_monitor(
        "m2", name="100% up", kind="tcp", group="shop", tags=('say "hi"',), owner=Owner.FILE
    )
    await store.monitors.add(OURS, second)
    await store.observations.commit(Batch(states=(a_state(State.DOWN),)))

    page = await store.monitors.list(OURS, query)

    assert {row.monitor.id for row in page.items} == found


@pytest.mark.usefixtures("monitor")
async def test_a_row_shows_state_and_newest_run(store: Store):
    runs = (a_run(at(minutes=1)), a_run(at(minutes=2), State.DOWN), a_run(T0))
    await store.observations.commit(Batch(runs=runs, states=(a_state(State.DOWN),)))

    (row,) = (await store.monitors.list(OURS, MonitorQuery())).items

    assert row.state == a_state(State.DOWN)
    assert row.last is not None
    assert (row.last.slot, row.last.state) == (at(minutes=2), State.DOWN)


@pytest.mark.usefixtures("monitor")
async def test_tenants_do_not_see_each_other(store: Store):
    await store.observations.commit(Batch(runs=(a_run(),), alerts=(an_alert(),)))

    with pytest.raises(NotFoundError):
        await store.monitors.get(THEIRS, "m1")
    with pytest.raises(NotFoundError):
        await store.monitors.remove(THEIRS, "m1")
    with pytest.raises(NotFoundError):
        await store.monitors.replace(THEIRS, a_monitor(), expected_version=None)
    with pytest.raises(NotFoundError):
        await store.alerts.get(THEIRS, "a1")
    assert (await store.monitors.list(THEIRS, MonitorQuery())).items == ()
    assert (await store.observations.runs(THEIRS, "m1")).items == ()
    assert await store.observations.last_runs(THEIRS, ["m1"]) == {}
    assert sum((await store.monitors.counts(THEIRS)).values()) == 0
    assert [monitor.id for monitor in await store.monitors.all_active()] == ["m1"]
