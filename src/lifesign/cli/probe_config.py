"""`lifesign probe --config FILE`: every server of an MCP client's file, probed at once."""

import asyncio
import os
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path

from lifesign.cli.mcp_configs import Found, read_config
from lifesign.cli.output import clean, note
from lifesign.cli.probing import ask, question_of
from lifesign.cli.reports.values import Entry
from lifesign.core.errors import InvalidError
from lifesign.probes.registry import Kinds, load_kinds

AT_ONCE = 20


def probe_config(
    path: Path, *, expect: Sequence[str], timeout_s: float | None, is_quiet: bool
) -> tuple[Entry, ...]:
    """Probe what the file names; what cannot be probed is skipped with a reason.

    Raises InvalidError when the file cannot be read, or when nothing in it can be probed.
    """
    kinds = load_kinds()
    entries = [_entry(found, kinds, expect, timeout_s) for found in read_config(path, os.environ)]
    asked = sum(entry.question is not None for entry in entries)
    if not asked:
        reasons = "; ".join(f"{clean(entry.name, 100)} {entry.skipped}" for entry in entries)
        raise InvalidError(f"{path}: No server in the file can be probed: {reasons}.")
    if not is_quiet:
        note(f"Probing {asked} of {len(entries)} servers in {path} …")
    return tuple(asyncio.run(_ask_all(entries)))


def _entry(found: Found, kinds: Kinds, expect: Sequence[str], timeout_s: float | None) -> Entry:
    if found.skipped:
        return Entry(found.name, skipped=found.skipped)
    try:
        question = question_of(kinds[found.kind], found.settings, expect, timeout_s)
    except InvalidError as error:
        reasons = "; ".join(f"{where}: {why}" for where, why in error.problems)
        return Entry(found.name, skipped=f"cannot be used: {reasons or error.message}")
    return Entry(found.name, question)


async def _ask_all(entries: Sequence[Entry]) -> list[Entry]:
    """Ask all at once: many over the network, and only as many programs as there are CPU cores."""
    rooms = {
        False: asyncio.Semaphore(AT_ONCE),
        True: asyncio.Semaphore(os.cpu_count() or 1),
    }

    async def one(entry: Entry) -> Entry:
        if entry.question is None:
            return entry
        async with rooms[bool(entry.question.kind.lane)]:
            return replace(entry, finished=await ask(entry.question))

    async with AsyncExitStack() as stack:
        group = await stack.enter_async_context(asyncio.TaskGroup())
        tasks = [group.create_task(one(entry)) for entry in entries]
    return [task.result() for task in tasks]
