"""The kind mcp-stdio: real programs, of the official SDK and broken ones."""

import asyncio
import shlex
import sys
from pathlib import Path

import pytest

from lifesign.clock import SystemClock
from lifesign.core.ladder import ladder
from lifesign.core.model import Observation, Reason, State
from lifesign.core.verdict import assess
from lifesign.net import Net
from lifesign.probes.mcp.stdio_kind import LADDER, watch_stdio
from lifesign.probes.mcp.stdio_settings import StdioSettings
from lifesign.probes.registry import ProbeContext
from servers.programs import children, descriptors, program, small_server

ORACLE = [sys.executable, str(Path(__file__).parents[2] / "servers" / "sdk_stdio.py")]
SECRET = "hunter2-hunter2"


async def watch(
    command: list[str], *, within_s: float = 15.0, memory: dict[str, object] | None = None, **settings: object
) -> Observation:  # fmt: skip
    deadline = asyncio.get_running_loop().time() + within_s
    context = ProbeContext(
        Net.open(), SystemClock(), deadline, memory=memory if memory is not None else {}, may_spawn=True
    )  # fmt: skip
    before, open_before = children(), descriptors()
    seen = await watch_stdio(StdioSettings(command=command, **settings), context)
    assert children() == before
    assert descriptors() == open_before
    return seen


def failure_of(seen: Observation) -> tuple[str, str]:
    assert seen.failure is not None
    assert seen.failure.remedy
    return seen.failure.layer, seen.failure.code


async def test_the_official_sdk_is_read_whole() -> None:
    seen = await watch(ORACLE)

    assert (seen.failure, seen.findings) == (None, ())
    assert seen.facts["era"] == "modern"
    assert seen.facts["transport"] == "stdio"
    assert (seen.facts["server.name"], seen.facts["server.version"]) == ("oracle", "7.1")
    assert seen.facts["tools.names"] == ["add", "shout"]
    assert (seen.facts["program.ended_by"], seen.facts["program.exit_code"]) == ("stdin", 0)
    assert next(iter(seen.phases_ms)) == "spawn"
    assert {"discover", "tools_list"} < set(seen.phases_ms)
    assert seen.phases_ms["spawn"] > 10 * seen.phases_ms["discover"]
    assert seen.surface is not None


async def test_the_surface_is_the_same_in_both_eras() -> None:
    modern, legacy = await watch(ORACLE), await watch(ORACLE, era="legacy")

    assert (modern.facts["era"], legacy.facts["era"]) == ("modern", "legacy")
    assert legacy.failure is None
    assert modern.surface is not None
    assert legacy.surface is not None
    assert modern.surface.hashes["tools"] == legacy.surface.hashes["tools"]


async def test_an_older_server_is_greeted_by_its_handshake() -> None:
    seen = await watch(small_server())

    assert (seen.failure, seen.findings) == (None, ())
    assert (seen.facts["era"], seen.facts["tools.count"]) == ("legacy", 1)


async def test_what_a_server_speaks_is_remembered(tmp_path: Path) -> None:
    asked, memory = tmp_path / "asked", {}
    before = f"open({str(asked)!r}, 'a').write(asked['method'] + ' ')"
    settings = StdioSettings(command=small_server(before=before))
    for _ in range(2):
        deadline = asyncio.get_running_loop().time() + 15
        await watch_stdio(
            settings, ProbeContext(Net.open(), SystemClock(), deadline, memory=memory, may_spawn=True)
        )  # fmt: skip

    assert asked.read_text().split() == [
        "server/discover", "initialize", "tools/list", "initialize", "tools/list",
    ]  # fmt: skip


async def test_a_server_that_ends_at_an_unknown_greeting_is_started_again() -> None:
    seen = await watch(small_server(before="if asked['method'] == 'server/discover': sys.exit(1)"))

    assert (seen.failure, seen.facts["era"]) == (None, "legacy")


async def test_a_greeting_that_is_answered_late_is_not_taken_for_another() -> None:
    """A slow start: the reply to `server/discover` comes while `initialize` is waited for, and is no fault."""
    seen = await watch(small_server(first="time.sleep(1.2)"), within_s=4.0)

    assert (seen.failure, seen.facts["era"], seen.findings) == (None, "legacy", ())


async def test_a_greeting_that_is_never_answered_is_told() -> None:
    before = "if asked['method'] == 'server/discover': return"
    seen = await watch(small_server(before=before), within_s=3.0)

    assert (seen.failure, seen.facts["era"]) == (None, "legacy")
    assert [(found.layer, found.code) for found in seen.findings] == [("discover", "hang")]


