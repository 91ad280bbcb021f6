"""Happy eyeballs (RFC 8305): dial several addresses, a moment apart, and keep the first that answers."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from lifesign.net.stream import Stream

STAGGER_S = 0.25  # RFC 8305 §5: the recommended connection attempt delay.
MAX_ADDRESSES = 6


async def race(attempt: Callable[[str], Awaitable[Stream]], addresses: Sequence[str]) -> Stream:
    """The first stream; raises the first attempt's `OSError` when none succeeds."""
    errors: list[OSError] = []
    winners: list[Stream] = []
    progress = asyncio.Event()

    async def run(address: str) -> None:
        try:
            winners.append(await attempt(address))
        except OSError as error:
            errors.append(error)
        progress.set()

    async def start_all(group: asyncio.TaskGroup) -> list[asyncio.Task[None]]:
        tasks = []
        for address in addresses[:MAX_ADDRESSES]:
            progress.clear()
            tasks.append(group.create_task(run(address)))
            try:
                async with asyncio.timeout(STAGGER_S):
                    await progress.wait()
            except TimeoutError:
                continue
            if winners:
                break
        return tasks

    try:
        async with asyncio.TaskGroup() as group:
            tasks = await start_all(group)
            while not winners and len(errors) < len(tasks):
                progress.clear()
                await progress.wait()
            for task in tasks:
                task.cancel()
    except BaseException:
        for stream in winners:
            stream.close()
        raise
    for late in winners[1:]:
        late.close()
    if winners:
        return winners[0]
    raise errors[0]
