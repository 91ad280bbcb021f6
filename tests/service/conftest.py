from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio

from premises import Premises, open_premises


@pytest_asyncio.fixture
async def house(tmp_path: Path) -> AsyncIterator[Premises]:
    async with open_premises(tmp_path) as premises:
        yield premises
