"""Every test of the network floor runs under uvloop and under stock asyncio."""

import asyncio
from collections.abc import AsyncIterator

import pytest
import uvloop

from lifesign.net import Net
from net.rawserver import RawServers, raw_servers


def pytest_asyncio_loop_factories():
    return {"uvloop": uvloop.new_event_loop, "asyncio": asyncio.new_event_loop}


@pytest.fixture
async def servers() -> AsyncIterator[RawServers]:
    async with raw_servers() as started:
        yield started


@pytest.fixture
def net() -> Net:
    return Net.open()
