"""The tls kind: the certificate, trusted or not."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest
import trustme

from lifesign.clock import SystemClock
from lifesign.core.condition import compile_condition
from lifesign.core.model import Observation, State
from lifesign.core.verdict import assess
from lifesign.net import Net
from lifesign.probes.registry import ProbeContext
from lifesign.probes.tls import TLSSettings, _guess, _implied, probe_tls
from net.rawserver import RawServers, pem, raw_servers, reply, server_context

AUTHORITY = trustme.CA()
NOW = datetime.now(UTC)


@pytest.fixture
async def servers() -> AsyncIterator[RawServers]:
    async with raw_servers() as started:
        yield started


async def run(settings: TLSSettings, limit_s: float = 10.0) -> Observation:
    deadline = asyncio.get_running_loop().time() + limit_s
    return await probe_tls(settings, ProbeContext(Net.open(), SystemClock(), deadline))


async def serve(servers: RawServers, days: float, host: str = "localhost") -> TLSSettings:
    leaf = AUTHORITY.issue_cert(
        host, not_before=NOW - timedelta(90), not_after=NOW + timedelta(days)
    )
    port = await servers.answer(reply(), context=server_context(leaf))
    return TLSSettings(host="localhost", port=port, ca_pem=pem(AUTHORITY))


def state(seen: Observation, settings: TLSSettings) -> State:
    return assess(seen, [compile_condition(text) for text in _implied(settings)]).state


@pytest.mark.parametrize(
    ("days", "expected"), [(30, State.UP), (10, State.DEGRADED), (-1, State.DOWN)]
)
async def test_the_days_decide(servers: RawServers, days: int, expected: State) -> None:
    settings = await serve(servers, days)

    seen = await run(settings)

    assert state(seen, settings) is expected
    assert seen.facts["tls.days_left"] == pytest.approx(days, abs=0.1)
    assert list(seen.phases_ms) == ["dns", "tcp", "tls"]


async def test_an_expired_certificate_that_is_not_verified_is_down(servers: RawServers) -> None:
    settings = (await serve(servers, -1)).model_copy(update={"verify_tls": False, "ca_pem": None})

    seen = await run(settings)

    assert seen.failure is None
    assert state(seen, settings) is State.DOWN


async def test_the_wrong_host(servers: RawServers) -> None:
    settings = await serve(servers, 30, host="other.example")

    seen = await run(settings)
    renamed = await run(settings.model_copy(update={"server_name": "other.example"}))

    assert seen.failure is not None
    assert seen.failure.code == "host_mismatch"
    assert seen.facts["tls.sans"] == ["other.example"]
    assert renamed.failure is None


def test_pasted_text() -> None:
    assert _guess("tls://a.example") == {"host": "a.example", "port": 443}
    assert _guess("a.example:443") == {"host": "a.example", "port": 443}
    assert _guess("a.example:22") is None
