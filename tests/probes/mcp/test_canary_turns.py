"""When canaries run, and how many at once."""

import asyncio

import pytest
from mcp.server.mcpserver import MCPServer
from mcp_types import ToolAnnotations

from lifesign.clock import FakeClock
from lifesign.probes.mcp.checks.canary import is_any_due, run_canaries
from lifesign.testing import EVERYTHING, Answer, Call, FaultyMCP, reply
from servers.mcp_canary import Visitor, canary
from servers.sdk_mcp import sdk_server

TOOLS = EVERYTHING.tools
CLOCK = {"tool": "clock", "expect": ['age(json("$.now")) < 5m']}


async def test_copies_run_at_once_and_the_slowest_counts() -> None:
    """All four calls have to be under way before the first one is answered."""
    gate, under_way = asyncio.Barrier(4), []
    server = MCPServer("gate")

    @server.tool(annotations=ToolAnnotations(read_only_hint=True))
    async def meet() -> str:
        under_way.append(1)
        async with asyncio.timeout(5), gate:
            return "met"

    async with sdk_server(is_stateless=False, server=server) as url:
        visitor = Visitor(url)
        failure = await visitor.run(
            canary({"tool": "meet", "expect": ['text == "met"']}, concurrency=4)
        )

    assert failure is None
    assert len(under_way) == 4
    assert visitor.opened == 4


async def test_of_several_copies_the_worst_is_told_with_its_share() -> None:
    def fail_twice(call: Call) -> Answer:
        return reply(call, {"content": [], "isError": True}) if call.nth <= 2 else call.faithful()

    async with FaultyMCP(tools=TOOLS, tools_call=fail_twice) as server:
        failure = await Visitor(server.url).run(canary(CLOCK, concurrency=5))

    assert failure is not None
    assert failure.message.startswith("2 of 5 at once: ")


async def test_a_copy_that_gets_no_visit_is_a_failure_of_the_canary() -> None:
    def refuse_later(call: Call) -> Answer:
        return Answer(503) if call.nth > 1 else call.faithful()

    async with FaultyMCP(tools=TOOLS, initialize=refuse_later) as server:
        failure = await Visitor(server.url).run(canary(CLOCK, concurrency=2))

    assert failure is not None
    assert failure.layer == "http"
    assert "one more visit (copy 2 of 2)" in failure.message


async def test_a_canary_keeps_its_period_and_carries_its_last_word_on() -> None:
    clock = FakeClock()
    async with FaultyMCP(tools=TOOLS) as server:
        visitor = Visitor(server.url, clock=clock)
        step = {"tool": "echo", "arguments": {"text": "a"}, "expect": ["info: duration_ms < 0"]}
        calls = []
        for _ in range(6):
            await visitor.run(canary(step, every="5m"))
            calls.append(server.steps.count("tools_call"))
            assert visitor.sheet.facts["canary.bees.state"] == "up"
            assert [found.code for found in visitor.sheet.findings] == ["assertion_failed"]
            assert (calls[-1] != calls[-2] if len(calls) > 1 else True) == (
                "tools_call" in visitor.sheet.phases
            )
            clock.advance(60)

    assert calls == [1, 1, 1, 1, 1, 2]


async def test_whether_the_tools_are_needed_is_known_beforehand() -> None:
    clock = FakeClock()
    async with FaultyMCP(tools=TOOLS) as server:
        visitor = Visitor(server.url, clock=clock)
        echo = canary({"tool": "echo", "arguments": {"text": "a"}}, every="60s")

        assert is_any_due([echo], visitor.context())
        await visitor.run(echo)
        assert not is_any_due([echo], visitor.context())
        assert not is_any_due([], visitor.context())
        clock.advance(57)
        assert is_any_due([echo], visitor.context())


async def test_a_canary_that_is_not_well_runs_with_every_probe() -> None:
    def fail_once(call: Call) -> Answer:
        return reply(call, {"content": [], "isError": True}) if call.nth <= 2 else call.faithful()

    clock = FakeClock()
    async with FaultyMCP(tools=TOOLS, tools_call=fail_once) as server:
        visitor = Visitor(server.url, clock=clock)
        echo = canary({"tool": "echo", "arguments": {"text": "a"}})
        outcomes = []
        for _ in range(4):
            outcomes.append(await visitor.run(echo) is None)
            clock.advance(10)

        assert outcomes == [False, False, True, True]
        assert server.steps.count("tools_call") == 3


async def test_a_changed_canary_runs_at_once_and_a_removed_one_is_forgotten() -> None:
    async with FaultyMCP(tools=TOOLS) as server:
        visitor = Visitor(server.url, clock=FakeClock())
        for word in ("a", "a", "b"):
            await visitor.run(canary({"tool": "echo", "arguments": {"text": word}}))
        await visitor.run()
        await visitor.run(canary({"tool": "echo", "arguments": {"text": "b"}}))

        assert server.steps.count("tools_call") == 3
        assert visitor.sheet.findings == []


async def test_without_time_a_canary_waits_for_the_next_probe() -> None:
    async with FaultyMCP(tools=TOOLS) as server:
        visitor = Visitor(server.url)
        async with visitor.visit() as visit:
            visitor.within = 0.1
            failure = await run_canaries(
                visit, [canary(CLOCK)], visitor.sheet, listed={}, ctx=visitor.context()
            )

        assert failure is None
        assert visitor.sheet.facts["canary.bees.state"] == "unknown"
        assert "tools_call" not in server.steps


async def test_cancellation_ends_a_canary_promptly() -> None:
    async with FaultyMCP(tools=TOOLS, tools_call=Answer(is_silent=True)) as server:
        visitor = Visitor(server.url)
        run = asyncio.create_task(visitor.run(canary(CLOCK, concurrency=3)))
        async with asyncio.timeout(5):
            while server.steps.count("tools_call") < 3:
                await server.asked.wait()
                await asyncio.sleep(0)
        run.cancel()
        async with asyncio.timeout(1):
            with pytest.raises(asyncio.CancelledError):
                await run