async def test_a_program_that_became_another_is_greeted_anew(tmp_path: Path) -> None:
    """Found to be modern, then replaced by an older one that ends at `server/discover`."""
    script, memory = tmp_path / "server", {}
    old = small_server(before="if asked['method'] == 'server/discover': sys.exit(1)")
    found = []
    for command in (ORACLE, old, old):
        words = " ".join(map(shlex.quote, command))
        script.write_text(f"#!/bin/sh\nexec {words}\n")
        script.chmod(0o755)
        found.append(await watch([shlex.quote(str(script))], memory=memory))

    assert [seen.facts.get("era") for seen in found] == ["modern", None, "legacy"]
    assert failure_of(found[1]) == ("stdio", "exited")


async def test_logs_on_stdout_are_told_and_do_not_stop_a_visit() -> None:
    seen = await watch(
        small_server(first="say('Starting up ...')", before="say({'level': 'info'})")
    )

    assert seen.failure is None
    [finding] = seen.findings
    assert (finding.layer, finding.code) == ("stdio", "stdout_pollution")
    assert "the first: Starting up ..." in finding.message
    assert seen.facts["program.stray_lines"] == 4
    assert assess(seen, ()).state is State.DEGRADED


async def test_logs_on_stdout_that_spoil_the_answer_are_the_failure() -> None:
    """A log line without its end, so that the answer stands behind it."""
    seen = await watch(small_server(before="sys.stdout.write('log: ')"), within_s=2.0)

    assert failure_of(seen) == ("stdio", "stdout_pollution")
    assert seen.failure is not None
    assert 'stdout: log: {"jsonrpc"' in seen.failure.evidence
    assert seen.findings == ()


async def test_a_program_that_ends_says_why() -> None:
    seen = await watch(program("complain('Traceback: no module named x'); sys.exit(3)"))

    assert failure_of(seen) == ("stdio", "exited")
    assert seen.failure is not None
    assert seen.failure.reason is Reason.CONNECTION_REFUSED
    assert "ended with exit code 3 before it answered `initialize`" in seen.failure.message
    assert seen.failure.evidence == "stderr: Traceback: no module named x"


async def test_a_program_that_is_killed_says_by_what() -> None:
    seen = await watch(program("os.kill(os.getpid(), signal.SIGSEGV)"))

    assert seen.failure is not None
    assert "was ended by SIGSEGV" in seen.failure.message


async def test_a_program_that_ends_between_two_requests() -> None:
    seen = await watch(small_server(before="if asked['method'] == 'tools/list': os._exit(9)"))

    assert failure_of(seen) == ("stdio", "exited")
    assert "`tools/list`" in str(seen.failure)


async def test_silence_is_told_at_the_deadline() -> None:
    began = asyncio.get_running_loop().time()
    seen = await watch(program("complain('waiting for a key'); sys.stdin.read()"), within_s=2.0)

    assert failure_of(seen) == ("stdio", "no_reply")
    assert seen.failure is not None
    assert seen.failure.reason is Reason.TIMEOUT
    assert seen.failure.evidence == "stderr: waiting for a key"
    assert asyncio.get_running_loop().time() - began < 3


async def test_a_list_that_hangs_is_not_blamed_on_the_start() -> None:
    body = "if asked['method'] == 'tools/list': sys.stdin.read()"
    seen = await watch(small_server(before=body), within_s=2.0)

    assert failure_of(seen) == ("tools_list", "hang")


async def test_what_cannot_be_started_is_not_started() -> None:
    seen = await watch(["no-such-program-anywhere", "--flag"])

    assert failure_of(seen) == ("stdio", "spawn_failed")
    assert "no such program on the PATH" in str(seen.failure)
    rungs = ladder(LADDER, seen)
    assert [(rung.name, rung.state) for rung in rungs][:2] == [("spawn", "failed"), (LADDER[1], "skipped")]  # fmt: skip


async def test_only_an_operator_allows_it(tmp_path: Path) -> None:
    made = tmp_path / "made"
    settings = StdioSettings(command=["touch", str(made)])
    context = ProbeContext(Net.open(), SystemClock(), asyncio.get_running_loop().time() + 5)

    seen = await watch_stdio(settings, context)

    assert failure_of(seen) == ("stdio", "not_allowed")
    assert seen.failure is not None
    assert seen.failure.reason is Reason.BLOCKED
    assert "mcp.allow_commands" in seen.failure.remedy
    assert assess(seen).state is State.UNKNOWN
    assert not made.exists()


