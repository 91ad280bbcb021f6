import asyncio
from collections.abc import AsyncIterator
from typing import cast

import pytest
import pytest_asyncio

from lifesign.bus import Topic
from lifesign.core.batch import Ping
from lifesign.core.errors import BusyError, NotFoundError
from lifesign.core.model import Owner
from lifesign.service.views import MonitorView
from premises import ADMIN, Premises


@pytest_asyncio.fixture
async def open_house(house: Premises) -> AsyncIterator[Premises]:
    """The house with its ping desk at work."""
    async with asyncio.timeout(20), asyncio.TaskGroup() as tasks:
        desk = tasks.create_task(house.services.pings.run())
        await house.services.pings.opened.wait()
        yield house
        desk.cancel()


async def job(house: Premises) -> tuple[MonitorView, str]:
    view = await house.services.monitors.add(ADMIN, {"kind": "heartbeat"}, owner=Owner.API)
    return view, str(view.settings["uuid"])


async def test_ping_is_stored_when_it_is_answered_and_then_told_to_the_engine(
    open_house: Premises,
) -> None:
    view, key = await job(open_house)
    await open_house.services.pings.receive(
        key, action="exit", exit_status=3, body=b"disk full", remote="192.0.2.1"
    )
    stored = await open_house.store.pings.recent(ADMIN, view.id)
    told = cast("list[Ping]", await open_house.bus.take(Topic.PINGS, 10))

    assert [(each.action, each.exit_status, each.body) for each in stored] == [
        ("exit", 3, b"disk full")
    ]
    assert [(each.monitor_id, each.remote) for each in told] == [(view.id, "192.0.2.1")]


async def test_pings_that_arrive_together_are_all_kept_in_order(open_house: Premises) -> None:
    view, key = await job(open_house)
    desk = open_house.services.pings
    await asyncio.gather(
        *(desk.receive(key, action="log", body=str(n).encode()) for n in range(300))
    )
    stored = await open_house.store.pings.recent(ADMIN, view.id, 300)

    assert [int(each.body) for each in reversed(stored)] == list(range(300))


async def test_removed_monitor_is_not_found_any_more(open_house: Premises) -> None:
    view, key = await job(open_house)
    await open_house.services.monitors.remove(ADMIN, view.id)

    with pytest.raises(NotFoundError):
        await open_house.services.pings.receive(key, action="success")


async def test_changed_key_is_the_only_one_that_works(open_house: Premises) -> None:
    view, old = await job(open_house)
    new = "01234567-89ab-4def-8123-456789abcdef"
    changes = {"settings": {"uuid": new}}
    await open_house.services.monitors.update(ADMIN, view.id, changes, owner=Owner.API)
    await open_house.services.pings.receive(new, action="success")

    with pytest.raises(NotFoundError):
        await open_house.services.pings.receive(old, action="success")


async def test_closed_desk_takes_nothing(house: Premises) -> None:
    _, key = await job(house)
    with pytest.raises(BusyError):
        await house.services.pings.receive(key, action="success")


async def test_desk_that_opens_knows_the_monitors_there_are(house: Premises) -> None:
    view, key = await job(house)
    async with asyncio.timeout(10), asyncio.TaskGroup() as tasks:
        desk = tasks.create_task(house.services.pings.run())
        await house.services.pings.opened.wait()
        await house.services.pings.receive(key.upper().lower(), action="start", run_id="r")
        desk.cancel()

    assert (await house.store.pings.latest(ADMIN, [view.id]))[view.id].action == "start"
