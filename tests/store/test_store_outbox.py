import asyncio

import pytest

from lifesign.core.batch import Batch
from lifesign.store import DeliveryLog, Store, open_store
from store.making import OURS, T0, THEIRS, a_delivery, an_alert, an_attempt, at


async def _owe(store: Store, *deliveries) -> None:
    await store.observations.commit(Batch(alerts=(an_alert(),), deliveries=deliveries))


@pytest.mark.usefixtures("monitor")
async def test_a_claim_takes_what_is_due_longest_waiting_first(store: Store):
    late, soon = a_delivery("d2", due_at=at(seconds=-5)), a_delivery("d3", due_at=at(seconds=5))
    await _owe(store, a_delivery(), late, soon)

    claimed = await store.outbox.claim(T0, limit=10, lease_s=60)

    assert claimed == [late, a_delivery()]
    assert await store.outbox.claim(T0, limit=10, lease_s=60) == []
    assert await store.outbox.next_due() == at(seconds=5)
    assert await store.outbox.oldest_due() == at(seconds=-5)
    assert await store.outbox.pending_count() == 3


@pytest.mark.usefixtures("monitor")
async def test_a_claim_that_ran_out_can_be_taken_again(store: Store):
    await _owe(store, a_delivery())
    await store.outbox.claim(T0, limit=1, lease_s=60)

    assert await store.outbox.claim(at(seconds=59), limit=1, lease_s=60) == []
    assert await store.outbox.next_due() == at(seconds=60)
    assert await store.outbox.claim(at(seconds=60), limit=1, lease_s=60) == [a_delivery()]


async def test_two_processes_never_claim_the_same_delivery(url: str):
    async with open_store(url) as one, open_store(url) as two:
        await _owe(one, *(a_delivery(f"d{n:02}") for n in range(40)))

        claims = [
            store.outbox.claim(T0, limit=7, lease_s=60) for _ in range(5) for store in (one, two)
        ]
        taken = [delivery.id for claimed in await asyncio.gather(*claims) for delivery in claimed]

    assert sorted(taken) == sorted(set(taken))
    assert len(taken) == 40


@pytest.mark.usefixtures("monitor")
async def test_a_try_that_failed_is_pending_again_later(store: Store):
    await _owe(store, a_delivery())
    (claimed,) = await store.outbox.claim(T0, limit=1, lease_s=60)
    failed = an_attempt(delivered=False, detail="503")

    assert await store.outbox.settle(claimed, failed, status="pending", due_at=at(seconds=30))

    assert await store.outbox.claim(at(seconds=29), limit=1, lease_s=60) == []
    (again,) = await store.outbox.claim(at(seconds=30), limit=1, lease_s=60)
    assert (again.attempts, again.last_detail) == (1, "503")


@pytest.mark.usefixtures("monitor")
async def test_what_is_settled_stays_settled_and_every_try_is_logged(store: Store):
    await _owe(store, a_delivery())
    (claimed,) = await store.outbox.claim(T0, limit=1, lease_s=60)
    second = an_attempt(number=2, delivered=False, detail="late")

    assert await store.outbox.settle(claimed, an_attempt(), status="delivered", due_at=T0)
    assert not await store.outbox.settle(claimed, second, status="failed", due_at=T0)

    (log,) = await store.alerts.deliveries(OURS, "a1")
    assert log == DeliveryLog(
        a_delivery(status="delivered", attempts=1, last_detail="200 OK"), (an_attempt(), second)
    )
    assert await store.alerts.deliveries(THEIRS, "a1") == ()
    assert await store.outbox.next_due() is None


@pytest.mark.usefixtures("monitor")
async def test_dropped_deliveries_are_not_sent(store: Store):
    await _owe(store, a_delivery(), a_delivery("d2"))

    assert await store.outbox.drop(["d1", "dx"], "The alert resolved first.") == 1

    assert [d.id for d in await store.outbox.claim(T0, limit=9, lease_s=1)] == ["d2"]


@pytest.mark.usefixtures("monitor")
async def test_what_a_channel_is_owed_of_one_alert_goes_out_in_order(store: Store):
    fired, resolved = a_delivery("d1"), a_delivery("d2", created_at=at(seconds=1))
    elsewhere = a_delivery("d3", created_at=at(seconds=1), channel_id="c2")
    await _owe(store, resolved, fired, elsewhere)

    first = await store.outbox.claim(at(seconds=9), limit=10, lease_s=60)
    assert [one.id for one in first] == ["d1", "d3"]
    assert await store.outbox.claim(at(seconds=9), limit=10, lease_s=60) == []

    await store.outbox.settle(fired, an_attempt(), status="delivered", due_at=T0)
    (last,) = await store.outbox.claim(at(seconds=9), limit=10, lease_s=60)
    assert last.id == "d2"


async def test_no_channel_takes_all_the_places(store: Store):
    many = [a_delivery(f"d{n:02}", alert_id=f"a{n}") for n in range(20)]
    other = a_delivery("e1", channel_id="c2", due_at=at(seconds=1))
    await _owe(store, *many, other)

    taken = await store.outbox.claim(at(seconds=9), limit=10, lease_s=60, per_channel=3)
    assert [one.id for one in taken] == ["d00", "d01", "d02", "e1"]
    rest = await store.outbox.claim(at(seconds=9), limit=10, lease_s=60, full=["c1"])
    assert rest == []
