"""One test per code: the real probe against each switch of the shipped server sees that code and nothing else."""

import ssl
from typing import Any

import pytest
import trustme

from lifesign.net import Net
from lifesign.probes.mcp.codes import CODES
from lifesign.testing import CLIENT_ID, CLIENT_SECRET, EVERYTHING, OPEN_TOKEN, FaultyMCP, Where
from servers.looks import SHORT_S, Look, look, said, switches


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

ENDPOINT = [*switches(Where.ENDPOINT), *switches(Where.HEALTH)]
ELSEWHERE = {"credential/expired", "stdio/not_allowed", "stdio/spawn_failed"}
"""What no server can be at fault for; `test_codes_beyond` brings it about."""


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


def _marked(code: str) -> Any:
    is_slow = LOOKS.get(code, Look()).within == SHORT_S or code.endswith(("buffered", "keepalive"))
    return pytest.param(code, marks=pytest.mark.slow) if is_slow else code


@pytest.mark.parametrize("code", [_marked(code) for code in ENDPOINT])
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


@pytest.mark.parametrize("era", ["legacy", "modern", "dual"])
async def test_a_faithful_server_has_no_code_at_all(era: str, net: Net) -> None:
    every = SEARCH.settings, PROMPT.settings, COMPLETION.settings, asking().settings
    async with FaultyMCP(offer=EVERYTHING, era=era) as server:
        how = Look(lambda server: {key: value for part in every for key, value in part(server).items()})  # fmt: skip
        observation = await look(server, how, net)

    assert said(observation) == []


def test_no_code_is_without_a_test() -> None:
    tested = {*ENDPOINT, *switches(Where.STDIO), *ELSEWHERE}

    assert [f"{layer}/{code}" for layer, code in CODES if f"{layer}/{code}" not in tested] == []
