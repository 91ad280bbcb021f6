"""One test per code: the real probe against each switch of the shipped server sees that code and nothing else."""

import asyncio
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
import trustme

from lifesign.clock import SystemClock
from lifesign.core.model import Level, Observation
from lifesign.net import Net
from lifesign.probes.once import observe
from lifesign.probes.registry import ProbeContext, load_kinds
from lifesign.testing import CLIENT_ID, CLIENT_SECRET, FAULTS, OPEN_TOKEN, FaultyMCP, Where

KINDS = load_kinds()

WITHIN_S = 5.0
SHORT_S = 0.8
"""The deadline where something is not answered at all."""

ALL = lambda _: {}  # noqa: E731 - the settings of a probe that is told nothing but the URL


@dataclass(frozen=True)
class Look:
    """What a probe must be told to see a fault, how long it may take, and how often it looks."""

    settings: Callable[[FaultyMCP], dict[str, Any]] = ALL
    within: float = WITHIN_S
    times: int = 1


def told(**settings: Any) -> Look:
    return Look(lambda _: settings)


def calling(tool: str, *expect: str, **more: Any) -> Look:
    canary = {"name": "canary", "tool": tool, "expect": expect, "timeout": "500ms"} | more
    return told(canaries=[canary])


def asking(**check: Any) -> Look:
    def settings(server: FaultyMCP) -> dict[str, Any]:
        return {"health": [{"name": "part", "url": server.health_url} | check]}

    return Look(settings)


def minting(_: FaultyMCP) -> dict[str, Any]:
    return {"oauth": {"client_id": CLIENT_ID, "client_secret": CLIENT_SECRET}}


SILENT = Look(within=SHORT_S)
KEY = told(bearer_token="a-key-of-ours")
SEARCH = calling("search_documents", 'json("$.total_results") > 0', arguments={"query": "bees"})
PROMPT = told(prompt={"name": "greet"})
COMPLETION = told(completion={"prompt": "greet", "argument": "name", "value": "a"})

LOOKS = {
    "tls/handshake_timeout": SILENT,
    "http/first_byte_timeout": SILENT,
    "http/read_timeout": SILENT,
    "auth/forbidden": KEY,
    "auth/insufficient_scope": KEY,
    "auth/token_rejected": KEY,
    "auth/open_to_all": KEY,
    "auth/refused_oddly": told(bearer_token=OPEN_TOKEN),
    "credential/refresh_failed": Look(minting),
    "discover/hang": SILENT,
    "initialize/hang": SILENT,
    "tools_list/hang": SILENT,
    "tools_list/unstable_order": Look(times=3),
    "tools_call/tool_missing": SEARCH,
    "tools_call/not_read_only": SEARCH,
    "tools_call/error": SEARCH,
    "tools_call/is_error": SEARCH,
    "tools_call/assertion_failed": SEARCH,
    "tools_call/stale_result": calling("clock", 'age(json("$.now")) < 1h'),
    "tools_call/degraded_result": SEARCH,
    "tools_call/input_required": SEARCH,
    "tools_call/output_schema_violation": calling("search_documents", arguments={"query": "bees"}),
    "tools_call/malformed": SEARCH,
    "tools_call/tool_timeout": SEARCH,
    "resources/error": told(resource={}),
    "resources/stale": told(resource={"uri": "lifesign://status", "timestamp": "$.updatedAt", "max_age": "1h"}),
    "resources/hang": Look(lambda _: {"resource": {}}, SHORT_S),
    "prompts/error": PROMPT,
    "prompts/empty": PROMPT,
    "prompts/hang": Look(PROMPT.settings, SHORT_S),
    "completion/error": COMPLETION,
    "completion/slow": Look(COMPLETION.settings, SHORT_S),
    "session/sse_no_endpoint": SILENT,
    "session/sse_buffered": told(stream={"tool": "count", "arguments": {"steps": 3}}),
    "session/no_keepalive": told(stream={"alive": "300ms"}),
    "health_url/unreachable": asking(),
    "health_url/status": asking(),
    "health_url/body_down": asking(),
    "health_url/body_degraded": asking(),
    "health_url/threshold": asking(conditions=['json("$.queue.depth") < 100']),
    "health_url/stale": asking(conditions=['age(json("$.updatedAt")) < 1h']),
}  # fmt: skip
"""What is not here is seen by a probe that is told nothing but the URL."""

