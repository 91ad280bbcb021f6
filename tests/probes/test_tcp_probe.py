"""The tcp kind: connect, and talk when asked to."""

import asyncio
from collections.abc import AsyncIterator

import pytest
import trustme
from pydantic import ValidationError

from lifesign.clock import SystemClock
from lifesign.core.ladder import ladder
from lifesign.core.model import Observation
from lifesign.net import Net
from lifesign.probes.registry import ProbeContext
from lifesign.probes.tcp import TCPSettings, _guess, _target, probe_tcp
from net.rawserver import RawServers, pem, raw_servers, reset, server_context


@pytest.fixture
async def servers() -> AsyncIterator[RawServers]:
    async with raw_servers() as started:
        yield started


async def run(port: int, limit_s: float = 10.0, **settings) -> Observation:
    deadline = asyncio.get_running_loop().time() + limit_s
    context = ProbeContext(Net.open(), SystemClock(), deadline)
    return await probe_tcp(TCPSettings(host="localhost", port=port, **settings), context)


def broken_rung(seen: Observation) -> str:
    rungs = ladder(("dns", "tcp", "tls", "first_byte"), seen)
    return next(rung.name for rung in rungs if rung.state == "failed")


async def pong(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"PING\r\n")
    writer.write(b"+PO")
    await writer.drain()
    writer.write(b"NG\r\nmore")
    await reader.read()


async def silent(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
    await reader.read()


async def test_an_open_port(servers: RawServers) -> None:
    seen = await run(await servers.start(silent))

    assert seen.failure is None
    assert list(seen.phases_ms) == ["dns", "tcp"]
    assert seen.facts["ip"] == "127.0.0.1"


async def test_a_closed_port() -> None:
    seen = await run(1)

    assert seen.failure is not None
    assert (seen.failure.layer, seen.failure.code) == ("tcp", "refused")


async def test_sending_and_expecting(servers: RawServers) -> None:
    seen = await run(await servers.start(pong), send="PING\\r\\n", expect="+PONG")

    assert seen.failure is None
    assert list(seen.phases_ms) == ["dns", "tcp", "first_byte"]
    assert str(seen.content["body"]).startswith("+PONG")


async def test_expecting_over_tls(servers: RawServers) -> None:
    authority = trustme.CA()
    leaf = server_context(authority.issue_cert("localhost"))
    port = await servers.start(pong, context=leaf)

    seen = await run(port, send="PING\\r\\n", expect="PONG", tls=True, ca_pem=pem(authority))

    assert seen.failure is None
    assert seen.facts["tls.days_left"] > 0
    assert list(seen.phases_ms) == ["dns", "tcp", "tls", "first_byte"]


@pytest.mark.parametrize("said", [b"-ERR go away\r\n", b"", b"x" * 200_000])
async def test_another_answer(servers: RawServers, said: bytes) -> None:
    async def rude(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"PING")
        writer.write(said)
        await writer.drain()
        writer.close()
        await writer.wait_closed()

    seen = await run(await servers.start(rude), send="PING", expect="PONG")

    assert seen.failure is not None
    assert (seen.failure.layer, seen.failure.code) == ("tcp", "unexpected_answer")
    assert "go away" not in seen.failure.message
    assert broken_rung(seen) == "first_byte"
    assert ("first_byte" in seen.phases_ms) is bool(said)


async def test_no_answer(servers: RawServers) -> None:
    seen = await run(await servers.start(silent), 0.15, expect="220")

    assert seen.failure is not None
    assert seen.failure.code == "answer_timeout"
    assert broken_rung(seen) == "first_byte"


async def test_a_reset(servers: RawServers) -> None:
    async def slam(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"PING")
        reset(writer)

    seen = await run(await servers.start(slam), send="PING", expect="PONG")

    assert seen.failure is not None
    assert (seen.failure.layer, seen.failure.code) == ("tcp", "reset")


async def test_the_metadata_service_is_not_dialled() -> None:
    deadline = asyncio.get_running_loop().time() + 10
    settings = TCPSettings(host="169.254.169.254", port=80)

    seen = await probe_tcp(settings, ProbeContext(Net.open(), SystemClock(), deadline))

    assert seen.failure is not None
    assert seen.failure.layer == "egress"
    assert "tcp" not in seen.phases_ms


def test_pasted_text() -> None:
    assert _guess("tcp://db.example:5432") == {"host": "db.example", "port": 5432}
    assert _guess("[::1]:22") == {"host": "::1", "port": 22}
    assert _guess("https://a.b:1") is None


def test_the_target() -> None:
    assert _target(TCPSettings(host="::1", port=22)) == "[::1]:22"


def test_an_ambiguous_host_is_refused() -> None:
    with pytest.raises(ValidationError):
        TCPSettings(host="127.1", port=22)
