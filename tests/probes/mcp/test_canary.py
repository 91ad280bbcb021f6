"""Canary calls over real sockets: every code, what is expected, round trips and polling."""

import json
from typing import Any

import pytest
from mcp.server.mcpserver import MCPServer
from mcp_types import ToolAnnotations

from lifesign.core.model import Level
from lifesign.probes.mcp.client.wire import Era
from lifesign.probes.mcp.codes import CODES
from lifesign.testing import EVERYTHING, Answer, Call, FaultyMCP, faulty, merged, reply, text
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
        assert [(Level.WARN, code, entry.reason)] == [
            (found.level, found.code, found.reason) for found in visitor.sheet.findings
        ]
        assert "index rebuilding" in visitor.sheet.findings[0].evidence
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


@pytest.mark.slow
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


@pytest.mark.slow
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


@pytest.mark.slow
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


async def test_every_canary_that_fails_is_told_and_the_first_one_counts() -> None:
    wrong = {"expect": ['json("$.total_results") == 99']}
    async with FaultyMCP(tools=TOOLS) as server:
        visitor = Visitor(server.url)
        failure = await visitor.run(
            canary(SEARCH | wrong, name="one"), canary(SEARCH | wrong, name="two")
        )

    assert failure is not None
    assert "Canary `one`" in failure.message
    [beside] = visitor.sheet.findings
    assert (beside.level, beside.code) == (Level.FAIL, "assertion_failed")
    assert "Canary `two`" in beside.message


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
