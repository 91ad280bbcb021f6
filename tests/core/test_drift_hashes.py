"""What a server publishes has one name, and each of the six hashes follows its own part of it."""

import random
import unicodedata
from collections.abc import Callable
from copy import deepcopy
from typing import Any

import httpx2
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mcp.server.mcpserver import MCPServer
from mcp.types import Icon, ToolAnnotations

from lifesign.core.drift.canonical import TooDeepError
from lifesign.core.drift.hashes import digest_of, surface_of, tool_hashes
from servers.sdk_mcp import sdk_server

PARTS: dict[str, Any] = {
    "tools": [
        {
            "name": "search",
            "title": "Search",
            "description": "Sucht Bücher – über alles.",
            "inputSchema": {
                "type": "object",
                "properties": {
                    "query": {"type": "string", "description": "What to find.", "minLength": 1},
                    "limit": {"type": ["integer", "null"], "default": 10, "maximum": 50},
                    "description": {"type": "string", "enum": ["long", "short"]},
                },
                "required": ["query", "limit"],
            },
            "annotations": {"readOnlyHint": True},
        },
        {"name": "add", "inputSchema": {"type": "object"}, "outputSchema": {"type": "object"}},
    ],
    "resources": [{"uri": "file:///b", "name": "b"}, {"uri": "file:///a", "name": "a", "size": 3}],
    "resourceTemplates": [{"uriTemplate": "db://{table}", "name": "table"}],
    "prompts": [{"name": "greet", "arguments": [{"name": "who", "required": True}]}],
    "capabilities": {"tools": {"listChanged": True}, "prompts": {}},
    "serverInfo": {"name": "books", "title": "Books", "version": "1.2"},
    "instructions": "Search before you answer.",
}

Edit = Callable[[dict[str, Any]], object]


def edited(edit: Edit) -> dict[str, Any]:
    parts = deepcopy(PARTS)
    edit(parts)
    return parts


def shuffled(value: Any, rng: random.Random) -> Any:
    """The value with the keys of every object in another order; lists keep theirs."""
    if isinstance(value, dict):
        keys = rng.sample(list(value), len(value))
        return {key: shuffled(value[key], rng) for key in keys}
    return [shuffled(each, rng) for each in value] if isinstance(value, list) else value


def decomposed(value: Any) -> Any:
    if isinstance(value, dict):
        return {unicodedata.normalize("NFD", k): decomposed(v) for k, v in value.items()}
    if isinstance(value, list):
        return [decomposed(each) for each in value]
    if isinstance(value, str):
        return unicodedata.normalize("NFD", value)
    return float(value) if type(value) is int else value


@given(st.integers(), st.booleans())
def test_order_and_form_never_change_anything(seed: int, decompose: bool) -> None:
    rng = random.Random(seed)
    parts = shuffled(PARTS, rng)
    for name in ("tools", "resources", "resourceTemplates", "prompts"):
        rng.shuffle(parts[name])
    if decompose:
        parts = decomposed(parts)

    assert surface_of(parts) == surface_of(PARTS)


@given(st.integers(0, 2), st.booleans())
def test_the_split_into_pages_never_changes_anything(cut: int, is_reversed: bool) -> None:
    """What comes page by page is merged in the order of the pages, whichever page a tool is on."""
    pages = [PARTS["tools"][:cut], PARTS["tools"][cut:]]
    merged = [tool for page in (pages[::-1] if is_reversed else pages) for tool in page]

    assert surface_of(PARTS | {"tools": merged}) == surface_of(PARTS)


NOISE: list[Edit] = [
    lambda p: p["tools"][0].update(_meta={"a": 1}, icons=[{"src": "x"}], execution={"taskSupport": "optional"}),
    lambda p: p.update(nextCursor="x", ttlMs=5, cacheScope="public", resultType="complete", _meta={}),
    lambda p: p["tools"][1].update(description=None, title=None),
    lambda p: p["capabilities"].update(logging={}, tools={}, experimental={"x": {}}),
    lambda p: p["resources"][1].update(size=4, annotations={"lastModified": "2026-01-01"}),
    lambda p: p["serverInfo"].update(icons=[{"src": "x"}]),
    lambda p: p.update(protocolVersion="2024-11-05"),
]  # fmt: skip


