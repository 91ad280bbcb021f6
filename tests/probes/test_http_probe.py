"""The http kind against real servers: redirects, credentials, conditions, faults."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator

import pytest
import trustme
from pydantic import ValidationError

from lifesign.clock import SystemClock
from lifesign.core.condition import compile_condition
from lifesign.core.model import Observation, State
from lifesign.core.verdict import assess
from lifesign.net import Net
from lifesign.probes.http import HTTPSettings, _guess, _implied, _target, probe_http
from lifesign.probes.registry import ProbeContext
from net.rawserver import RawServers, pem, raw_servers, reply, server_context

GENEROUS_S = 10.0


@pytest.fixture
async def servers() -> AsyncIterator[RawServers]:
    async with raw_servers() as started:
        yield started


def context(limit_s: float = GENEROUS_S, **memory) -> ProbeContext:
    deadline = asyncio.get_running_loop().time() + limit_s
    return ProbeContext(Net.open(), SystemClock(), deadline, memory=memory)


async def run(url: str, limit_s: float = GENEROUS_S, **settings) -> Observation:
    return await probe_http(HTTPSettings(url=url, **settings), context(limit_s))


def holds(observation: Observation, *conditions: str) -> State:
    return assess(observation, [compile_condition(text) for text in conditions]).state


async def test_facts_content_and_phases(servers: RawServers) -> None:
    body = json.dumps({"queue": {"depth": 3}}).encode()
    port = await servers.answer(reply(body, headers="X-Version: 7\r\nX-Version: 8"))

    seen = await run(f"http://127.0.0.1:{port}/health?key=hidden")

    assert list(seen.phases_ms) == ["dns", "tcp", "send", "first_byte", "transfer"]
    assert seen.facts["status"] == 200
    assert seen.facts["body.bytes"] == len(body)
    assert seen.facts["ip"] == "127.0.0.1"
    assert seen.facts["url.final"] == f"http://127.0.0.1:{port}/health?…"
    assert State.UP is holds(
        seen,
        'json("$.queue.depth") < 100',
        'header("x-version") == "7, 8"',
        'body contains "depth"',
        "latency_ms < 9000",
        "http.version == 1.1",
    )


async def test_the_expected_set_becomes_a_condition(servers: RawServers) -> None:
    port = await servers.answer(reply(status="404 Not Found"))
    url = f"http://127.0.0.1:{port}/"
    seen = await run(url)

    assert holds(seen, *_implied(HTTPSettings(url=url))) is State.DOWN
    assert holds(seen, *_implied(HTTPSettings(url=url, expected_status="200, 404"))) is State.UP


async def test_redirects_on_one_origin_share_the_connection(servers: RawServers) -> None:
    port = await servers.answer(reply(status="302 Found", headers="Location: /b"), reply(b"end"))

    seen = await run(f"http://127.0.0.1:{port}/a", method="POST", body="x")

    assert (seen.facts["status"], seen.facts["redirects"]) == (200, 1)
    assert servers.accepted == 1
    assert servers.heard[1].startswith(b"GET /b ")
    assert b"content-length" not in servers.heard[1].lower()


async def test_307_keeps_method_and_body(servers: RawServers) -> None:
    port = await servers.answer(
        reply(status="307 Temporary Redirect", headers="Location: /b"), reply(b"end")
    )

    await run(f"http://127.0.0.1:{port}/a", method="POST", body="x=1")

    assert servers.heard[1].startswith(b"POST /b ")
    assert servers.heard[1].endswith(b"x=1")


async def test_credentials_do_not_follow_to_another_origin(servers: RawServers) -> None:
    other = await servers.answer(reply(b"end"))
    port = await servers.answer(
        reply(status="302 Found", headers=f"Location: http://localhost:{other}/")
    )

    await run(
        f"http://127.0.0.1:{port}/",
        headers={"X-Api-Key": "hunter2", "Accept": "text/plain"},
        bearer_token="hunter3",
    )

    assert b"hunter2" in servers.heard[0]
    assert b"Bearer hunter3" in servers.heard[0]
    assert b"hunter" not in servers.heard[1]
    assert b"text/plain" in servers.heard[1]


async def test_basic_authentication(servers: RawServers) -> None:
    port = await servers.answer(reply())

    await run(f"http://127.0.0.1:{port}/", username="ü", password="p:w")

    assert base64.b64encode("ü:p:w".encode()) in servers.heard[0]


async def test_a_redirect_loop_ends(servers: RawServers) -> None:
    port = await servers.answer(reply(status="302 Found", headers="Location: /again"))

    seen = await run(f"http://127.0.0.1:{port}/", max_redirects=3)

    assert seen.failure is not None
    assert seen.failure.code == "too_many_redirects"
    assert len(servers.heard) == 4


async def test_without_redirects_the_redirect_is_the_answer(servers: RawServers) -> None:
    port = await servers.answer(reply(status="301 Moved", headers="Location: /x"))

    seen = await run(f"http://127.0.0.1:{port}/", max_redirects=0)

    assert (seen.facts["status"], seen.failure) == (301, None)


@pytest.mark.parametrize("location", ["ftp://a.b/", "http://127.1/", "http://u:hunter2@a.b/"])
async def test_a_bad_location_is_told(servers: RawServers, location: str) -> None:
    port = await servers.answer(reply(status="302 Found", headers=f"Location: {location}"))

    seen = await run(f"http://127.0.0.1:{port}/")

    assert seen.failure is not None
    assert seen.failure.code == "bad_redirect"
    assert "hunter2" not in seen.failure.message


async def test_a_redirect_is_fenced(servers: RawServers) -> None:
    port = await servers.answer(
        reply(status="302 Found", headers="Location: http://169.254.169.254/latest/meta-data")
    )

    seen = await run(f"http://127.0.0.1:{port}/")

    assert seen.failure is not None
    assert (seen.failure.layer, seen.failure.code) == ("egress", "blocked_address")


async def test_https_shows_the_certificate(servers: RawServers) -> None:
    authority = trustme.CA()
    leaf = server_context(authority.issue_cert("localhost"))
    port = await servers.answer(reply(b"ok"), context=leaf)
    settings = HTTPSettings(url=f"https://localhost:{port}/", ca_pem=pem(authority))

    seen = await probe_http(settings, context())

    assert list(seen.phases_ms) == ["dns", "tcp", "tls", "send", "first_byte", "transfer"]
    assert holds(seen, *_implied(settings), "tls.days_left > 14d") is State.UP


async def test_a_refused_certificate_shows_too(servers: RawServers) -> None:
    leaf = server_context(trustme.CA().issue_cert("localhost"))
    port = await servers.answer(reply(b"ok"), context=leaf)

    seen = await run(f"https://localhost:{port}/")

    assert seen.failure is not None
    assert seen.failure.layer == "tls"
    assert seen.facts["tls.days_left"] > 0
    assert servers.heard == []


async def test_http2(servers: RawServers) -> None:
    """Against nginx's own HTTP/2 is better still; this is h2's server side."""
    from net.h2server import h2_script

    authority = trustme.CA()
    tls = server_context(authority.issue_cert("localhost"))
    tls.set_alpn_protocols(["h2"])
    port = await servers.start(h2_script(b"over two" * 50_000), context=tls)

    seen = await run(f"https://localhost:{port}/x", ca_pem=pem(authority), http2=True)

    assert seen.failure is None
    assert (seen.facts["status"], seen.facts["http.version"]) == (200, 2)
    assert (seen.facts["body.bytes"], seen.facts["tls.alpn"]) == (400_000, "h2")


async def test_http2_by_prior_knowledge_with_a_body(servers: RawServers) -> None:
    from net.h2server import h2_script

    port = await servers.start(h2_script(None))

    seen = await run(f"http://127.0.0.1:{port}/", http2=True, method="POST", body="y" * 90_000)

    assert seen.content["body"] == "y" * 90_000


async def test_http2_asked_of_a_server_that_only_speaks_one(servers: RawServers) -> None:
    authority = trustme.CA()
    tls = server_context(authority.issue_cert("localhost"))
    port = await servers.answer(reply(b"one"), context=tls)

    seen = await run(f"https://localhost:{port}/", ca_pem=pem(authority), http2=True)

    assert (seen.facts["status"], seen.facts["http.version"]) == (200, 1.1)


async def test_charset_of_the_body(servers: RawServers) -> None:
    port = await servers.answer(
        reply("grün".encode("latin-1"), headers="Content-Type: text/html; charset=ISO-8859-1")
    )

    assert (await run(f"http://127.0.0.1:{port}/")).content["body"] == "grün"


@pytest.mark.parametrize(
    "wrong",
    [
        {"url": "http://127.1/"},
        {"expected_status": "2xx"},
        {"headers": {"A b": "c"}},
        {"headers": {"A": "c\r\nd"}},
        {"ca_pem": "nonsense"},
        {"username": "a", "bearer_token": "b"},
        {"unknown": 1},
    ],
)
def test_wrong_settings_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        HTTPSettings(**{"url": "http://a.b/", **wrong})


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("https://a.b/c?d=e", "https://a.b/c?d=e"),
        ("a.example", "https://a.example"),
        ("a.example/health", "https://a.example/health"),
        ("a.example:22", None),
        ("localhost", "https://localhost"),
        ("shop", None),
        ("two words.", None),
        ("ftp://a.b", None),
    ],
)
def test_pasted_text(text: str, url: str | None) -> None:
    assert _guess(text) == (None if url is None else {"url": url})


def test_the_target_hides_the_query() -> None:
    assert _target(HTTPSettings(url="https://a.b/c?key=hunter2")) == "https://a.b/c?…"
