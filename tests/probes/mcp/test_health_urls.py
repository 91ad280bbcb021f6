"""Health URLs: the table of status code and body, parts, limits, periods, and what the world does wrong."""

import asyncio
import json
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from lifesign.clock import Clock, FakeClock, SystemClock
from lifesign.core.model import Failure, Level, Reason, State
from lifesign.net import Net
from lifesign.probes.mcp import MCPSettings, watch
from lifesign.probes.mcp.checks.health import MAX_BODY, check_health
from lifesign.probes.mcp.checks.health_body import read_body
from lifesign.probes.mcp.checks.health_settings import HealthURL
from lifesign.probes.mcp.codes import CODES
from lifesign.probes.mcp.sheet import Sheet
from lifesign.probes.registry import ProbeContext
from lifesign.testing import Answer, Call, FaultyMCP, as_json, faulty, page


class Looks:
    """Asks health URLs again and again, as the probe of one monitor does."""

    def __init__(self, clock: Clock | None = None, within: float = 5.0) -> None:
        self.clock = clock or SystemClock()
        self.within = within
        self.memory: dict[str, object] = {}
        self.sheet = Sheet()
        self.net = Net.open()

    async def look(self, *urls: HealthURL) -> Failure | None:
        self.sheet = Sheet()
        deadline = asyncio.get_running_loop().time() + self.within
        ctx = ProbeContext(self.net, self.clock, deadline, memory=self.memory)
        return await check_health(urls, self.sheet, ctx)

    @property
    def findings(self) -> list[tuple[Level, str]]:
        return [(found.level, found.code) for found in self.sheet.findings]


def health_url(server: FaultyMCP, **told: Any) -> HealthURL:
    url = server.url.replace("/mcp", "/health")
    return HealthURL.model_validate({"name": "api", "url": url, "weight": "fails"} | told)


async def look_at(answer: Answer, **told: Any) -> tuple[Looks, Failure | None]:
    looks = Looks()
    async with FaultyMCP(health=answer) as server:
        failure = await looks.look(health_url(server, **told))
    return looks, failure


@pytest.mark.parametrize(
    ("status", "word", "told", "code", "state"),
    [
        (200, "ok", {}, "", "up"),
        (200, None, {}, "", "up"),
        (204, None, {}, "", "up"),
        (200, "starting", {}, "", "up"),
        (200, "degraded", {}, "body_degraded", "degraded"),
        (200, "WARN", {}, "body_degraded", "degraded"),
        (200, "DOWN", {}, "body_down", "down"),
        (503, "degraded", {}, "body_degraded", "degraded"),
        (503, "down", {}, "body_down", "down"),
        (503, "ok", {}, "status", "down"),
        (503, None, {}, "status", "down"),
        (404, "degraded", {}, "status", "down"),
        (302, None, {}, "status", "down"),
        (503, "ok", {"expect_status": "200,503"}, "", "up"),
        (503, "degraded", {"expect_status": "200,503"}, "body_degraded", "degraded"),
        (503, "degraded", {"judge_body": False}, "status", "down"),
        (200, "down", {"judge_body": False}, "", "up"),
    ],
)
async def test_status_code_and_body_are_judged_together(
    status: int, word: str | None, told: dict[str, Any], code: str, state: str
) -> None:
    body = as_json({} if word is None else {"status": word}, status)
    looks, failure = await look_at(body, **told)

    assert state == looks.sheet.facts["health.api.state"]
    assert status == looks.sheet.facts["health.api.status"]
    if state == "down":
        assert failure is not None
        assert ("health_url", code) == (failure.layer, failure.code)
        assert CODES["health_url", code].reason == failure.reason
    else:
        assert failure is None
        assert looks.findings == ([(Level.WARN, code)] if code else [])
        assert all(found.reason is Reason.HEALTH_CHECK_FAILED for found in looks.sheet.findings)


@pytest.mark.parametrize("code", ["unreachable", "status", "body_down", "threshold", "stale"])
async def test_every_code_is_told(code: str) -> None:
    limits = ['json("$.queue.depth") < 100', 'age(json("$.updatedAt")) < 1h']
    async with faulty(f"health_url/{code}") as server:
        looks = Looks()
        failure = await looks.look(health_url(server, conditions=limits))

    assert failure is not None
    assert ("health_url", code) == (failure.layer, failure.code)
    assert "`api`" in failure.message


async def test_a_condition_may_only_warn() -> None:
    limits = [
        "warn: latency_ms < 0",
        'info: header("x-none") == 1',
        'said == "ok"',
        "status in 200",
    ]
    looks, failure = await look_at(as_json({"status": "ok"}), conditions=limits)

    assert failure is None
    assert looks.findings == [(Level.WARN, "threshold"), (Level.INFO, "threshold")]


