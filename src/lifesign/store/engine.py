"""The store: open a database, bring its schema up to date, and hand out the repositories."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from sqlalchemy import make_url, text
from sqlalchemy.exc import ArgumentError

from lifesign.core.errors import InvalidError, StorageError
from lifesign.store.alerts import AlertRepository
from lifesign.store.channels import ChannelRepository
from lifesign.store.database import Database, SQLiteDatabase, connect
from lifesign.store.events import EventRepository
from lifesign.store.migrate import migrate
from lifesign.store.monitors import MonitorRepository
from lifesign.store.observations import ObservationRepository
from lifesign.store.outbox import OutboxRepository
from lifesign.store.people import PeopleRepository
from lifesign.store.pings import PingRepository
from lifesign.store.surfaces import SurfaceRepository
from lifesign.store.vault import Vault

_HEALTH_DEADLINE_S = 2.0


class Store:
    """Everything that is stored, by noun."""

    def __init__(self, database: Database, vault: Vault | None = None) -> None:
        self._database = database
        self.monitors = MonitorRepository(database, vault)
        self.observations = ObservationRepository(database, vault)
        self.alerts = AlertRepository(database)
        self.outbox = OutboxRepository(database)
        self.channels = ChannelRepository(database, vault)
        self.people = PeopleRepository(database)
        self.pings = PingRepository(database)
        self.events = EventRepository(database)
        self.surfaces = SurfaceRepository(database)

    @property
    def dialect(self) -> str:
        """`sqlite` or `postgresql`."""
        return self._database.dialect

    async def healthy(self) -> bool:
        """Whether the database answers within 2 s and its newest write did not fail."""
        try:
            async with asyncio.timeout(_HEALTH_DEADLINE_S), self._database.read() as connection:
                await connection.execute(text("SELECT version_num FROM alembic_version"))
        except (StorageError, TimeoutError):
            return False
        return not self._database.last_failure

    async def backup(self, path: Path) -> None:
        """Write a consistent copy of an SQLite database to a new file (mode 0600), while work goes on.

        Raises InvalidError when the file exists or the database is PostgreSQL.
        """
        if not isinstance(self._database, SQLiteDatabase):
            raise InvalidError(
                "Only an SQLite database can be copied to a file.",
                remedy="Use pg_dump for PostgreSQL.",
            )
        await self._database.copy_to(path)


@asynccontextmanager
async def open_store(url: str, vault: Vault | None = None) -> AsyncIterator[Store]:
    """Open the database behind `url`, migrate it, and close it at the end.

    `sqlite:////absolute/path.db` (made when absent, mode 0600) or `postgresql://user@host/name`. With a vault, the
    settings of monitors and channels are encrypted at rest. Raises InvalidError for a URL that cannot be
    used and SchemaError for a database of a newer version.
    """
    try:
        parsed = make_url(url)
    except ArgumentError:
        raise InvalidError(
            "The database URL cannot be read.",
            remedy="Use sqlite:////path/lifesign.db or postgresql://user@host/name.",
        ) from None
    database = connect(parsed)
    try:
        async with database.write() as connection:
            await connection.run_sync(migrate)
        yield Store(database, vault)
    finally:
        await database.close()
