"""Exchanges with servers that behave, and with servers that do not."""

import asyncio
import gzip
import zlib
from contextlib import suppress

import brotli
import pytest

from lifesign.core.model import Reason
from lifesign.net import Net, NetError
from lifesign.net.http import HTTPConnection, Request, Response, parse_url
from net.rawserver import RawServers, read_request, reply

GENEROUS_S = 10.0
SHORT_S = 0.15


async def fetch(
    net: Net,
    port: int,
    *,
    limit_s: float = GENEROUS_S,
    method: str = "GET",
    phases: dict[str, float] | None = None,
    body: bytes = b"",
    max_body: int = 1024 * 1024,
) -> Response:
    url = parse_url(f"http://127.0.0.1:{port}/path?key=secret")
    deadline = asyncio.get_running_loop().time() + limit_s
    seen = phases if phases is not None else {}
    async with await HTTPConnection.connect(net, url, deadline=deadline, phases=seen) as connection:
        return await connection.exchange(
            Request(method, url, (), body), deadline=deadline, phases=seen, max_body=max_body
        )


async def failure_of(net: Net, port: int, *, limit_s: float = GENEROUS_S):
    with pytest.raises(NetError) as caught:
        await fetch(net, port, limit_s=limit_s)
    failure = caught.value.failure

    assert "secret" not in failure.message
    assert failure.remedy
    return failure


async def test_every_phase_of_a_plain_exchange_is_timed(net: Net, servers: RawServers) -> None:
    phases: dict[str, float] = {}

    response = await fetch(net, await servers.answer(reply(b"hello")), phases=phases)

    assert response.body == b"hello"
    assert list(phases) == ["dns", "tcp", "send", "first_byte", "transfer"]
    assert all(value >= 0 for value in phases.values())


async def test_several_exchanges_share_a_connection(net: Net, servers: RawServers) -> None:
    port = await servers.answer(reply(b"one"), reply(b"two", headers="X-Turn: 2"))
    url = parse_url(f"http://localhost:{port}/")
    deadline = asyncio.get_running_loop().time() + GENEROUS_S
    phases: dict[str, float] = {}

    async with await HTTPConnection.connect(net, url, deadline=deadline, phases=phases) as link:
        first = await link.exchange(
            Request("POST", url, (("A", "b"),), b"{}"), deadline=deadline, phases=phases, label="a"
        )
        second = await link.exchange(Request("GET", url), deadline=deadline, phases=phases)

    assert (first.body, second.body, second.header("x-turn")) == (b"one", b"two", "2")
    assert servers.accepted == 1
    assert list(phases) == ["dns", "tcp", "a", "send", "first_byte", "transfer"]
    assert servers.heard[0].endswith(b"\r\n\r\n{}")


@pytest.mark.parametrize(
    ("coding", "encode"),
    [
        ("gzip", gzip.compress),
        ("deflate", zlib.compress),
        ("deflate", lambda data: zlib.compress(data)[2:-4]),
        ("br", brotli.compress),
    ],
)
async def test_compressed_bodies_are_decoded(
    net: Net, servers: RawServers, coding: str, encode
) -> None:
    body = b"words, " * 500
    port = await servers.answer(reply(encode(body), headers=f"Content-Encoding: {coding}"))

    assert (await fetch(net, port)).body == body


async def test_chunks_are_joined(net: Net, servers: RawServers) -> None:
    port = await servers.answer(
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n3;x=y\r\ncde\r\n0\r\nT: t\r\n\r\n"
    )

    assert (await fetch(net, port)).body == b"abcde"


@pytest.mark.parametrize("status", ["204 No Content", "304 Not Modified"])
async def test_responses_without_a_body_end_with_their_headers(
    net: Net, servers: RawServers, status: str
) -> None:
    response = await fetch(net, await servers.answer(f"HTTP/1.1 {status}\r\n\r\n".encode()))

    assert (str(response.status), response.body) == (status[:3], b"")