OVER_TLS = {"http/redirect_downgrade"}

HOSTILE = {
    "hostile/endless_body": "http/body_too_large",
    "hostile/byte_a_second": "http/read_timeout",
    "hostile/byte_a_second_events": "initialize/hang",
    "hostile/endless_comments": "initialize/hang",
    "hostile/endless_event": "http/body_too_large",
    "hostile/silent_stream": "initialize/hang",
    "hostile/gzip_bomb": "http/body_too_large",
    "hostile/large_list": "http/body_too_large",
    "hostile/many_tools": "tools_list/truncated",
    "hostile/endless_pages": "tools_list/truncated",
    "hostile/deep_schema": "jsonrpc/too_deep",
    "hostile/recursive_schema": "ok",
    "hostile/result_and_error": "jsonrpc/not_jsonrpc",
    "hostile/id_reuse": "jsonrpc/id_mismatch",
    "hostile/interim_flood": "http/bad_response",
    "hostile/reset_after_head": "tcp/reset",
    "hostile/unreadable_redirect": "http/moved_redirect",
    "hostile/huge_header": "http/header_too_large",
}
"""What the probe says of a server that means harm."""


@pytest.fixture(scope="module")
def net() -> Net:
    return Net.open()


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


def server_context(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    return context


async def look(server: FaultyMCP, how: Look, net: Net, **more: Any) -> Observation:
    """The last of so many looks at a server, by one monitor that remembers."""
    settings = KINDS["mcp"].settings.model_validate(
        {"url": server.url} | how.settings(server) | more
    )
    memory: dict[str, object] = {}
    for _ in range(how.times):
        deadline = asyncio.get_running_loop().time() + how.within
        context = ProbeContext(net, SystemClock(), deadline, memory=memory)
        observation = await observe(KINDS["mcp"], settings, context)
    return observation


def said(observation: Observation) -> list[str]:
    """Every layer and code that is told, the failure first."""
    failure = [observation.failure] if observation.failure else []
    return [f"{told.layer}/{told.code}" for told in (*failure, *observation.findings)]


def of(where: Where, *, is_hostile: bool = False) -> list[str]:
    found = (code for code, fault in FAULTS.items() if fault.where is where)
    return [code for code in found if code.startswith("hostile/") is is_hostile]


@pytest.mark.parametrize("code", [*of(Where.ENDPOINT), *of(Where.HEALTH)])
async def test_each_switch_is_seen_as_its_code(code: str, net: Net, authority: trustme.CA) -> None:
    is_tls = code in OVER_TLS
    tls = server_context(authority) if is_tls else None
    more = {"ca_pem": authority.cert_pem.bytes().decode()} if is_tls else {}
    async with FaultyMCP(code, tls=tls) as server:
        observation = await look(server, LOOKS.get(code, Look()), net, **more)

    assert said(observation) == [code]


async def test_a_server_that_asks_strangers_to_sign_in_is_well(net: Net) -> None:
    async with FaultyMCP("auth/required") as server:
        observation = await look(server, Look(), net)

    assert observation.failure is None
    assert observation.facts["auth.state"] == "required"


@pytest.mark.parametrize("code", of(Where.ENDPOINT, is_hostile=True))
async def test_a_server_that_means_harm_is_named_in_time(code: str, net: Net) -> None:
    within = SHORT_S if "timeout" in HOSTILE[code] or "hang" in HOSTILE[code] else WITHIN_S
    async with FaultyMCP(code) as server:
        started = asyncio.get_running_loop().time()
        observation = await look(server, Look(within=within), net)
        took = asyncio.get_running_loop().time() - started

    assert (said(observation) or ["ok"])[0] == HOSTILE[code]
    assert took < within + 0.5


@pytest.mark.parametrize("era", ["legacy", "modern", "dual"])
async def test_a_faithful_server_has_no_code_at_all(era: str, net: Net) -> None:
    every = SEARCH.settings, PROMPT.settings, COMPLETION.settings, asking().settings
    async with FaultyMCP(offer=FAULTS["auth/open_to_all"].ways.offer, era=era) as server:
        how = Look(lambda server: {key: value for part in every for key, value in part(server).items()})  # fmt: skip
        observation = await look(server, how, net)

    assert said(observation) == []
