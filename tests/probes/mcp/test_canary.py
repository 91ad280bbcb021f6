"""Canary calls over real sockets: every code, the round trips, polling, copies at once, and when they are due."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest
from mcp.server.mcpserver import MCPServer
from mcp_types import ToolAnnotations

from lifesign.clock import FakeClock
from lifesign.core.model import Level
from lifesign.probes.mcp.checks.canary import is_any_due, run_canaries
from lifesign.probes.mcp.client.wire import Era
from lifesign.probes.mcp.codes import CODES
from lifesign.testing import EVERYTHING, Answer, Call, FaultyMCP, Tool, faulty, merged, reply, text
from lifesign.testing import Era as ServedEra
from servers.mcp_canary import Visitor, canary
from servers.sdk_mcp import sdk_server

TOOLS = EVERYTHING.tools
SEARCH = {
    "tool": "search_documents",
    "arguments": {"query": "bees"},
    "expect": ['json("$.total_results") > 0', 'any(json("$.results[*].id")) == "doc-1"'],
}
CLOCK = {"tool": "clock", "expect": ['age(json("$.now")) < 5m']}


def search_tool() -> str:
    return next(tool.name for tool in TOOLS if "search" in tool.name)


@pytest.fixture
async def visitor():
    async with FaultyMCP(tools=TOOLS) as server:
        yield Visitor(server.url)


async def test_a_canary_that_is_well_tells_its_facts(visitor: Visitor) -> None:
    assert await visitor.run(canary(SEARCH)) is None

    facts = visitor.sheet.facts
    assert facts["canary.bees.state"] == "up"
    assert 0 < facts["canary.bees.duration_ms"] < 5000
    assert str(facts["canary.bees.checked_at"]).endswith("+00:00")
    assert visitor.sheet.phases["tools_call"] > 0
    assert visitor.sheet.findings == []


@pytest.mark.parametrize(
    ("code", "step"),
    [
        ("tool_missing", SEARCH),
        ("not_read_only", SEARCH),
        ("error", SEARCH),
        ("malformed", SEARCH),
        ("is_error", SEARCH),
        ("assertion_failed", SEARCH),
        ("stale_result", CLOCK),
        ("degraded_result", SEARCH),
        ("input_required", SEARCH),
        ("output_schema_violation", SEARCH),
        ("tool_timeout", SEARCH),
    ],
)
async def test_every_code_is_told(code: str, step: dict[str, Any]) -> None:
    async with faulty(f"tools_call/{code}") as server:
        era = Era.MODERN if code == "input_required" else Era.LEGACY
        visitor = Visitor(server.url, era=era)
        failure = await visitor.run(canary(step, timeout="400ms"))

    entry = CODES["tools_call", code]
    if code == "degraded_result":
        assert failure is None
        assert [(Level.WARN, code)] == [(f.level, f.code) for f in visitor.sheet.findings]
        assert visitor.sheet.facts["canary.bees.state"] == "degraded"
        return
    assert failure is not None
    assert ("tools_call", code) == (failure.layer, failure.code)
    assert (entry.reason, entry.remedy) == (failure.reason, failure.remedy)
    assert "bees" in failure.message
    assert visitor.sheet.facts["canary.bees.state"] == "down"


@pytest.mark.parametrize(
    "result", [[], {}, {"content": "none"}, {"content": ["x"]}, {"content": None}]
)
async def test_a_result_without_content_is_malformed(result: object) -> None:
    async with FaultyMCP(tools=TOOLS, tools_call=lambda call: reply(call, result)) as server:
        failure = await Visitor(server.url).run(canary(SEARCH))

    assert failure is not None
    assert failure.code == "malformed"


async def test_a_missing_or_writing_tool_is_never_called() -> None:
    writes = {"tool": "write_note", "arguments": {"name": "a", "text": "b"}}
    async with FaultyMCP(tools=TOOLS) as server:
        visitor = Visitor(server.url)
        missing = await visitor.run(canary(SEARCH, {"tool": "no_such_tool"}))
        writing = await visitor.run(canary(SEARCH, writes))

        assert missing is not None
        assert missing.code == "tool_missing"
        assert writing is not None
        assert writing.code == "not_read_only"
        assert "tools_call" not in server.steps


@pytest.mark.parametrize("era", list(Era))
async def test_what_one_call_gives_is_used_by_the_next_and_cleaned_up(era: Era) -> None:
    """Write, read and delete, under a name that no other run has."""
    steps = (
        {"tool": "write_note", "arguments": {"name": "${run}", "text": "seven ${now}"}},
        {
            "tool": "read_note",
            "arguments": {"name": "${run}"},
            "expect": ['text starts with "seven 20"'],
            "take": {"words": "text"},
        },
        {
            "tool": "echo",
            "arguments": {"text": "<${words}>"},
            "expect": ['text matches "^<seven .*>$"'],
        },
        {"tool": "delete_note", "arguments": {"name": "${run}"}, "cleanup": True},
    )
    async with FaultyMCP(tools=TOOLS, era=ServedEra(era)) as server:
        visitor = Visitor(server.url, era=era)

        assert await visitor.run(canary(*steps, allow_writes=True)) is None
        names = [
            call.json["params"]["arguments"].get("name")
            for call in server.requests
            if call.step == "tools_call"
        ]
    assert len(names) == 4
    assert names[0] == names[1] == names[3]
    assert str(names[0]).startswith("lifesign-")


async def test_what_was_made_is_removed_after_a_failure_too() -> None:
    steps = (
        {"tool": "write_note", "arguments": {"name": "${run}", "text": "x"}},
        {"tool": "read_note", "arguments": {"name": "${run}"}, "expect": ['text == "y"']},
        {"tool": "echo", "arguments": {"text": "never"}},
        {"tool": "delete_note", "arguments": {"name": "${run}"}, "cleanup": True},
    )
    async with FaultyMCP(tools=TOOLS) as server:
        failure = await Visitor(server.url).run(canary(*steps, allow_writes=True))
        called = [c.json["params"]["name"] for c in server.requests if c.step == "tools_call"]

    assert failure is not None
    assert 'expected `text == "y"` and found x' in failure.message
    assert called == ["write_note", "read_note", "delete_note"]


async def test_a_hanging_call_leaves_time_to_clean_up() -> None:
    def hang_on_echo(call: Call) -> Answer:
        is_echo = call.json["params"]["name"] == "echo"
        return Answer(is_silent=True) if is_echo else call.faithful()

    steps = (
        {"tool": "echo", "arguments": {"text": "x"}},
        {"tool": "delete_note", "arguments": {"name": "a"}, "cleanup": True},
    )
    async with FaultyMCP(tools=TOOLS, tools_call=hang_on_echo) as server:
        visitor = Visitor(server.url, within=1.0)
        failure = await visitor.run(canary(*steps, allow_writes=True, timeout="10s"))
        called = [c.json["params"]["name"] for c in server.requests if c.step == "tools_call"]

    assert failure is not None
    assert failure.code == "tool_timeout"
    assert "lay beyond the end of this probe" in failure.message
    assert "longer time-out" in failure.remedy
    assert called == ["echo", "delete_note"]


async def test_a_clean_up_whose_thing_was_never_made_is_left_out() -> None:
    steps = (
        {"tool": "start_job", "expect": ['json("$.status") == "done"'], "take": {"job": "$.job"}},
        {"tool": "job_status", "arguments": {"job": "${job}"}, "cleanup": True},
    )
    async with FaultyMCP(tools=TOOLS) as server:
        failure = await Visitor(server.url).run(canary(*steps, allow_writes=True))

        assert failure is not None
        assert server.steps.count("tools_call") == 1


async def test_polling_calls_until_the_expectations_hold() -> None:
    done = ['json("$.status") == "done"']
    steps = (
        {"tool": "start_job", "take": {"job": "$.job"}},
        {
            "tool": "job_status",
            "arguments": {"job": "${job}"},
            "expect": done,
            "poll": {"every": "100ms", "within": "3s"},
        },
    )
    async with FaultyMCP(tools=TOOLS) as server:
        assert await Visitor(server.url).run(canary(*steps, allow_writes=True)) is None
        assert server.steps.count("tools_call") == 4


async def test_polling_ends_at_its_limit_and_says_how_often_it_asked() -> None:
    step = {
        "tool": "clock",
        "expect": ['json("$.now") == 1'],
        "poll": {"every": "100ms", "within": "250ms"},
    }
    async with FaultyMCP(tools=TOOLS) as server:
        failure = await Visitor(server.url).run(canary(step))
        calls = server.steps.count("tools_call")

    assert failure is not None
    assert failure.code == "assertion_failed"
    assert failure.message.startswith(f"After {calls} calls: ")
    assert calls in (2, 3)


async def test_what_cannot_be_taken_is_a_failure() -> None:
    step = {"tool": "clock", "take": {"id": "$.id"}}
    async with FaultyMCP(tools=TOOLS) as server:
        failure = await Visitor(server.url).run(canary(step))

    assert failure is not None
    assert "was to give `id` ($.id) and gave nothing" in failure.message


@pytest.mark.parametrize(
    ("weight", "level"), [("degrades", Level.WARN), ("informational", Level.INFO)]
)
async def test_the_weight_says_what_a_failure_does(weight: str, level: Level) -> None:
    async with faulty("tools_call/is_error") as server:
        visitor = Visitor(server.url)
        failure = await visitor.run(canary(SEARCH, weight=weight))

    assert failure is None
    assert [(level, "tools_call", "is_error")] == [
        (found.level, found.layer, found.code) for found in visitor.sheet.findings
    ]
    assert visitor.sheet.facts["canary.bees.state"] == "down"


async def test_levels_of_conditions_count() -> None:
    step = {"tool": "clock", "expect": ["warn: duration_ms < 0", "info: ttfb_ms < 0"]}
    async with FaultyMCP(tools=TOOLS) as server:
        visitor = Visitor(server.url)

        assert await visitor.run(canary(step)) is None
    assert [found.level for found in visitor.sheet.findings] == [Level.WARN, Level.INFO]
    assert visitor.sheet.facts["canary.bees.state"] == "degraded"


async def test_expecting_an_error_or_degradation_takes_the_place_of_the_usual_demand() -> None:
    failing = {"tool": "read_note", "arguments": {"name": "none"}, "expect": ["is_error == true"]}
    async with FaultyMCP(tools=TOOLS) as server:
        assert await Visitor(server.url).run(canary(failing)) is None

    degraded = SEARCH | {"expect": ["meta.degraded == true"]}
    async with faulty("tools_call/degraded_result") as server:
        visitor = Visitor(server.url)
        assert await visitor.run(canary(degraded)) is None
        assert visitor.sheet.findings == []


async def test_the_output_schema_can_be_left_out() -> None:
    async with faulty("tools_call/output_schema_violation") as server:
        step = {"tool": "search_documents", "arguments": {"query": "a"}, "output_schema": False}

        assert await Visitor(server.url).run(canary(step)) is None


async def test_a_declared_output_schema_demands_structured_content() -> None:
    async with FaultyMCP(tools=TOOLS, tools_call=merged(structuredContent=None)) as server:
        failure = await Visitor(server.url).run(
            canary({"tool": "search_documents", "arguments": {"query": "a"}})
        )

    assert failure is not None
    assert failure.code == "output_schema_violation"
    assert "there is none" in failure.message


async def test_evidence_is_bounded_and_carries_no_secret() -> None:
    leak = f"token s3cret-token {'é' * 5000}"
    answer = {"content": [text(leak)], "isError": True}
    async with FaultyMCP(tools=TOOLS, tools_call=lambda call: reply(call, answer)) as server:
        failure = await Visitor(server.url).run(canary(SEARCH))

    assert failure is not None
    assert 100 < len(failure.evidence.encode()) <= 2048
    assert "s3cret" not in failure.evidence
    assert "[redacted]" in failure.evidence


async def test_pictures_and_documents_are_decoded() -> None:
    picture = {
        "tool": "picture",
        "expect": ["content.decodes == true", 'content.mime == "image/png"', "content.bytes > 60"],
    }
    document = {
        "tool": "document",
        "expect": ["content.decodes == true", 'content.type == "resource"', "content.count == 1"],
    }
    async with FaultyMCP(tools=TOOLS) as server:
        assert await Visitor(server.url).run(canary(picture, document)) is None

    def halved(call: Call) -> Answer:
        message = call.faithful().message
        block = message["result"]["content"][0]
        return reply(call, {"content": [block | {"data": block["data"][:40]}]})

    async with FaultyMCP(tools=TOOLS, tools_call=halved) as server:
        failure = await Visitor(server.url).run(canary(picture))
    assert failure is not None
    assert "expected `content.decodes == true` and found false" in failure.message


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


Result = Callable[[], dict[str, Any]]


@pytest.mark.parametrize("is_stateless", [False, True])
async def test_the_official_server_is_called_too(is_stateless: bool) -> None:
    server = MCPServer("oracle")

    @server.tool(annotations=ToolAnnotations(read_only_hint=True))
    def find(words: str) -> dict[str, Any]:
        return {"total": len(words), "words": [words]}

    @server.tool(annotations=ToolAnnotations(read_only_hint=True))
    def fail() -> str:
        raise ValueError("no database")

    async with sdk_server(is_stateless=is_stateless, server=server) as url:
        visitor = Visitor(url)
        good = {"tool": "find", "arguments": {"words": "abc"}, "expect": ['json("$.total") == 3']}

        assert await visitor.run(canary(good)) is None
        failure = await visitor.run(canary({"tool": "fail"}))
    assert failure is not None
    assert failure.code == "is_error"
    assert "Error executing tool fail" in failure.evidence
    assert json.dumps(visitor.sheet.facts)


def test_a_tool_of_the_rich_server_is_what_these_tests_take_it_for() -> None:
    assert search_tool() == "search_documents"
    assert all(isinstance(tool, Tool) for tool in TOOLS)
