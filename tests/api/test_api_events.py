import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx2
from starlette.types import ASGIApp

from asgi_server import serving
from lifesign.api import events as api_events
from lifesign.bus import Topic
from lifesign.core.batch import Batch, Event
from lifesign.core.model import Owner
from lifesign.core.scope import Grant
from premises import ADMIN, Premises

Frame = dict[str, str]


@asynccontextmanager
async def listening(
    url: str, token: str, *, query: str = "", last: str = ""
) -> AsyncIterator[tuple[httpx2.Response, AsyncIterator[Frame]]]:
    headers = {"authorization": f"Bearer {token}"} | ({"last-event-id": last} if last else {})
    async with (
        asyncio.timeout(15),
        httpx2.AsyncClient(base_url=url, headers=headers, trust_env=False) as client,
        client.stream("GET", f"/api/v1/events{query}") as answer,
    ):
        yield answer, frames(answer)


async def frames(answer: httpx2.Response) -> AsyncIterator[Frame]:
    """The frames of a stream as browsers read them; a comment is under the empty name."""
    frame: Frame = {}
    async for line in answer.aiter_lines():
        if line:
            name, _, value = line.partition(":")
            frame[name] = value.strip()
        elif frame:
            yield frame
            frame = {}


async def happen(house: Premises, count: int) -> None:
    now = house.clock.now()
    made = tuple(Event(type="monitor.state", at=now, data={"n": n}) for n in range(count))
    for event in await house.store.observations.commit(Batch(events=made)):
        await house.bus.publish(Topic.EVENTS, event)


async def test_change_is_told_as_it_happens(house: Premises, api: ASGIApp) -> None:
    token = await house.token(Grant.READ)
    async with serving(api) as url, listening(url, token) as (answer, stream):
        assert answer.headers["content-type"].startswith("text/event-stream")
        assert (await anext(stream)) == {"retry": "3000"}
        await until_followed(house)
        view = await house.services.monitors.add(ADMIN, {"target": "127.0.0.1:9"}, owner=Owner.API)
        frame = await anext(stream)

    assert (frame["event"], frame["id"]) == ("monitor.added", "1")
    assert f'"monitor_id":"{view.id}"' in frame["data"]


async def until_followed(house: Premises) -> None:
    """The stream has begun to listen; turns of the loop and no time."""
    async with asyncio.timeout(5):
        while not house.services.live.followers:  # noqa: ASYNC110 - nothing to wait on: it is a count
            await asyncio.sleep(0)


async def test_what_was_missed_is_replayed_by_header_and_by_query(
    house: Premises, api: ASGIApp
) -> None:
    await happen(house, 4)
    token = await house.token(Grant.READ)
    async with serving(api) as url:
        for asked in ({"last": "2"}, {"query": "?last_event_id=2"}):
            async with listening(url, token, **asked) as (_, stream):
                await anext(stream)
                assert [(await anext(stream))["id"] for _ in range(2)] == ["3", "4"]


async def test_id_that_was_never_given_asks_for_a_resync(house: Premises, api: ASGIApp) -> None:
    await happen(house, 2)
    token = await house.token(Grant.READ)
    async with serving(api) as url, listening(url, token, last="77") as (_, stream):
        await anext(stream)
        frame = await anext(stream)

    assert (frame["event"], frame["id"]) == ("resync", "2")


async def test_silence_is_broken_by_comments(house: Premises, api: ASGIApp, monkeypatch) -> None:
    monkeypatch.setattr(api_events, "HEARTBEAT_S", 0.01)
    token = await house.token(Grant.READ)
    async with serving(api) as url, listening(url, token) as (_, stream):
        await anext(stream)
        assert await anext(stream) == {"": "still here"}


async def test_stream_ends_cleanly_when_lifesign_stops(house: Premises, api: ASGIApp) -> None:
    token = await house.token(Grant.READ)
    async with serving(api) as url, listening(url, token) as (_, stream):
        await anext(stream)
        await until_followed(house)
        house.bus.close()
        assert [frame async for frame in stream] == []

    assert house.services.live.followers == 0


async def test_reader_that_goes_is_forgotten(house: Premises, api: ASGIApp) -> None:
    token = await house.token(Grant.READ)
    async with serving(api) as url:
        async with listening(url, token) as (_, stream):
            await anext(stream)
            await until_followed(house)
        async with asyncio.timeout(5):
            while house.services.live.followers:  # noqa: ASYNC110 - nothing to wait on: it is a count
                await asyncio.sleep(0)
