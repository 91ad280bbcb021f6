"""The data directory and the database in it."""

import asyncio
import os
import shutil
import stat
import tempfile
from pathlib import Path
from statistics import median

from lifesign.cli.checks.finding import Finding, Level
from lifesign.cli.client import DATABASE_FILE, Place
from lifesign.clock import SystemClock
from lifesign.core.errors import LifesignError
from lifesign.core.units import format_size
from lifesign.store.examine import examine_sqlite

_LITTLE_BYTES = 1 << 30
_NOTHING_BYTES = 100 << 20
_SLOW_MS = 50.0
"""A ping is acknowledged after one fsync; above this, bursts of jobs queue."""
_TRIALS = 5
_OTHERS = stat.S_IRWXG | stat.S_IRWXO


async def check_directory(place: Place) -> Finding:
    """Whether it is there, ours, writable and private."""
    data = place.data.absolute()
    if not data.is_dir():
        fix = "`lifesign serve` makes it; name another with --data or LIFESIGN_DATA."
        return Finding("data", Level.WARN, f"{data} does not exist yet", fix)
    if not os.access(data, os.R_OK | os.W_OK | os.X_OK):
        fix = f"Let the user that runs Lifesign own it: chown -R USER {data}"
        return Finding("data", Level.FAIL, f"{data} cannot be written", fix)
    if data.stat().st_mode & _OTHERS:
        fix = f"It holds keys: chmod 700 {data}"
        return Finding("data", Level.WARN, f"{data} is open to other users", fix)
    return Finding("data", Level.OK, f"{data} is writable and private")


async def check_space(place: Place) -> Finding:
    """How much room is left on that file system."""
    free = shutil.disk_usage(_nearest(place.data)).free
    text = f"{free / (1 << 30):.1f} GiB free"
    fix = "Free some space, or shorten `retention`."
    if free < _NOTHING_BYTES:
        return Finding("space", Level.FAIL, text, fix)
    return (
        Finding("space", Level.WARN, text, fix)
        if free < _LITTLE_BYTES
        else Finding("space", Level.OK, text)
    )


async def check_disk(place: Place) -> Finding:
    """How long the disk takes to promise that something is written."""
    directory = _nearest(place.data)
    try:
        took_ms = await asyncio.to_thread(_fsync_ms, directory)
    except OSError as error:
        fix = "Let the user that runs Lifesign write there."
        return Finding("disk", Level.FAIL, f"{directory} cannot be written: {error.strerror}", fix)
    text = f"fsync takes {took_ms:.1f} ms"
    if took_ms > _SLOW_MS:
        fix = "Put the data directory on a local SSD; a network file system is not safe for SQLite."
        return Finding("disk", Level.WARN, text, fix)
    return Finding("disk", Level.OK, text)


async def check_database(place: Place) -> Finding:
    """Whether it is whole, and of which schema."""
    if place.environ.get("LIFESIGN_DATABASE_URL") or place.environ.get(
        "LIFESIGN_DATABASE_URL_FILE"
    ):
        return Finding(
            "database", Level.OK, "another database is configured; the daemon tells of it"
        )
    path = place.data.absolute() / DATABASE_FILE
    if not path.exists():
        return Finding("database", Level.OK, "none yet; `lifesign serve` makes one")
    try:
        state = await examine_sqlite(path)
    except LifesignError as error:
        return Finding("database", Level.FAIL, error.message, error.remedy)
    text = f"{format_size(path.stat().st_size)}, schema {state.revision or 'none'}"
    if state.damage:
        fix = "Stop Lifesign and restore the newest backup; keep the damaged file."
        return Finding("database", Level.FAIL, f"damaged: {state.damage}", fix)
    if state.revision != state.newest:
        fix = "`lifesign serve` brings it up to date; make a backup before."
        return Finding("database", Level.WARN, f"{text}; the newest is {state.newest}", fix)
    return Finding("database", Level.OK, f"whole, {text}")


def _nearest(path: Path) -> Path:
    """The directory itself, or the nearest above it that exists."""
    absolute = path.absolute()
    return next(each for each in (absolute, *absolute.parents) if each.is_dir())


def _fsync_ms(directory: Path) -> float:
    clock, took = SystemClock(), []
    with tempfile.TemporaryFile(dir=directory) as file:
        for _ in range(_TRIALS):
            started = clock.monotonic()
            file.write(b"x" * 4096)
            file.flush()
            os.fsync(file.fileno())
            took.append(1000 * (clock.monotonic() - started))
    return median(took)