async def test_questions_of_the_server_are_answered() -> None:
    """A ping is answered, and a request that we offer nothing for is refused; a server may wait for both."""
    before = """
    for number, method in enumerate(("ping", "roots/list")):
        say({"jsonrpc": "2.0", "id": f"s{number}", "method": method})
        back = json.loads(sys.stdin.readline())
        assert back["id"] == f"s{number}", back
        assert ("result" in back) == (method == "ping"), back"""
    seen = await watch(
        small_server(before="if asked['method'] == 'initialize':" + before.replace("\n", "\n    "))
    )

    assert seen.failure is None


async def test_an_endless_line_is_cut_off() -> None:
    seen = await watch(program("while True: sys.stdout.write('y' * 65536)"))

    assert failure_of(seen) == ("stdio", "too_much_output")


async def test_a_flood_of_notes_costs_the_deadline_and_no_more() -> None:
    body = 'line = json.dumps({"jsonrpc": "2.0", "method": "notifications/message"})\nwhile True: say(line)'
    began = asyncio.get_running_loop().time()
    seen = await watch(program(body), within_s=1.0)

    assert failure_of(seen) in {("stdio", "no_reply"), ("stdio", "too_much_output")}
    assert asyncio.get_running_loop().time() - began < 2


async def test_given_variables_arrive_and_are_not_told() -> None:
    first = (
        "complain(os.environ['API_KEY'] + ' is bad, token: ' + os.environ['API_KEY']); sys.exit(1)"
    )
    seen = await watch(program(first), env={"API_KEY": SECRET})

    assert seen.failure is not None
    assert "is bad" in seen.failure.evidence
    assert SECRET not in repr(seen)


async def test_our_own_keys_do_not_reach_the_program(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIFESIGN_SECRET_KEY", SECRET)
    seen = await watch(program("complain(str(dict(os.environ))); sys.exit(1)"))

    assert seen.failure is not None
    assert "PATH" in seen.failure.evidence
    assert "LIFESIGN" not in seen.failure.evidence


async def test_cancelling_leaves_nothing(tmp_path: Path) -> None:
    up, before = tmp_path / "up", children()
    body = f"signal.signal(signal.SIGTERM, signal.SIG_IGN); open({str(up)!r}, 'w'); time.sleep(60)"
    task = asyncio.ensure_future(watch(program(body), within_s=60))
    async with asyncio.timeout(10):
        while not up.exists():  # noqa: ASYNC110 - the program says that it is up by a file
            await asyncio.sleep(0.005)
    task.cancel()
    await asyncio.wait({task}, timeout=5)

    assert task.cancelled()
    assert children() == before


async def test_calls_at_once_share_the_line() -> None:
    """The program hears all three before it answers, the last one first, with a note and a log line between."""
    serve = """
held = []
for line in sys.stdin:
    asked = json.loads(line)
    if asked["method"] != "tools/call":
        if "id" in asked: answer(asked)
        continue
    held.append(asked)
    if len(held) == 3:
        assert len({each["params"]["arguments"]["copy"] for each in held}) == 3
        for each in reversed(held):
            say({"jsonrpc": "2.0", "method": "notifications/message"})
            say("a log line")
            text = str(each["params"]["arguments"]["copy"])
            result = {"content": [{"type": "text", "text": text}]}
            say({"jsonrpc": "2.0", "id": each["id"], "result": result})
"""
    canary = {
        "name": "three", "concurrency": 3, "allow_writes": True,
        "steps": [{"tool": "add", "arguments": {"copy": "${run}"}, "expect": ["text contains -"]}],
    }  # fmt: skip
    seen = await watch(small_server(serve=serve), canaries=[canary])

    assert seen.failure is None
    assert seen.facts["canary.three.state"] == "up"
    assert seen.facts["program.stray_lines"] == 3


@pytest.mark.parametrize(
    ("fault", "told", "ended_by"),
    [
        ("", "", "stdin"),
        ("stdio/exited", "stdio/exited", "itself"),
        ("stdio/no_reply", "stdio/no_reply", "stdin"),
        ("stdio/stdout_pollution", "stdio/stdout_pollution", "stdin"),
        ("stdio/too_much_output", "stdio/too_much_output", ""),
        ("stdio/grandchild", "", "stdin"),
        ("stdio/deaf", "stdio/deaf", "kill"),
    ],
)
async def test_each_fault_of_the_server_for_tests_has_its_name(
    fault: str, told: str, ended_by: str
) -> None:
    command = [sys.executable, "-m", "lifesign.testing", "stdio"]
    seen = await watch(command + (["--fault", fault] if fault else []), within_s=4.0)

    named = [each for each in (seen.failure, *seen.findings) if each is not None]
    assert [f"{each.layer}/{each.code}" for each in named] == ([told] if told else [])
    assert ended_by in {"", seen.facts["program.ended_by"]}
