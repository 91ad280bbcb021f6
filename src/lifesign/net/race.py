"""Happy eyeballs (RFC 8305): dial several addresses, a moment apart, and keep the first that answers."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress

from lifesign.net.stream import Stream

STAGGER_S = 0.25  # RFC 8305 §5: the recommended connection attempt delay.
MAX_ADDRESSES = 6

Attempt = Callable[[str], Awaitable[Stream]]


async def race(attempt: Attempt, addresses: Sequence[str]) -> Stream:
    """The first stream; raises the first attempt's `OSError` when none succeeds."""
    runners = _Race(attempt)
    try:
        async with asyncio.TaskGroup() as group:
            runners.start(group, addresses[:MAX_ADDRESSES])
    except BaseException:
        runners.close(runners.winners)
        raise
    runners.close(runners.winners[1:])
    if not runners.winners:
        raise runners.errors[0]
    return runners.winners[0]


class _Race:
    def __init__(self, attempt: Attempt) -> None:
        self._attempt = attempt
        self._tasks: list[asyncio.Task[None]] = []
        self.winners: list[Stream] = []
        self.errors: list[OSError] = []

    def start(self, group: asyncio.TaskGroup, addresses: Sequence[str]) -> None:
        before = asyncio.Event()
        before.set()
        for place, address in enumerate(addresses):
            failed = asyncio.Event()
            run = self._run(address, place * STAGGER_S, before=before, failed=failed)
            self._tasks.append(group.create_task(run))
            before = failed

    async def _run(
        self, address: str, patience_s: float, *, before: asyncio.Event, failed: asyncio.Event
    ) -> None:
        """Begin when the one before has failed, or when it has had its time."""
        with suppress(TimeoutError):
            async with asyncio.timeout(patience_s):
                await before.wait()
        try:
            self.winners.append(await self._attempt(address))
        except OSError as error:
            self.errors.append(error)
            failed.set()
            return
        for task in self._tasks:
            if task is not asyncio.current_task():
                task.cancel()

    @staticmethod
    def close(streams: Sequence[Stream]) -> None:
        for stream in streams:
            stream.close()