async def test_the_parts_that_are_ill_are_named_and_become_facts() -> None:
    document = {
        "status": "DOWN",
        "components": {
            "db": {"status": "DOWN"},
            "disk": {"status": "UP", "components": {"tmp": {"status": "WARN"}}},
            "ping": {"status": "UP"},
        },
    }
    looks, failure = await look_at(as_json(document, 503))

    assert failure is not None
    assert failure.message.endswith("says `DOWN` (HTTP 503): `db` is down, `disk.tmp` is degraded.")
    facts = looks.sheet.facts
    assert facts["health.api.components.db"] == "down"
    assert facts["health.api.components.disk.tmp"] == "degraded"
    assert facts["health.api.components.ping"] == "up"


async def test_a_part_that_is_ill_in_a_healthy_whole_is_only_told() -> None:
    document = {"status": "ok", "checks": {"mail": "down"}}
    looks, failure = await look_at(as_json(document))

    assert failure is None
    assert looks.findings == [(Level.INFO, "body_degraded")]
    assert "`mail` is down" in looks.sheet.findings[0].message


@pytest.mark.parametrize(
    ("body", "state", "parts"),
    [
        (b"OK", State.UP, {}),
        (b" Healthy\n", State.UP, {}),
        (b"Unhealthy", State.DOWN, {}),
        (b'"degraded"', State.DEGRADED, {}),
        (b"<html>", State.UNKNOWN, {}),
        (b"", State.UNKNOWN, {}),
        (b"{", State.UNKNOWN, {}),
        (b"[1]", State.UNKNOWN, {}),
        (b"[" * 5000, State.UNKNOWN, {}),
        (b'{"ok": true}', State.UP, {}),
        (b'{"healthy": false}', State.DOWN, {}),
        (b'{"status": 503, "error": "x"}', State.UNKNOWN, {}),
        (b'{"status": {"status": "warn"}}', State.DEGRADED, {}),
        (b'{"status": "out of service"}', State.DOWN, {}),
        (b'{"status": "Unknown"}', State.UNKNOWN, {}),
        (
            b'{"status": "Healthy", "entries": {"sql": {"status": "Healthy"}}}',
            State.UP,
            {"sql": "up"},
        ),
        (
            b'{"status": "warn", "checks": {"cassandra:responseTime": [{"status": "pass"}, {"status": "warn"}]}}',
            State.DEGRADED,
            {"cassandra_responseTime": "degraded"},
        ),
        (
            b'{"services": [{"name": "a b", "status": "ok"}, {"id": "c", "ok": false}, 7]}',
            State.DOWN,
            {"a_b": "up", "c": "down"},
        ),
        (
            b'{"dependencies": {"db": true, "cache": "degraded", "n": 4}}',
            State.DEGRADED,
            {"db": "up", "cache": "degraded"},
        ),
        (b'{"details": {"at": "2026-01-01", "db": {"state": "up"}}}', State.UP, {"db": "up"}),
    ],
)
def test_bodies_of_many_makes_are_understood(
    body: bytes, state: State, parts: dict[str, str]
) -> None:
    said = read_body(body)

    assert state is said.state
    assert parts == {name: found.value for name, found in said.parts.items()}


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.sampled_from(["ok", "down", "status", "x"]) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4)
    | st.dictionaries(st.sampled_from(["status", "checks", "components", "entries", "name", "a.b", "ok"]), inner, max_size=4),
    max_leaves=20,
)  # fmt: skip


@given(JSON.map(lambda document: json.dumps(document).encode()) | st.binary(max_size=60))
def test_any_body_is_read_without_an_error(body: bytes) -> None:
    said = read_body(body)

    assert len(said.parts) <= 50
    assert len(said.word) <= 40


async def test_a_large_body_is_read_no_further_than_its_cap() -> None:
    body = b'{"status": "down", "x": "' + b"y" * (MAX_BODY + 1) + b'"}'
    looks, failure = await look_at(Answer(200, {"Content-Type": "application/json"}, body))

    assert failure is None
    assert looks.findings == [(Level.INFO, "status")]


async def test_a_page_where_health_is_due_is_told() -> None:
    looks, failure = await look_at(page("Welcome"))

    assert failure is None
    assert looks.findings == [(Level.INFO, "status")]
    assert "catch-all" in looks.sheet.findings[0].message


async def test_redirects_are_not_followed() -> None:
    async with FaultyMCP(health=Answer(307, {"Location": "/health/two"})) as server:
        failure = await Looks().look(health_url(server))

        assert failure is not None
        assert "redirects, which is not followed" in failure.message
        assert len(server.requests) == 1


async def test_headers_are_sent_and_kept_out_of_the_evidence() -> None:
    def echo(call: Call) -> Answer:
        return as_json(
            {"status": "down", "saw": call.headers.get("x-key", ""), "also": "abc12345"}, 503
        )

    secrets = {"X-Key": "s3cr3t-value", "Authorization": "Token abc12345"}
    async with FaultyMCP(health=echo) as server:
        failure = await Looks().look(health_url(server, headers=secrets))
        agent = server.requests[0].headers["user-agent"]

    assert failure is not None
    assert "[redacted]" in failure.evidence
    assert "s3cr3t" not in failure.evidence
    assert "abc12345" not in failure.evidence
    assert len(failure.evidence.encode()) <= 2048
    assert agent.startswith("lifesign-probe/")


