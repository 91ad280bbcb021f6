import asyncio

import pytest

from lifesign.bus import Topic
from lifesign.core.batch import Batch, Event
from lifesign.core.errors import BusyError
from lifesign.service import live
from premises import ADMIN, READER, Premises, open_premises


async def happen(house: Premises, count: int) -> None:
    now = house.clock.now()
    events = tuple(Event(type="monitor.state", at=now, data={"n": n}) for n in range(count))
    for event in await house.store.observations.commit(Batch(events=events)):
        await house.bus.publish(Topic.EVENTS, event)


async def test_replay_comes_first_then_what_is_live_and_nothing_twice(house: Premises) -> None:
    await happen(house, 3)
    followed = house.services.live.follow(READER, 1)
    seen = [(await anext(followed)).id, (await anext(followed)).id]
    await happen(house, 1)
    seen.append((await anext(followed)).id)

    assert seen == [2, 3, 4]


async def test_runs_are_live_only_and_other_tenants_are_never_heard(house: Premises) -> None:
    now = house.clock.now()
    followed = house.services.live.follow(READER, 0)
    await happen(house, 1)
    assert (await anext(followed)).id == 1
    await house.bus.publish(Topic.EVENTS, Event(type="monitor.run", at=now, tenant="other"))
    await house.bus.publish(Topic.EVENTS, Event(type="monitor.run", at=now, monitor_id="mine"))

    assert (await anext(followed)).monitor_id == "mine"


@pytest.mark.parametrize("after_id", [99, 10_000_000])
async def test_id_from_the_future_asks_for_a_resync(house: Premises, after_id: int) -> None:
    await happen(house, 2)
    event = await anext(house.services.live.follow(READER, after_id))

    assert (event.type, event.id) == ("resync", 2)


async def test_too_much_to_replay_asks_for_a_resync(house: Premises) -> None:
    await happen(house, live.MAX_REPLAY + 1)
    event = await anext(house.services.live.follow(READER, 0))

    assert (event.type, event.id) == ("resync", live.MAX_REPLAY + 1)


async def test_slow_reader_is_told_to_resync_and_goes_on(tmp_path) -> None:
    async with open_premises(tmp_path, limits={"live_queue": 5}) as house:
        followed = house.services.live.follow(READER, 0)
        await happen(house, 1)
        assert (await anext(followed)).id == 1
        await happen(house, 20)
        event = await anext(followed)
        assert (event.type, event.id) == ("resync", 21)

        await happen(house, 1)
        assert (await anext(followed)).id == 22


async def test_closing_the_bus_ends_every_follower(house: Premises) -> None:
    async def read() -> list[Event]:
        return [event async for event in house.services.live.follow(ADMIN, None)]

    async with asyncio.timeout(5), asyncio.TaskGroup() as tasks:
        reading = tasks.create_task(read())
        await asyncio.sleep(0)
        house.bus.close()

    assert reading.result() == []
    assert house.services.live.followers == 0


async def test_followers_are_bounded(house: Premises, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "MAX_FOLLOWERS", 0)
    with pytest.raises(BusyError):
        await anext(house.services.live.follow(READER, None))