@pytest.mark.parametrize("edit", NOISE)
def test_noise_of_transport_and_era_changes_nothing(edit: Edit) -> None:
    assert surface_of(edited(edit)) == surface_of(PARTS)


CHANGES: list[tuple[Edit, set[str]]] = [
    (lambda p: p["tools"].pop(), {"names", "struct", "contract", "full", "tools"}),
    (lambda p: p["tools"][0].update(name="find"), {"names", "struct", "contract", "full", "tools"}),
    (lambda p: p["tools"][0]["inputSchema"]["properties"]["query"].update(type="number"), {"struct", "contract", "full", "tools"}),
    (lambda p: p["tools"][0]["inputSchema"]["properties"].pop("description"), {"struct", "contract", "full", "tools"}),
    (lambda p: p["tools"][0]["inputSchema"]["properties"]["query"].update(description="X"), {"contract", "full", "tools"}),
    (lambda p: p["tools"][0]["inputSchema"]["properties"]["limit"].update(default=11), {"contract", "full", "tools"}),
    (lambda p: p["tools"][0]["inputSchema"]["required"].reverse(), {"contract", "full", "tools"}),
    (lambda p: p["tools"][0]["inputSchema"]["properties"]["limit"]["type"].reverse(), {"contract", "full", "tools"}),
    (lambda p: p["tools"][0].update(description="X"), {"full", "tools"}),
    (lambda p: p["tools"][0].update(title="X"), {"full", "tools"}),
    (lambda p: p["tools"][0]["annotations"].update(readOnlyHint=False), {"full", "tools"}),
    (lambda p: p["tools"][1]["outputSchema"].update(required=["x"]), {"full", "tools"}),
    (lambda p: p["resources"].pop(), {"surface"}),
    (lambda p: p["resourceTemplates"].pop(), {"surface"}),
    (lambda p: p["prompts"][0]["arguments"].pop(), {"surface"}),
    (lambda p: p.update(instructions="X"), {"surface"}),
    (lambda p: p["serverInfo"].update(name="x"), {"surface"}),
    (lambda p: p["serverInfo"].update(title="x"), {"surface"}),
]  # fmt: skip


@pytest.mark.parametrize(("edit", "changed"), CHANGES)
def test_each_change_moves_the_digest_and_its_own_hashes(edit: Edit, changed: set[str]) -> None:
    before, after = surface_of(PARTS), surface_of(edited(edit))

    assert after.digest != before.digest
    assert {name for name in before.hashes if before.hashes[name] != after.hashes[name]} == changed


@pytest.mark.parametrize(
    "edit",
    [
        lambda p: p["serverInfo"].update(version="1.3"),
        lambda p: p["capabilities"].update(completions={}),
    ],
)
def test_version_and_offers_are_told_and_no_drift(edit: Edit) -> None:
    before, after = surface_of(PARTS), surface_of(edited(edit))

    assert after.digest == before.digest
    assert after.hashes["surface"] != before.hashes["surface"]
    assert after.document != before.document


def test_the_digest_can_be_told_from_the_document() -> None:
    surface = surface_of(PARTS, audience="key-1")

    assert surface.document is not None
    assert digest_of(surface.document) == surface.digest
    assert surface.digest.startswith("v1:")
    assert set(surface.hashes) == {"names", "struct", "contract", "full", "tools", "surface"}
    assert surface.audience == "key-1"


def test_the_name_of_an_algorithm_is_a_promise() -> None:
    """A digest that moves for the same server would be drift everywhere: change VERSION with it."""
    assert (
        surface_of(PARTS).digest
        == "v1:b17fef06a954ce37f56b07033aa0b51ebfc3fab8701719845dfe0e5cafa4d908"
    )


