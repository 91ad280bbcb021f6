"""Programs that are started, heard and ended: nothing of them is ever left."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from engine.workshop import until
from lifesign.probes.mcp.client import pipes, process
from lifesign.probes.mcp.client.process import Process, SpawnError, inherited
from servers.programs import children, descriptors, is_alive, program

WITHIN_S = 15.0
ECHO = "for line in sys.stdin: say('heard ' + line.strip())"
STUBBORN = """
signal.signal(signal.SIGTERM, signal.SIG_IGN)
say(str(os.getpid()))
while True: time.sleep(60)
"""
FAMILY = """
child = os.fork()
if child == 0:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    while True: time.sleep(60)
say(str(child))
sys.stdin.read()
"""


def now() -> float:
    return asyncio.get_running_loop().time()


def start(body: str, *, within_s: float = WITHIN_S, **env: str) -> Process:
    environ = {"PATH": os.environ["PATH"], **env}
    return Process.start(program(body), env=environ, cwd=None, deadline=now() + within_s)


@asynccontextmanager
async def leaving_nothing() -> AsyncIterator[None]:
    before, open_before = children(), descriptors()
    yield
    assert children() == before
    assert descriptors() == open_before


async def test_lines_go_out_and_come_back() -> None:
    async with leaving_nothing(), start(ECHO) as child:
        child.write(b"one")
        child.write(b"two")
        heard = [await child.next_line(now() + WITHIN_S) for _ in range(2)]

    assert heard == [b"heard one", b"heard two"]
    assert (child.status, child.ended_by) == (0, "stdin")


async def test_line_ends_and_blank_lines_are_no_matter() -> None:
    body = r"sys.stdout.write('a\r\n\n  \nb\nlast'); sys.stdout.flush()"
    async with start(body) as child:
        heard = [await child.next_line(now() + WITHIN_S) for _ in range(4)]

    assert heard == [b"a", b"b", b"last", None]


async def test_how_it_ended_is_told() -> None:
    for body, status in (("sys.exit(3)", 3), ("os.kill(os.getpid(), 9)", -signal.SIGKILL)):
        async with leaving_nothing(), start(body) as child:
            assert await child.next_line(now() + WITHIN_S) is None
            assert await child.exits(now() + WITHIN_S)

        assert (child.status, child.ended_by) == (status, "itself")


async def test_a_large_message_gets_through_a_full_pipe() -> None:
    body = "time.sleep(0.05); say(str(len(sys.stdin.readline())))"
    async with start(body) as child:
        child.write(b"x" * 3_000_000)
        heard = await child.next_line(now() + WITHIN_S)

    assert heard == b"3000001"


async def test_silence_ends_at_the_deadline() -> None:
    async with start("sys.stdin.read()") as child:
        began = now()
        with pytest.raises(TimeoutError):
            await child.next_line(began + 0.05)

        assert now() - began < 1


async def test_only_the_end_of_stderr_is_kept() -> None:
    body = "complain('x' * 500_000 + 'the last words'); say('done')"
    async with start(body) as child:
        await child.next_line(now() + WITHIN_S)
        await child.exits(now() + WITHIN_S)

        assert len(child.stderr_tail()) == process.TAIL_BYTES
        assert child.stderr_tail().endswith("the last words")


@pytest.mark.parametrize("stream", ["stdout", "stderr"])
async def test_who_never_stops_talking_is_not_listened_to(monkeypatch, stream: str) -> None:
    monkeypatch.setattr(pipes, "MAX_OUTPUT", 300_000)
    body = f"while True: sys.{stream}.write('{'y' * 200}\\n')"
    async with leaving_nothing(), start(body) as child:
        while await child.next_line(now() + WITHIN_S) is not None:
            pass
        assert await child.exits(now() + WITHIN_S)

    assert child.said_too_much is (stream == "stdout")


async def test_what_nobody_reads_waits_in_the_pipe() -> None:
    """A million lines cost no memory while nobody asks for them, and none is lost."""
    body = "sys.stdout.write('line\\n' * 1_000_000); sys.stdout.flush(); complain('written')"
    async with leaving_nothing(), start(body) as child:
        await until(lambda: len(child._lines) > pipes.MAX_UNREAD, "no more is read")
        assert len(child._lines) < 50 * pipes.MAX_UNREAD
        count = 0
        while await child.next_line(now() + WITHIN_S) is not None:
            count += 1

    assert count == 1_000_000


async def test_a_line_without_an_end_is_cut_off(monkeypatch) -> None:
    monkeypatch.setattr(pipes, "MAX_LINE", 100_000)
    async with start("while True: sys.stdout.write('y' * 1000)") as child:
        heard = await child.next_line(now() + WITHIN_S)

    assert (heard, child.said_too_much) == (None, True)


async def test_who_ignores_everything_is_killed_in_time() -> None:
    began = now()
    async with leaving_nothing(), start(STUBBORN, within_s=0.6) as child:
        pid = int(await child.next_line(began + WITHIN_S) or b"0")

    assert (child.ended_by, child.status) == ("kill", -signal.SIGKILL)
    assert now() - began < 2
    assert not is_alive(pid)


async def test_who_ignores_the_end_of_input_is_told_to_leave() -> None:
    body = "say('up')\nwhile True: time.sleep(60)"
    async with leaving_nothing(), start(body, within_s=1) as child:
        await child.next_line(now() + WITHIN_S)

    assert (child.ended_by, child.status) == ("terminate", -signal.SIGTERM)


async def test_grandchildren_that_outlive_their_parent_end_too() -> None:
    async with leaving_nothing(), start(FAMILY) as child:
        grandchild = int(await child.next_line(now() + WITHIN_S) or b"0")
        assert is_alive(grandchild)

    assert child.ended_by == "stdin"
    await until(lambda: not is_alive(grandchild), "the grandchild ends")


async def test_a_child_of_a_program_that_ended_may_still_answer() -> None:
    body = "if os.fork(): os._exit(0)\ntime.sleep(0.1); say('from the child')"
    async with start(body) as child:
        assert await child.exits(now() + WITHIN_S)

        assert await child.next_line(now() + WITHIN_S) == b"from the child"


async def test_an_output_that_others_keep_open_is_not_waited_for(monkeypatch) -> None:
    monkeypatch.setattr(process, "ORPHANS_S", 0.05)
    body = "if os.fork(): os._exit(4)\ntime.sleep(60)"
    async with leaving_nothing(), start(body) as child:
        assert await child.next_line(now() + WITHIN_S) is None

    assert child.status == 4


@pytest.mark.parametrize("times", [1, 2, 3])
async def test_a_cancelled_visit_leaves_nothing(times: int) -> None:
    """Also when it is cancelled again while the program is being ended."""
    pids: list[int] = []
    is_up = asyncio.Event()

    async def visit() -> None:
        async with start(STUBBORN) as child:
            pids.append(int(await child.next_line(now() + WITHIN_S) or b"0"))
            is_up.set()
            await asyncio.Event().wait()

    async with leaving_nothing():
        task = asyncio.ensure_future(visit())
        async with asyncio.timeout(WITHIN_S):
            await is_up.wait()
        began = now()
        for _ in range(times):
            task.cancel()
            for _ in range(3):
                await asyncio.sleep(0)
        await asyncio.wait({task}, timeout=WITHIN_S)

        assert task.cancelled()
        assert now() - began < 2
    assert not is_alive(pids[0])


async def test_an_error_in_the_visit_leaves_nothing() -> None:
    async with leaving_nothing():
        with pytest.raises(ValueError, match="ours"):
            async with start(ECHO):
                raise ValueError("ours")


async def test_where_exits_are_not_announced_they_are_looked_for(monkeypatch) -> None:
    def refuse(_pid: int) -> int:
        raise OSError(38, "Function not implemented")

    monkeypatch.setattr(os, "pidfd_open", refuse)
    async with leaving_nothing():
        async with start("sys.exit(5)") as child:
            assert await child.exits(now() + WITHIN_S)
        assert child.status == 5
        async with start(STUBBORN, within_s=0.3) as child:
            await child.next_line(now() + WITHIN_S)
        assert child.ended_by == "kill"


async def test_killing_is_possible_without_waiting() -> None:
    async with leaving_nothing(), start(STUBBORN) as child:
        await child.next_line(now() + WITHIN_S)
        child.kill()
        assert await child.exits(now() + WITHIN_S)
    child.kill()

    assert child.status == -signal.SIGKILL


@pytest.mark.parametrize(
    ("command", "cwd", "why"),
    [
        (["no-such-program-anywhere"], None, "no such program on the PATH"),
        (["/nowhere/at/all"], None, "no such file"),
        (["/etc/passwd"], None, "may not run that file"),
        (["true"], "/nowhere", "no directory /nowhere"),
        (["tr\0ue"], None, "no command line can have"),
        (["true", "x" * 3_000_000], None, "Argument list too long"),
    ],
)
async def test_what_cannot_be_started_says_why(command, cwd, why) -> None:
    async with leaving_nothing():
        with pytest.raises(SpawnError, match=why) as caught:
            Process.start(
                command, env={"PATH": "/usr/bin:/bin"}, cwd=cwd, deadline=now() + WITHIN_S
            )

    assert not caught.value.is_ours


async def test_only_what_is_given_is_seen() -> None:
    body = "say(sorted(os.environ)); say(os.environ['GIVEN'])"
    async with start(body, GIVEN="yes") as child:
        names = await child.next_line(now() + WITHIN_S)
        given = await child.next_line(now() + WITHIN_S)

    assert b"LIFESIGN" not in (names or b"")
    assert given == b"yes"


async def test_a_script_without_an_interpreter_is_explained(tmp_path) -> None:
    script = tmp_path / "server"
    script.write_text("print(1)")
    script.chmod(0o755)

    with pytest.raises(SpawnError, match="names no interpreter"):
        Process.start([str(script)], env={}, cwd=None, deadline=now() + WITHIN_S)


def test_the_daemons_own_loop_does_it_too() -> None:
    """Conversations, ends of all three kinds and a cancellation, on uvloop."""
    uvloop = pytest.importorskip("uvloop")

    async def all_of_it() -> None:
        await test_lines_go_out_and_come_back()
        await test_how_it_ended_is_told()
        await test_a_large_message_gets_through_a_full_pipe()
        await test_who_ignores_the_end_of_input_is_told_to_leave()
        await test_grandchildren_that_outlive_their_parent_end_too()
        await test_a_cancelled_visit_leaves_nothing(2)

    with asyncio.Runner(loop_factory=uvloop.Loop) as runner:
        runner.run(all_of_it())


def test_keys_of_ours_are_not_inherited() -> None:
    environ = {
        "HOME": "/users/me", "LC_ALL": "C", "PATH": "/bin", "LIFESIGN_SECRET_KEY": "k", "AWS_SECRET_ACCESS_KEY": "a",
        "SHELL": "() { :; }", "LD_PRELOAD": "x.so",
    }  # fmt: skip

    assert inherited(environ) == {"HOME": "/users/me", "LC_ALL": "C", "PATH": "/bin"}
