import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from ipaddress import ip_network
from uuid import uuid4

import httpx2
import pytest
import pytest_asyncio

from lifesign.api.client import client_of
from lifesign.core.batch import Ping
from lifesign.core.model import Owner
from premises import ADMIN, Premises


@dataclass
class Job:
    house: Premises
    monitor_id: str
    key: str

    async def pings(self) -> list[Ping]:
        """Oldest first."""
        return list(reversed(await self.house.store.pings.recent(ADMIN, self.monitor_id)))


@pytest_asyncio.fixture
async def job(house: Premises) -> AsyncIterator[Job]:
    draft = {"kind": "heartbeat", "name": "backup"}
    view = await house.services.monitors.add(ADMIN, draft, owner=Owner.API)
    async with asyncio.timeout(20), asyncio.TaskGroup() as tasks:
        desk = tasks.create_task(house.services.pings.run())
        await house.services.pings.opened.wait()
        yield Job(house, view.id, str(view.settings["uuid"]))
        desk.cancel()


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST"])
async def test_ping_is_answered_with_a_plain_ok(
    job: Job, anybody: httpx2.AsyncClient, method: str
) -> None:
    answer = await anybody.request(method, f"/ping/{job.key}")

    assert answer.status_code == 200
    assert answer.content == (b"" if method == "HEAD" else b"OK")
    assert answer.headers["content-length"] == "2"
    assert answer.headers["content-type"].startswith("text/plain")
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["access-control-allow-origin"] == "*"
    assert answer.headers["ping-body-limit"] == "100000"
    assert [(each.action, each.method) for each in await job.pings()] == [("success", method)]


async def test_every_way_to_ping_is_kept_as_it_was_meant(
    job: Job, anybody: httpx2.AsyncClient
) -> None:
    run_id = str(uuid4())
    for path in ("/start", "/fail", "/log", "/0", "/255", "/"):
        url = f"/ping/{job.key}{path}?rid={run_id}"
        assert (await anybody.post(url, content=b"said")).text == "OK"

    assert [(each.action, each.exit_status) for each in await job.pings()] == [
        ("start", None), ("fail", None), ("log", None), ("exit", 0), ("exit", 255),
        ("success", None),
    ]  # fmt: skip
    assert {(each.run_id, each.body) for each in await job.pings()} == {(run_id, b"said")}


@pytest.mark.parametrize(
    ("path", "status", "text"),
    [
        ("{key}/256", 400, "invalid url format"),
        ("{key}/finish", 400, "invalid url format"),
        ("{key}/fail/fail", 400, "invalid url format"),
        ("{key}?rid=seven", 400, "invalid uuid format"),
        ("not-a-key", 404, "not found"),
        ("", 404, "not found"),
        ("00000000-0000-4000-8000-000000000000", 404, "not found"),
    ],
)
async def test_wrong_addresses_are_told_apart(
    job: Job, anybody: httpx2.AsyncClient, path: str, status: int, text: str
) -> None:
    answer = await anybody.get("/ping/" + path.format(key=job.key))

    assert (answer.status_code, answer.text) == (status, text)
    assert await job.pings() == []


async def test_other_methods_are_refused_and_browsers_may_ask(
    job: Job, anybody: httpx2.AsyncClient
) -> None:
    refused = await anybody.put(f"/ping/{job.key}")
    asked = await anybody.options(f"/ping/{job.key}")

    assert (refused.status_code, "POST" in refused.headers["allow"]) == (405, True)
    assert asked.status_code == 204
    assert "POST" in asked.headers["access-control-allow-methods"]


async def test_first_100_kb_of_a_body_are_kept(job: Job, anybody: httpx2.AsyncClient) -> None:
    answer = await anybody.post(f"/ping/{job.key}", content=b"a" * 99_999 + b"b" * 200_000)
    (ping,) = await job.pings()

    assert answer.text == "OK"
    assert ping.body == b"a" * 99_999 + b"b"


async def test_key_in_capitals_is_the_same_key(job: Job, anybody: httpx2.AsyncClient) -> None:
    assert (await anybody.get(f"/ping/{job.key.upper()}")).text == "OK"


async def test_ping_is_not_acknowledged_when_it_cannot_be_stored(
    anybody: httpx2.AsyncClient,
) -> None:
    """Nobody commits: the job is asked to come again rather than told that all is well."""
    answer = await anybody.get(f"/ping/{uuid4()}")

    assert answer.status_code == 503
    assert "retry-after" in answer.headers


@pytest.mark.parametrize(
    ("peer", "forwarded", "client"),
    [
        ("203.0.113.9", "198.51.100.1", "203.0.113.9"),
        ("10.0.0.1", "198.51.100.1", "198.51.100.1"),
        ("10.0.0.1", "6.6.6.6, 198.51.100.1, 10.0.0.2", "198.51.100.1"),
        ("10.0.0.1", "nonsense", "10.0.0.1"),
        ("10.0.0.1", "", "10.0.0.1"),
        ("::ffff:10.0.0.1", "198.51.100.1", "198.51.100.1"),
    ],
)
def test_only_trusted_proxies_say_who_is_calling(peer: str, forwarded: str, client: str) -> None:
    scope = {"client": (peer, 1), "headers": [(b"x-forwarded-for", forwarded.encode())]}

    assert client_of(scope, [ip_network("10.0.0.0/8")]) == client
    assert client_of(scope, []) == peer
