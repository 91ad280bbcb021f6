"""The published surface: named once, recognised by its bytes, read again when it changes or is due."""

import asyncio
from dataclasses import replace

import pytest

from lifesign.clock import SystemClock
from lifesign.net import Net
from lifesign.probes.mcp import MCPSettings, watch
from lifesign.probes.mcp.checks import surface as looks
from lifesign.probes.registry import ProbeContext
from lifesign.testing import EVERYTHING, Era, FaultyMCP, Framing, Transport, error


class Later(SystemClock):
    ahead_s = 0.0

    def monotonic(self) -> float:
        return super().monotonic() + self.ahead_s


class Watcher:
    """One monitor over several looks."""

    def __init__(self, url, **settings):
        self.settings = MCPSettings(url=url, **{"session_calls": 0} | settings)
        self.memory: dict[str, object] = {}
        self.clock = Later()

    async def look(self):
        deadline = asyncio.get_running_loop().time() + 5
        context = ProbeContext(Net.open(), self.clock, deadline, memory=self.memory)
        seen = await watch(self.settings, context)
        assert seen.failure is None
        return seen


def asked(server):
    return [call.json.get("method") for call in server.requests if call.body]


async def test_an_unchanged_list_is_recognised_by_its_bytes(monkeypatch):
    async with FaultyMCP(offer=EVERYTHING) as server:
        watcher = Watcher(server.url)
        one = await watcher.look()
        monkeypatch.setattr(looks, "surface_of", lambda *_, **__: pytest.fail("looked into again"))
        server.requests.clear()
        two = await watcher.look()

    assert one.surface.digest == two.surface.digest
    assert (one.surface.document is None, two.surface.document) == (False, None)
    assert one.surface.hashes == two.surface.hashes
    assert asked(server).count("tools/list") == 1
    assert "resources/list" not in asked(server)


async def test_a_changed_list_brings_its_document():
    async with FaultyMCP(offer=EVERYTHING) as server:
        watcher = Watcher(server.url)
        one = await watcher.look()
        server.redeploy(tools=EVERYTHING.tools[:3])
        two = await watcher.look()

    assert one.surface.digest != two.surface.digest
    assert two.surface.document is not None
    assert two.facts["tools.count"] == 3


async def test_whoever_misses_the_document_gets_it_again():
    async with FaultyMCP(offer=EVERYTHING) as server:
        watcher = Watcher(server.url)
        await watcher.look()
        del watcher.memory[looks.MEMORY]
        again = await watcher.look()

    assert again.surface.document is not None


async def test_the_other_lists_are_read_again_when_they_are_due():
    async with FaultyMCP(offer=EVERYTHING) as server:
        watcher = Watcher(server.url)
        one = await watcher.look()
        server.redeploy(offer=replace(EVERYTHING, prompts=()))
        two = await watcher.look()
        watcher.clock.ahead_s = looks.OTHERS_EVERY_S + 1
        three = await watcher.look()

    assert one.surface.digest == two.surface.digest
    assert three.surface.digest != one.surface.digest


async def test_a_list_that_fails_is_told_and_asked_for_again_at_once():
    failing = error(-32603)
    async with FaultyMCP(offer=EVERYTHING, prompts_list=failing) as server:
        watcher = Watcher(server.url)
        one = await watcher.look()
        server.requests.clear()
        await watcher.look()

    assert [(told.layer, told.code) for told in one.findings] == [("prompts", "error")]
    assert one.surface is None
    assert "prompts/list" in asked(server)


@pytest.mark.parametrize(
    "ways",
    [
        {"era": Era.LEGACY},
        {"era": Era.MODERN},
        {"transport": Transport.SSE},
        {"framing": Framing(is_sse=True)},
        {"page_size": 2},
    ],
)
async def test_the_digest_is_the_same_in_every_era_transport_framing_and_paging(ways):
    async with FaultyMCP(offer=EVERYTHING) as plain, FaultyMCP(offer=EVERYTHING, **ways) as other:
        expected = await Watcher(plain.url).look()
        found = await Watcher(other.url).look()

    assert expected.surface.digest == found.surface.digest
    assert expected.surface.hashes == found.surface.hashes


async def test_resources_that_are_data_are_no_part_of_it():
    async with FaultyMCP(offer=EVERYTHING) as server:
        watcher = Watcher(server.url, resources_are_data=True)
        one = await watcher.look()
        server.redeploy(offer=replace(EVERYTHING, resources=EVERYTHING.resources[:1]))
        watcher.clock.ahead_s = looks.OTHERS_EVERY_S + 1
        two = await watcher.look()

    assert one.surface.digest == two.surface.digest


async def test_the_same_tools_in_another_order_are_no_drift_and_told():
    async with FaultyMCP(offer=EVERYTHING) as server:
        watcher = Watcher(server.url)
        one = await watcher.look()
        server.redeploy(tools=tuple(reversed(EVERYTHING.tools)))
        two = await watcher.look()

    assert one.surface.digest == two.surface.digest
    assert [told.code for told in two.findings] == ["unstable_order"]
