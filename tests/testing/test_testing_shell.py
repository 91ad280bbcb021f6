"""The shipped server as a program: `python -m lifesign.testing`."""

import asyncio
import os
import select
import signal
import subprocess
import sys
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import httpx2
import pytest

from lifesign.testing import ELSEWHERE, FAULTS

PING = b'{"jsonrpc": "2.0", "id": 1, "method": "ping"}\n'


@asynccontextmanager
async def program(*words: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """The program with these words, in a process group of its own that is ended whatever happens."""
    running = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "lifesign.testing", *words,
        stdin=PIPE, stdout=PIPE, stderr=PIPE, start_new_session=True,
    )  # fmt: skip
    try:
        async with asyncio.timeout(15):
            yield running
    finally:
        with suppress(ProcessLookupError):
            os.killpg(running.pid, signal.SIGKILL)
        await running.communicate()


async def line(running: asyncio.subprocess.Process) -> str:
    assert running.stdout is not None
    return (await running.stdout.readline()).decode().rstrip("\n")


async def say(running: asyncio.subprocess.Process, words: bytes) -> None:
    assert running.stdin is not None
    running.stdin.write(words)
    await running.stdin.drain()


def test_every_switch_is_listed_with_what_it_does() -> None:
    listed = subprocess.run(
        [sys.executable, "-m", "lifesign.testing", "--list"],
        capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip

    assert [code for code in (*FAULTS, *ELSEWHERE) if f"\n{code} " not in f"\n{listed}"] == []


async def test_the_first_line_is_the_address_and_it_is_on_loopback() -> None:
    async with program("--fault", "http/not_found") as running:
        url = await line(running)
        async with httpx2.AsyncClient() as http:
            answer = await http.post(url, json={})

    assert url.startswith("http://127.0.0.1:")
    assert answer.status_code == 404


async def test_a_health_fault_gives_the_address_of_the_health_url() -> None:
    async with (
        program("health", "--fault", "health_url/body_down") as running,
        httpx2.AsyncClient() as http,
    ):
        answer = await http.get(await line(running))

    assert answer.json()["status"] == "down"


async def test_an_interrupt_ends_it_quietly() -> None:
    async with program() as running:
        await line(running)
        running.send_signal(signal.SIGINT)
        _, said = await running.communicate()

    assert (running.returncode, said) == (0, b"")


@pytest.mark.parametrize("words", [["--fault", "tools/hang"], ["stdio", "--fault", "tcp/reset"], ["--fault", "stdio/exited"]])  # fmt: skip
async def test_a_fault_that_is_not_there_is_told_with_what_is(words: list[str]) -> None:
    async with program(*words) as running:
        _, said = await running.communicate()

    assert running.returncode == 2
    assert words[-1].encode() in said


async def test_a_faithful_program_answers_and_ends_with_its_input() -> None:
    async with program("stdio") as running:
        await say(running, PING)
        answered = await line(running)
        running.stdin.close()
        await running.wait()

    assert answered == '{"jsonrpc": "2.0", "id": 1, "result": {}}'
    assert running.returncode == 0


async def test_a_program_that_exits_says_why_on_stderr() -> None:
    async with program("stdio", "--fault", "stdio/exited") as running:
        _, said = await running.communicate()

    assert running.returncode == 3
    assert b"DATABASE_URL" in said


async def test_a_program_that_pollutes_mixes_words_with_messages() -> None:
    async with program("stdio", "--fault", "stdio/stdout_pollution") as running:
        await say(running, PING)
        lines = [await line(running) for _ in range(3)]

    assert [text.startswith("{") for text in lines] == [False, False, True]


async def test_a_program_that_is_silent_ends_with_its_input_and_no_sooner() -> None:
    async with program("stdio", "--fault", "stdio/no_reply") as running:
        output, _ = await running.communicate(PING)

    assert (running.returncode, output) == (0, b"")


def test_a_grandchild_holds_the_streams_when_the_program_is_gone() -> None:
    words = [sys.executable, "-m", "lifesign.testing", "stdio", "--fault", "stdio/grandchild"]
    with subprocess.Popen(words, stdin=PIPE, stdout=PIPE, start_new_session=True) as running:
        assert running.stdin is not None
        assert running.stdout is not None
        try:
            running.stdin.write(PING)
            running.stdin.close()
            answered = running.stdout.readline()
            status = running.wait(timeout=10)
            ended, _, _ = select.select([running.stdout], [], [], 0.2)
        finally:
            os.killpg(running.pid, signal.SIGKILL)

    assert answered.startswith(b"{")
    assert status == 0
    assert ended == []


async def test_a_deaf_program_ends_for_sigkill_alone() -> None:
    async with program("stdio", "--fault", "stdio/deaf") as running:
        await say(running, PING)
        assert await line(running)
        running.stdin.close()
        running.terminate()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                await running.wait()
        running.kill()
        await running.wait()

    assert running.returncode == -signal.SIGKILL