async def test_a_silent_url_is_given_up_in_its_own_time() -> None:
    looks = Looks()
    async with FaultyMCP(health=Answer(is_silent=True)) as server:
        async with asyncio.timeout(2):
            failure = await looks.look(health_url(server, timeout="200ms"))

    assert failure is not None
    assert failure.code == "unreachable"
    assert "http/first_byte_timeout" in failure.message
    assert looks.sheet.facts["health.api.duration_ms"] < 1000


@pytest.mark.parametrize(
    ("weight", "level"), [("degrades", Level.WARN), ("informational", Level.INFO)]
)
async def test_the_weight_says_what_trouble_does(weight: str, level: Level) -> None:
    looks, failure = await look_at(Answer(500), weight=weight)

    assert failure is None
    assert [(level, "status")] == looks.findings


async def test_the_fence_stands_before_health_urls_too() -> None:
    async with FaultyMCP() as server:
        looks = Looks()
        looks.net = Net.open(mode="public")
        failure = await looks.look(health_url(server))

        assert failure is not None
        assert "egress/blocked_address" in failure.message
        assert server.connections == 0


@pytest.mark.slow
async def test_urls_are_asked_at_the_same_time() -> None:
    """One URL is silent until its time is over; the others answer meanwhile, and the sum is no more than the slowest."""

    def by_path(call: Call) -> Answer:
        return Answer(is_silent=True) if "slow" in call.path else as_json({"status": "ok"})

    started = time.perf_counter()
    async with FaultyMCP(health=by_path) as server:
        base = server.url.replace("/mcp", "/health")
        names = ("a", "slow1", "slow2", "slow3", "b")
        urls = [
            HealthURL.model_validate(
                {"name": name, "url": f"{base}/{name}", "timeout": "400ms", "weight": "fails"}
            )
            for name in names
        ]
        looks = Looks()
        failure = await looks.look(*urls)

    assert failure is not None
    assert "`slow1`" in failure.message
    assert [looks.sheet.facts[f"health.{name}.state"] for name in names] == [
        "up",
        "down",
        "down",
        "down",
        "up",
    ]
    assert time.perf_counter() - started < 1


@pytest.mark.parametrize("fault", ["", "initialize/hang", "tools_list/error"])
async def test_health_urls_are_asked_beside_the_probe_however_far_that_gets(fault: str) -> None:
    """A hanging handshake takes all the time there is, and the health URL is still heard."""
    async with FaultyMCP(fault, health=as_json({"status": "down"}, 503)) as server:
        settings = MCPSettings.model_validate(
            {"url": server.url, "era": "legacy", "health": [health_url(server).model_dump()]}
        )
        deadline = asyncio.get_running_loop().time() + 0.6
        observation = await watch(settings, ProbeContext(Net.open(), SystemClock(), deadline))

    assert observation.failure is not None
    assert observation.facts["health.api.state"] == "down"
    seen = f"{observation.failure.layer}/{observation.failure.code}"
    assert seen == (fault or "health_url/body_down")
    beside = [found.code for found in observation.findings if found.layer == "health_url"]
    assert beside == (["body_down"] if fault else [])


async def test_a_url_keeps_its_period_unless_it_is_not_well() -> None:
    def ill_twice(call: Call) -> Answer:
        return as_json({"status": "degraded" if call.nth <= 2 else "ok"})

    clock = FakeClock()
    looks = Looks(clock)
    async with FaultyMCP(health=ill_twice) as server:
        asked = []
        for _ in range(8):
            await looks.look(health_url(server, every="60s"))
            asked.append(len(server.requests))
            clock.advance(20)

    assert asked == [1, 2, 3, 3, 3, 4, 4, 4]
    assert looks.sheet.facts["health.api.state"] == "up"


@pytest.mark.parametrize(
    ("told", "what"),
    [
        ({"url": "ftp://example.org"}, "http"),
        ({"url": "http://u:p@example.org"}, "user name"),
        ({"expect_status": "200-"}, "status codes"),
        ({"conditions": ["stauts == 200"]}, "did you mean 'status'"),
        ({"conditions": ["queue.depth > 1"]}, "known are"),
        ({"name": "My API"}, "pattern"),
        ({"every": "1s"}, "between"),
        ({"headers": {"Content-Length": "3"}}, "set by the probe"),
    ],
)
def test_settings_that_cannot_be_used_are_refused(told: dict[str, Any], what: str) -> None:
    good = {"name": "api", "url": "https://example.org/health"}
    HealthURL.model_validate(good)

    with pytest.raises(ValidationError, match=what):
        HealthURL.model_validate(good | told)
