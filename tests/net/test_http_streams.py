"""Responses that are read while they arrive (server-sent events)."""

import asyncio

import pytest

from lifesign.net import Net, NetError
from lifesign.net.http import HTTPConnection, Request, parse_url
from net.rawserver import RawServers, read_request

GENEROUS_S = 10.0
SHORT_S = 0.15


async def test_a_stream_gives_each_piece_as_it_comes(net: Net, servers: RawServers) -> None:
    more = asyncio.Event()

    async def events(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(
            b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
        )
        writer.write(b"9\r\ndata: 1\n\n\r\n")
        await more.wait()
        writer.write(b"9\r\ndata: 2\n\n\r\n0\r\n\r\n")
        await reader.read()

    url = parse_url(f"http://127.0.0.1:{await servers.start(events)}/")
    deadline = asyncio.get_running_loop().time() + GENEROUS_S
    pieces = []
    async with await HTTPConnection.connect(net, url, deadline=deadline, phases={}) as link:
        async with link.stream(Request("GET", url), deadline=deadline) as response:
            assert response.header("content-type") == "text/event-stream"
            async for piece in response.chunks():
                pieces.append(piece)
                more.set()

        assert link.is_reusable
    assert pieces == [b"data: 1\n\n", b"data: 2\n\n"]


async def test_a_stream_that_is_left_costs_the_connection(net: Net, servers: RawServers) -> None:
    port = await servers.say(b"HTTP/1.1 200 OK\r\n\r\nfirst", end="hold")
    url = parse_url(f"http://127.0.0.1:{port}/")
    deadline = asyncio.get_running_loop().time() + GENEROUS_S

    async with await HTTPConnection.connect(net, url, deadline=deadline, phases={}) as link:
        async with link.stream(Request("GET", url), deadline=deadline) as response:
            async for piece in response.chunks():
                assert piece == b"first"
                break

        assert not link.is_reusable
        with pytest.raises(NetError) as caught:
            await link.exchange(Request("GET", url), deadline=deadline, phases={})
    assert caught.value.failure.code == "closed_early"


async def drain(link: HTTPConnection, request: Request, deadline: float) -> None:
    async with link.stream(request, deadline=deadline) as response:
        async for _ in response.chunks():
            pass


async def test_a_stream_that_stalls_ends_at_the_deadline(net: Net, servers: RawServers) -> None:
    port = await servers.say(b"HTTP/1.1 200 OK\r\n\r\nfirst", end="hold")
    url = parse_url(f"http://127.0.0.1:{port}/")
    deadline = asyncio.get_running_loop().time() + SHORT_S

    async with await HTTPConnection.connect(net, url, deadline=deadline, phases={}) as link:
        with pytest.raises(NetError) as caught:
            await drain(link, Request("GET", url), deadline)

    assert caught.value.failure.code == "read_timeout"


async def test_a_fast_stream_waits_for_a_slow_reader(net: Net, servers: RawServers) -> None:
    """The reader's backlog is bounded: the server feels a full window instead of filling our memory."""
    total = 8 * 1024 * 1024

    async def flood(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(f"HTTP/1.1 200 OK\r\nContent-Length: {total}\r\n\r\n".encode())
        for _ in range(total // 65536):
            writer.write(bytes(65536))
            await writer.drain()
        await reader.read()

    url = parse_url(f"http://127.0.0.1:{await servers.start(flood)}/")
    deadline = asyncio.get_running_loop().time() + GENEROUS_S
    received = 0
    async with (
        await HTTPConnection.connect(net, url, deadline=deadline, phases={}) as link,
        link.stream(Request("GET", url), deadline=deadline, max_body=total) as response,
    ):
        async for piece in response.chunks():
            received += len(piece)
            await asyncio.sleep(0)

    assert received == total
