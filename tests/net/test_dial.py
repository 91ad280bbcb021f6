"""Dialling: several addresses, the fence at the address, and nothing left behind."""

import asyncio

import pytest

from lifesign.net import Net, NetError
from lifesign.net.fence import Fence
from lifesign.net.hosts import SystemNames
from lifesign.net.race import race
from lifesign.net.resolve import Resolver
from lifesign.net.stream import Stream
from lifesign.net.tls import TrustStore
from net.rawserver import RawServers

GENEROUS_S = 10.0


def net_with(fence: Fence | None = None, **hosts: tuple[str, ...]) -> Net:
    names = SystemNames((("127.0.0.1", 1),), (), 1, hosts)
    return Net(fence or Fence(), Resolver(names), TrustStore())


async def dial(net: Net, host: str, port: int) -> str:
    deadline = asyncio.get_running_loop().time() + GENEROUS_S
    stream = await net.dial(host, port, tls=None, deadline=deadline, phases={})
    stream.close()
    return stream.address


async def hold(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
    await reader.read()


async def test_a_refusing_address_gives_way_to_the_next(servers: RawServers) -> None:
    net = net_with(two=("127.0.0.2", "127.0.0.3", "127.0.0.1"))

    assert await dial(net, "two", await servers.start(hold)) == "127.0.0.1"


async def test_when_all_refuse_the_failure_names_them() -> None:
    with pytest.raises(NetError) as caught:
        await dial(net_with(two=("127.0.0.2", "127.0.0.3")), "two", 1)
    failure = caught.value.failure

    assert (failure.layer, failure.code) == ("tcp", "refused")
    assert "127.0.0.2, 127.0.0.3" in failure.message


async def test_a_denied_address_is_not_dialled(servers: RawServers) -> None:
    port = await servers.start(hold)
    fence = Fence(deny=["127.0.0.1"])

    with pytest.raises(NetError) as caught:
        await dial(net_with(fence, sly=("127.0.0.1",)), "sly", port)

    assert caught.value.failure.code == "blocked_address"
    assert servers.accepted == 0


async def test_public_mode_reaches_loopback_only_when_allowed(servers: RawServers) -> None:
    port = await servers.start(hold)

    with pytest.raises(NetError) as caught:
        await dial(Net.open(mode="public"), "localhost", port)
    allowed = await dial(Net.open(mode="public", allow=["127.0.0.0/8", "::1"]), "localhost", port)

    assert caught.value.failure.layer == "egress"
    assert allowed == "127.0.0.1"


async def test_the_kernels_address_is_judged_as_well(servers: RawServers) -> None:
    """A connection that ends up elsewhere than asked (address translation) is dropped."""
    port = await servers.start(hold)

    class Sly(Fence):
        def admit(self, host: str, addresses) -> list[str]:
            admitted = super().admit(host, addresses)
            self._deny = Fence(deny=["127.0.0.1"])._deny
            self._verdicts.clear()
            return admitted

    with pytest.raises(NetError) as caught:
        await dial(net_with(Sly(), here=("127.0.0.1",)), "here", port)
    async with asyncio.timeout(GENEROUS_S):
        await servers.idle.wait()

    assert caught.value.failure.code == "blocked_address"


async def test_a_silent_address_is_overtaken_after_a_moment() -> None:
    loop = asyncio.get_running_loop()
    never = asyncio.Event()
    started: list[str] = []

    async def attempt(address: str) -> Stream:
        started.append(address)
        if address == "silent":
            await never.wait()
        stream = Stream(loop)
        stream.address = address
        return stream

    async with asyncio.timeout(GENEROUS_S):
        winner = await race(attempt, ["silent", "quick", "late"])

    assert winner.address == "quick"
    assert started == ["silent", "quick"]


async def test_cancelling_a_race_cancels_its_attempts() -> None:
    begun, ended = asyncio.Event(), asyncio.Event()

    async def attempt(_address: str) -> Stream:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()
        raise OSError

    async with asyncio.timeout(GENEROUS_S), asyncio.TaskGroup() as group:
        task = group.create_task(race(attempt, ["a", "b"]))
        await begun.wait()
        task.cancel()
        await ended.wait()

    assert task.cancelled()
