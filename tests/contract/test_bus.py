"""What any bus must do, held against each one there is."""

import asyncio
from collections.abc import Callable

import pytest

from lifesign.bus import Bus, Change, LocalBus, Topic

BUSES: dict[str, Callable[[int], Bus]] = {"local": lambda room: LocalBus(room=room)}
ROOM = 10


@pytest.fixture(params=sorted(BUSES))
async def bus(request: pytest.FixtureRequest) -> Bus:
    return BUSES[request.param](ROOM)


async def test_work_is_taken_once_in_order_and_in_bounded_handfuls(bus: Bus) -> None:
    for number in range(5):
        await bus.publish(Topic.RUNS, number)

    assert await bus.take(Topic.RUNS, 3) == [0, 1, 2]
    assert await bus.take(Topic.RUNS, 3) == [3, 4]


async def test_taking_waits_for_work(bus: Bus) -> None:
    taking = asyncio.ensure_future(bus.take(Topic.RUNS, 3))
    await asyncio.sleep(0)
    assert not taking.done()

    await bus.publish(Topic.RUNS, "run")

    async with asyncio.timeout(5):
        assert await taking == ["run"]


async def test_closing_hands_over_what_is_left_and_then_nothing(bus: Bus) -> None:
    await bus.publish(Topic.RUNS, "last")
    bus.close()

    assert await bus.take(Topic.RUNS, 3) == ["last"]
    assert await bus.take(Topic.RUNS, 3) == []


async def test_closing_ends_a_wait(bus: Bus) -> None:
    taking = asyncio.ensure_future(bus.take(Topic.PINGS, 1))
    await asyncio.sleep(0)
    bus.close()

    async with asyncio.timeout(5):
        assert await taking == []


async def test_a_full_topic_holds_its_publishers_back_in_order(bus: Bus) -> None:
    for number in range(ROOM):
        await bus.publish(Topic.RUNS, number)
    late = [asyncio.ensure_future(bus.publish(Topic.RUNS, ROOM + n)) for n in range(3)]
    await asyncio.sleep(0)
    assert not any(each.done() for each in late)

    async with asyncio.timeout(5):
        assert len(await bus.take(Topic.RUNS, 1)) == 1
        await late[0]
        assert not late[1].done()
        assert await bus.take(Topic.RUNS, 99) == [*range(1, ROOM + 1)]
        await asyncio.gather(*late)
        assert await bus.take(Topic.RUNS, 99) == [ROOM + 1, ROOM + 2]


async def test_closing_lets_held_back_publishers_go(bus: Bus) -> None:
    for number in range(ROOM):
        await bus.publish(Topic.RUNS, number)
    late = asyncio.ensure_future(bus.publish(Topic.RUNS, "late"))
    await asyncio.sleep(0)
    bus.close()

    async with asyncio.timeout(5):
        await late
        await bus.publish(Topic.RUNS, "later")
        assert len(await bus.take(Topic.RUNS, 99)) == ROOM + 2


async def test_news_is_heard_by_all_who_follow_from_then_on(bus: Bus) -> None:
    await bus.publish(Topic.CHANGES, "before")
    with bus.follow(Topic.CHANGES) as one, bus.follow(Topic.CHANGES) as other:
        change = Change("monitor", "m1", "default")
        await bus.publish(Topic.CHANGES, change)
        bus.close()

        assert [change] == [news async for news in one]
        assert [change] == [news async for news in other]


async def test_a_slow_follower_loses_the_oldest_and_knows_it(bus: Bus) -> None:
    with bus.follow(Topic.EVENTS, room=2) as ear:
        for number in range(5):
            await bus.publish(Topic.EVENTS, number)
        bus.close()

        assert [news async for news in ear] == [3, 4]
        assert ear.lost == 3


async def test_one_knows_whether_anybody_listens(bus: Bus) -> None:
    assert not bus.is_followed(Topic.EVENTS)
    with bus.follow(Topic.EVENTS):
        assert bus.is_followed(Topic.EVENTS)
    assert not bus.is_followed(Topic.EVENTS)


async def test_a_process_that_is_alone_holds_every_shard(bus: Bus) -> None:
    assert bus.lease("shard-1")
