from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx2
import pytest
import pytest_asyncio
from starlette.types import ASGIApp

from lifesign.api.app import build_api
from lifesign.channels.registry import load_channel_kinds
from lifesign.core.scope import Grant
from lifesign.probes.registry import load_kinds
from premises import Premises, open_premises


@pytest_asyncio.fixture
async def house(tmp_path: Path) -> AsyncIterator[Premises]:
    async with open_premises(tmp_path) as premises:
        yield premises


@pytest.fixture
def api(house: Premises) -> ASGIApp:
    return build_api(
        house.services, kinds=load_kinds(), channel_kinds=load_channel_kinds(),
        clock=house.clock, config=house.config,
    )  # fmt: skip


@asynccontextmanager
async def calling(api: ASGIApp, token: str = "") -> AsyncIterator[httpx2.AsyncClient]:
    """A client in this process; a bug of ours comes back as the 500 that callers would see."""
    transport = httpx2.ASGITransport(api, raise_app_exceptions=False)
    headers = {"authorization": f"Bearer {token}"} if token else {}
    async with httpx2.AsyncClient(
        transport=transport, base_url="http://testserver", headers=headers
    ) as client:
        yield client


@pytest_asyncio.fixture
async def anybody(api: ASGIApp) -> AsyncIterator[httpx2.AsyncClient]:
    async with calling(api) as client:
        yield client


@pytest_asyncio.fixture
async def admin(api: ASGIApp, house: Premises) -> AsyncIterator[httpx2.AsyncClient]:
    async with calling(api, await house.token(Grant.ADMIN)) as client:
        yield client