def test_tools_have_hashes_by_name() -> None:
    twin = edited(lambda p: p["tools"].append({"name": "add", "inputSchema": {"type": "object"}}))

    before, after = (tool_hashes(surface_of(each).document or b"") for each in (PARTS, twin))

    assert set(after) == {"add", "add (2)", "search"}
    assert before["search"] == after["search"]
    assert before["add"] in after.values()


def test_what_is_no_list_of_objects_is_left_out() -> None:
    odd = surface_of({"tools": [1, "x", None], "prompts": "no", "serverInfo": 7, "instructions": 3})

    assert odd == surface_of({})


def test_a_schema_too_deep_is_refused_and_one_that_is_not_can_be_read_again() -> None:
    def parts(levels: int) -> dict[str, Any]:
        schema: dict[str, Any] = {"type": "object"}
        for _ in range(levels):
            schema = {"items": schema}
        return {"tools": [{"name": "deep", "inputSchema": schema}]}

    surface = surface_of(parts(490))

    assert digest_of(surface.document or b"") == surface.digest
    with pytest.raises(TooDeepError):
        surface_of(parts(1000))


async def ask(client: httpx2.AsyncClient, url: str, method: str, **headers: str) -> dict[str, Any]:
    """One request of either era to the SDK's server; the `result`."""
    params: dict[str, Any] = {}
    if "MCP-Protocol-Version" in headers and "Mcp-Method" in headers:
        params = {
            "_meta": {
                "io.modelcontextprotocol/protocolVersion": "2026-07-28",
                "io.modelcontextprotocol/clientCapabilities": {},
            }
        }
    elif method == "initialize":
        params = {
            "protocolVersion": "2025-11-25",
            "capabilities": {},
            "clientInfo": {"name": "test", "version": "1"},
        }
    accept = {"accept": "application/json, text/event-stream"}
    body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
    response = await client.post(url, headers={**accept, **headers}, json=body)
    result = msgspec.json.decode(response.content)["result"]
    assert isinstance(result, dict)
    return result


LISTS = {
    "tools/list": "tools",
    "prompts/list": "prompts",
    "resources/list": "resources",
    "resources/templates/list": "resourceTemplates",
}


def rich_server() -> MCPServer:
    """A server of the SDK that publishes some of everything, icons too."""
    icon = [Icon(src="https://example.org/icon.png")]
    server = MCPServer(
        "oracle", title="The Oracle", version="7.1", instructions="Ask – nicely.", icons=icon
    )

    @server.tool(title="Adder", annotations=ToolAnnotations(read_only_hint=True), icons=icon)
    def add(a: int, b: int = 3) -> int:
        """Add two numbers."""
        return a + b

    @server.tool()
    def names(prefix: str | None = None) -> list[str]:
        """List names."""
        return [prefix or ""]

    @server.prompt(title="Greeting")
    def greet(who: str, how: str = "kindly") -> str:
        """Greet somebody."""
        return f"{who} {how}"

    @server.resource("status://all", mime_type="text/plain")
    def everything() -> str:
        """All of it."""
        return ""

    @server.resource("status://servers/{slug}")
    def one(slug: str) -> str:
        """One of them."""
        return slug

    return server


async def test_the_sdks_server_publishes_the_same_in_both_eras(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("servers.sdk_mcp.build_server", rich_server)
    async with sdk_server(is_stateless=True) as url, httpx2.AsyncClient() as client:
        greeting = await ask(client, url, "initialize")
        old, new = {"MCP-Protocol-Version": "2025-11-25"}, {"MCP-Protocol-Version": "2026-07-28"}
        found = await ask(client, url, "server/discover", **new, **{"Mcp-Method": "server/discover"})  # fmt: skip
        legacy: dict[str, Any] = {**greeting}
        modern = {**found, "serverInfo": found["_meta"]["io.modelcontextprotocol/serverInfo"]}
        for method, name in LISTS.items():
            legacy[name] = (await ask(client, url, method, **old))[name]
            modern[name] = (await ask(client, url, method, **new, **{"Mcp-Method": method}))[name]

    assert surface_of(legacy) == surface_of(modern)
    assert greeting["capabilities"] != found["capabilities"]
    assert all(len(modern[name]) > 0 for name in LISTS.values())
