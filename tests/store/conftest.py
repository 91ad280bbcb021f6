"""Every store test runs over SQLite and over a real PostgreSQL."""

import uuid
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from sqlalchemy import make_url
from sqlalchemy.ext.asyncio import create_async_engine

from lifesign.core.model import Monitor
from lifesign.store import Store, open_store
from store.making import OURS, a_monitor
from store.postgres import running_server


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with running_server(tmp_path_factory.mktemp("postgres")) as url:
        yield url


@pytest.fixture
async def postgres_url(postgres: str) -> str:
    """The URL of a fresh, empty database."""
    name = f"t{uuid.uuid4().hex}"
    server = make_url(postgres).set(drivername="postgresql+psycopg")
    engine = create_async_engine(server, isolation_level="AUTOCOMMIT")
    async with engine.connect() as connection:
        await connection.exec_driver_sql(f"CREATE DATABASE {name}")
    await engine.dispose()
    return server.set(database=name).render_as_string(hide_password=False)


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of a fresh, empty database of each dialect in turn."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'lifesign.db'}"
    return request.getfixturevalue("postgres_url")


@pytest.fixture
async def store(url: str) -> AsyncIterator[Store]:
    async with open_store(url) as opened:
        yield opened


@pytest.fixture
async def monitor(store: Store) -> Monitor:
    """The monitor m1, stored."""
    return await store.monitors.add(OURS, a_monitor())
