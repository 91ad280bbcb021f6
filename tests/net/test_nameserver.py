"""A question to a name server that is called off."""

import asyncio
import gc
from typing import Any

import dns.message

from lifesign.net.nameserver import ask


async def test_a_question_that_is_called_off_leaves_no_forgotten_error() -> None:
    """At whatever step it is cancelled: while the socket is made, while it waits, afterwards."""
    complaints: list[dict[str, Any]] = []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _loop, complaint: complaints.append(complaint))
    for steps in range(8):
        question = dns.message.make_query("lifesign.test", "A")
        task = asyncio.ensure_future(ask(question, ("127.0.0.1", 9), deadline=loop.time() + 5))
        for _ in range(steps):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        for _ in range(5):
            await asyncio.sleep(0)
    gc.collect()

    assert complaints == []
