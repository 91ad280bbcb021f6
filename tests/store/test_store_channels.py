import pytest

from lifesign.core.batch import Batch
from lifesign.core.errors import ConflictError, NotFoundError, StaleError
from lifesign.core.messages import AlertEvent, Channel, Route
from lifesign.core.model import Owner, Severity
from lifesign.store import Journal, Store
from store.making import OURS, T0, THEIRS, a_delivery, a_monitor, a_ping, an_alert, at


def _channel(channel_id: str = "c1", **changes) -> Channel:
    given = {"name": "ops", "kind": "webhook", "settings": {"url": "http://a", "secret": "s3"}}
    return Channel(id=channel_id, **{**given, **changes})


def _route(**changes) -> Route:
    given = {
        "name": "all",
        "channels": ("c1", "c2"),
        "min_severity": Severity.LOW,
        "kinds": ("http",),
        "tags": ("prod",),
        "monitors": ("m1",),
        "events": (AlertEvent.FIRED, AlertEvent.RESOLVED),
        "owner": Owner.FILE,
    }
    return Route(id="r1", **{**given, **changes})


async def test_a_channel_lives(store: Store):
    stored = await store.channels.add(OURS, _channel(created_at=T0))

    assert await store.channels.get(OURS, "c1") == stored == _channel(created_at=T0)
    changed = await store.channels.replace(OURS, _channel(enabled=False), expected_version=1)
    assert (changed.version, changed.created_at) == (2, T0)
    with pytest.raises(StaleError):
        await store.channels.replace(OURS, _channel(), expected_version=1)
    with pytest.raises(ConflictError):
        await store.channels.add(OURS, _channel("c2"))
    assert await store.channels.list(OURS) == (changed,) == await store.channels.all_channels()
    assert await store.channels.list(THEIRS) == ()
    for ask in (store.channels.get, store.channels.remove):
        with pytest.raises(NotFoundError):
            await ask(THEIRS, "c1")


async def test_a_removed_channel_is_owed_nothing(store: Store):
    await store.channels.add(OURS, _channel())
    await store.monitors.add(OURS, a_monitor())
    await store.observations.commit(Batch(alerts=(an_alert(),), deliveries=(a_delivery(),)))

    await store.channels.remove(OURS, "c1")

    (log,) = await store.alerts.deliveries(OURS, "a1")
    assert (log.delivery.status, await store.outbox.pending_count()) == ("dropped", 0)


async def test_a_route_lives(store: Store):
    stored = await store.channels.add_route(OURS, _route())

    assert await store.channels.get_route(OURS, "r1") == stored == _route()
    changed = await store.channels.replace_route(OURS, _route(tags=()), expected_version=1)
    assert await store.channels.list_routes(OURS) == (changed,)
    assert await store.channels.all_routes() == (changed,)
    with pytest.raises(StaleError):
        await store.channels.replace_route(OURS, _route(), expected_version=1)
    with pytest.raises(NotFoundError):
        await store.channels.remove_route(THEIRS, "r1")
    await store.channels.remove_route(OURS, "r1")
    assert await store.channels.list_routes(OURS) == ()


async def test_pings_come_back_newest_first_with_bodies(store: Store):
    await store.monitors.add(OURS, a_monitor(kind="heartbeat"))
    first = a_ping("start", run_id="r", body=b"\x00\xff", method="POST", remote="::1")
    second = a_ping("exit", exit_status=3, run_id="r", at=at(seconds=1), user_agent="curl")

    await store.pings.append([first, second])

    assert await store.pings.recent(OURS, "m1", 10) == (second, first)
    assert await store.pings.latest(OURS, ["m1", "m2"]) == {"m1": second}
    assert await store.pings.recent(THEIRS, "m1", 10) == ()
    assert await store.pings.latest(THEIRS, ["m1"]) == {}


async def test_a_body_is_cut_at_its_bound(store: Store):
    await store.monitors.add(OURS, a_monitor(kind="heartbeat"))

    await store.pings.append([a_ping(body=b"x" * 100_001)])

    (stored,) = await store.pings.recent(OURS, "m1")
    assert len(stored.body) == 100_000


async def test_a_journal_holds_what_a_heartbeat_must_remember(store: Store):
    await store.monitors.add(OURS, a_monitor(kind="heartbeat"))
    await store.monitors.add(THEIRS, a_monitor("m2", kind="heartbeat"))
    await store.monitors.add(OURS, a_monitor("m3", kind="http"))
    success = a_ping("exit", exit_status=0, run_id="a", at=at(seconds=2))
    failed = a_ping("fail", run_id="b", at=at(seconds=4))
    open_start = a_ping("start", run_id="c", at=at(seconds=5), body=b"log")
    await store.pings.append(
        [
            a_ping("start", run_id="a", at=at(seconds=1)),
            success,
            a_ping("start", run_id="b", at=at(seconds=3)),
            failed,
            open_start,
            a_ping("log", at=at(seconds=6)),
        ]
    )

    ours, theirs = await store.pings.journals()

    lean = a_ping("start", run_id="c", at=at(seconds=5))
    assert ours == Journal("m1", "default", success, failed, lean, (lean,))
    assert theirs == Journal("m2", "other")