async def test_head_leaves_the_connection_usable(net: Net, servers: RawServers) -> None:
    port = await servers.answer(b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n", reply(b"next"))
    url = parse_url(f"http://127.0.0.1:{port}/")
    deadline = asyncio.get_running_loop().time() + GENEROUS_S

    async with await HTTPConnection.connect(net, url, deadline=deadline, phases={}) as link:
        head = await link.exchange(Request("HEAD", url), deadline=deadline, phases={})
        following = await link.exchange(Request("GET", url), deadline=deadline, phases={})

    assert (head.status, head.body, following.body) == (200, b"", b"next")


async def test_a_body_may_end_with_the_connection(net: Net, servers: RawServers) -> None:
    response = await fetch(net, await servers.say(b"HTTP/1.1 200 OK\r\n\r\nto the end"))

    assert response.body == b"to the end"


async def test_a_few_interim_responses_are_passed_over(net: Net, servers: RawServers) -> None:
    interim = b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"

    response = await fetch(net, await servers.answer(interim * 3 + reply(b"real")))

    assert (response.status, response.reason, response.body) == (200, "OK", b"real")
    assert response.header("link") is None


async def test_a_long_body_is_cut_at_its_cap(net: Net, servers: RawServers) -> None:
    async def endless(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            writer.write(b"x" * 65536)
            await writer.drain()

    response = await fetch(net, await servers.start(endless), max_body=100_000)

    assert (len(response.body), response.truncated) == (100_000, True)


FAULTS = {
    "garbage": (b"SSH-2.0-OpenSSH_9.2\r\n\r\n", "close", ("http", "bad_response")),
    "nothing": (b"", "close", ("http", "closed_early")),
    "short": (
        b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc",
        "close",
        ("http", "closed_early"),
    ),
    "half a head": (b"HTTP/1.1 200 OK\r\nX: y", "close", ("http", "closed_early")),
    "reset": (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc", "reset", ("tcp", "reset")),
    "header lines": (
        b"HTTP/1.1 200 OK\r\n" + b"a: b\r\n" * 101 + b"\r\n",
        "close",
        ("http", "header_too_large"),
    ),
    "header bytes": (
        b"HTTP/1.1 200 OK\r\na: " + b"b" * 70_000 + b"\r\n\r\n",
        "close",
        ("http", "header_too_large"),
    ),
    "endless header": (
        b"HTTP/1.1 200 OK\r\na: " + b"b" * 300_000,
        "hold",
        ("http", "header_too_large"),
    ),
    "interim flood": (b"HTTP/1.1 100 Continue\r\n\r\n" * 50, "hold", ("http", "bad_response")),
    "bomb": (
        reply(gzip.compress(bytes(60_000_000)), headers="Content-Encoding: gzip"),
        "hold",
        ("http", "body_too_large"),
    ),
    "brotli bomb": (
        reply(brotli.compress(bytes(60_000_000)), headers="Content-Encoding: br"),
        "hold",
        ("http", "body_too_large"),
    ),
    "broken gzip": (
        reply(b"not gzip", headers="Content-Encoding: gzip"),
        "hold",
        ("http", "bad_response"),
    ),
    "strange coding": (
        reply(b"??", headers="Content-Encoding: rot13"),
        "hold",
        ("http", "bad_response"),
    ),
    "bad chunk": (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        "hold",
        ("http", "bad_response"),
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
async def test_each_fault_has_its_name(net: Net, servers: RawServers, fault: str) -> None:
    said, end, expected = FAULTS[fault]

    failure = await failure_of(net, await servers.say(said, end=end))

    assert (failure.layer, failure.code) == expected


@pytest.mark.parametrize(
    ("said", "code"),
    [
        (b"", "first_byte_timeout"),
        (b"HTTP/1.1 200 OK\r\nX-Slow: ", "read_timeout"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc", "read_timeout"),
    ],
)
async def test_a_slow_server_costs_its_deadline(
    net: Net, servers: RawServers, said: bytes, code: str
) -> None:
    loop = asyncio.get_running_loop()
    port = await servers.say(said, end="hold")
    began = loop.time()

    failure = await failure_of(net, port, limit_s=SHORT_S)

    assert (failure.layer, failure.code, failure.reason) == ("http", code, Reason.TIMEOUT)
    assert SHORT_S - 0.02 <= loop.time() - began < SHORT_S + 1


async def test_a_refused_connection(net: Net) -> None:
    failure = await failure_of(net, 1)

    assert (failure.layer, failure.code) == ("tcp", "refused")
    assert failure.reason is Reason.CONNECTION_REFUSED
    assert "127.0.0.1:1" in failure.message


async def test_a_phase_that_did_not_end_is_absent(net: Net, servers: RawServers) -> None:
    phases: dict[str, float] = {}
    port = await servers.say(b"", end="hold")

    with pytest.raises(NetError):
        await fetch(net, port, limit_s=SHORT_S, phases=phases)

    assert list(phases) == ["dns", "tcp", "send"]


async def test_the_connection_is_gone_after_a_failure(net: Net, servers: RawServers) -> None:
    gone = asyncio.Event()

    async def watch(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(b"HTTP/1.1 200 OK\r\n" + b"a: b\r\n" * 200)
        try:
            await reader.read()
        finally:
            gone.set()

    await failure_of(net, await servers.start(watch))

    async with asyncio.timeout(GENEROUS_S):
        await gone.wait()


async def test_cancelling_lets_the_connection_go(net: Net, servers: RawServers) -> None:
    asked, gone = asyncio.Event(), asyncio.Event()

    async def watch(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        asked.set()
        await reader.read()
        gone.set()

    async with asyncio.timeout(GENEROUS_S), asyncio.TaskGroup() as group:
        task = group.create_task(fetch(net, await servers.start(watch)))
        await asked.wait()
        task.cancel()
        await gone.wait()

    assert task.cancelled()


async def test_a_header_cannot_break_out_of_its_line(net: Net, servers: RawServers) -> None:
    url = parse_url(f"http://127.0.0.1:{await servers.answer(reply())}/")
    deadline = asyncio.get_running_loop().time() + GENEROUS_S

    async with await HTTPConnection.connect(net, url, deadline=deadline, phases={}) as link:
        with pytest.raises(ValueError, match="characters"):
            await link.exchange(
                Request("GET", url, (("X", "a\r\nY: b"),)), deadline=deadline, phases={}
            )


@pytest.mark.parametrize("said", [b"HTTP/1.1 200 OK\r\n" + b"a: b\r\n" * 101, reply(b"x" * 99)])
async def test_a_failed_or_cut_exchange_costs_the_connection(
    net: Net, servers: RawServers, said: bytes
) -> None:
    url = parse_url(f"http://127.0.0.1:{await servers.say(said, end='hold')}/")
    deadline = asyncio.get_running_loop().time() + GENEROUS_S

    async with await HTTPConnection.connect(net, url, deadline=deadline, phases={}) as link:
        with suppress(NetError):
            await link.exchange(Request("GET", url), deadline=deadline, phases={}, max_body=10)

        assert not link.is_reusable
        async with asyncio.timeout(GENEROUS_S):
            await servers.idle.wait()
