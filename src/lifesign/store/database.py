"""Connections: many readers, one writer, and what a commit promises in either dialect."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any, Protocol

import aiosqlite
from sqlalchemy import URL, event
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from lifesign.core.errors import InvalidError, StorageError

_BUSY_MS = 5000
_READERS = 4
_POSTGRES_CONNECTIONS = 10


class Database(Protocol):
    """What the repositories ask of a dialect."""

    @property
    def dialect(self) -> str:
        """`sqlite` or `postgresql`."""

    @property
    def last_failure(self) -> str:
        """Why the newest write failed; empty when it did not."""

    def read(self) -> AbstractAsyncContextManager[AsyncConnection]:
        """A connection for reading, on one snapshot from its first statement on."""

    def write(self, *, durable: bool = True) -> AbstractAsyncContextManager[AsyncConnection]:
        """A transaction that is committed at the end and rolled back on an exception.

        A durable one is on the disk when it returns; another one may be lost to a power cut, and never
        to the death of the process.
        """

    async def close(self) -> None:
        """Give back every connection."""


class SQLiteDatabase:
    """A file in WAL mode. Readers never wait; writers queue at one lock and one connection."""

    dialect = "sqlite"

    def __init__(self, url: URL) -> None:
        self.path = Path(url.database or "")
        self.last_failure = ""
        self._lock = asyncio.Lock()
        self._readers = _sqlite_engine(url, size=_READERS, writes=False)
        self._writer = _sqlite_engine(url, size=1, writes=True)

    @asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncConnection]:
        """See `Database.read`."""
        try:
            async with self._readers.connect() as connection:
                yield connection
        except (DBAPIError, PoolTimeoutError) as error:
            raise _named(error, "reading") from error

    @asynccontextmanager
    async def write(self, *, durable: bool = True) -> AsyncIterator[AsyncConnection]:
        """See `Database.write`. `synchronous` can only be set between transactions.

        A full disk refuses nothing that changes nothing: only a transaction with changes shows that it is well again.
        """
        try:
            async with self._lock, self._writer.connect() as connection:
                try:
                    changes = await _changes(connection) if self.last_failure else -1
                    await self._promise(connection, durable=durable)
                    await connection.exec_driver_sql("BEGIN IMMEDIATE")
                    yield connection
                    await connection.exec_driver_sql("COMMIT")
                    if self.last_failure and await _changes(connection) != changes:
                        self.last_failure = ""
                except BaseException:
                    if not connection.invalidated:
                        await _roll_back(connection)
                    raise
        except IntegrityError:
            raise
        except (DBAPIError, PoolTimeoutError) as error:
            self.last_failure = str(error)
            raise _named(error, "writing") from error

    async def copy_to(self, path: Path) -> None:
        """A consistent copy in a new file: VACUUM INTO sees one snapshot and blocks no writer.

        The copy gets its name when it is whole; a name that is taken fails at the link.
        """
        draft = path.with_name(f".{path.name}.partial")
        os.close(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600))
        try:
            async with aiosqlite.connect(self.path) as connection:
                await connection.execute("VACUUM INTO ?", (str(draft),))
            os.link(draft, path)
        except FileExistsError:
            raise InvalidError(
                f"The backup was not written: {path} exists.", remedy="Name a file that does not."
            ) from None
        finally:
            draft.unlink()

    async def _promise(self, connection: AsyncConnection, *, durable: bool) -> None:
        """Set what COMMIT waits for, where this connection is not set so already."""
        if connection.info.get("durable") != durable:
            await connection.exec_driver_sql(
                f"PRAGMA synchronous={'FULL' if durable else 'NORMAL'}"
            )
            connection.info["durable"] = durable

    async def close(self) -> None:
        """See `Database.close`."""
        await self._readers.dispose()
        await self._writer.dispose()


class PostgreSQLDatabase:
    """A PostgreSQL server through psycopg's async connections."""

    dialect = "postgresql"

    def __init__(self, url: URL) -> None:
        self.last_failure = ""
        self._engine = create_async_engine(
            url,
            pool_size=_POSTGRES_CONNECTIONS,
            max_overflow=0,
            pool_pre_ping=True,
            hide_parameters=True,
        )

    @asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncConnection]:
        """See `Database.read`."""
        options = {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
        try:
            async with self._engine.connect() as connection:
                yield await connection.execution_options(**options)
        except (DBAPIError, PoolTimeoutError) as error:
            raise _named(error, "reading") from error

    @asynccontextmanager
    async def write(self, *, durable: bool = True) -> AsyncIterator[AsyncConnection]:
        """See `Database.write`."""
        try:
            async with self._engine.begin() as connection:
                if not durable:
                    await connection.exec_driver_sql("SET LOCAL synchronous_commit TO off")
                yield connection
        except IntegrityError:
            raise
        except (DBAPIError, PoolTimeoutError) as error:
            self.last_failure = str(error)
            raise _named(error, "writing") from error
        self.last_failure = ""

    async def close(self) -> None:
        """See `Database.close`."""
        await self._engine.dispose()


def _named(error: DBAPIError | PoolTimeoutError, doing: str) -> StorageError:
    """What went wrong in the driver's words, without the statement and what was in it."""
    cause = error.orig if isinstance(error, DBAPIError) else error
    return StorageError(
        f"The database failed at {doing}: {cause}",
        remedy="Look at the disk's free space and at the database; it is tried again.",
    )


async def _changes(connection: AsyncConnection) -> int:
    """How many rows this connection has changed so far."""
    driver = (await connection.get_raw_connection()).driver_connection
    return driver.total_changes if driver is not None else 0


async def _roll_back(connection: AsyncConnection) -> None:
    """End the transaction if one is open; a failed COMMIT may have ended it already."""
    raw = await connection.get_raw_connection()
    driver = raw.driver_connection
    if driver is not None and driver.in_transaction:
        await connection.exec_driver_sql("ROLLBACK")


def _sqlite_engine(url: URL, *, size: int, writes: bool) -> AsyncEngine:
    """An engine whose transactions are ours alone: the driver begins none, the pool resets none.

    A reader's snapshot is a BEGIN; it is ended by the pool, which rolls back what comes home.
    """
    engine = create_async_engine(
        url,
        pool_size=size,
        max_overflow=0,
        pool_timeout=60,
        hide_parameters=True,
        pool_reset_on_return=None if writes else "rollback",
    )

    def prepare(connection: Any, _record: object) -> None:
        connection.isolation_level = None
        cursor = connection.cursor()
        for pragma in _pragmas(writes=writes):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    event.listen(engine.sync_engine, "connect", prepare)
    if not writes:
        event.listen(engine.sync_engine, "begin", lambda c: c.exec_driver_sql("BEGIN"))
    return engine


def _pragmas(*, writes: bool) -> tuple[str, ...]:
    """WAL before all else; the log is checkpointed at 16 MB, caches are 16 MB for the writer, 4 for readers."""
    shared = (f"busy_timeout={_BUSY_MS}", "temp_store=MEMORY")
    if writes:
        return (*shared, "journal_mode=WAL", "cache_size=-16384", "wal_autocheckpoint=4096")
    return (*shared, "query_only=ON", "cache_size=-4096")


def _make_private(path: Path) -> None:
    """Make the database file readable by its owner only before anything is written to it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))


def connect(url: URL) -> Database:
    """The database behind a URL; raises InvalidError for one that Lifesign cannot use."""
    if url.get_backend_name() == "sqlite":
        if not url.database or url.database == ":memory:":
            raise InvalidError(
                "The database URL names no file.",
                remedy="Use sqlite:////absolute/path/lifesign.db: memory would forget everything.",
            )
        _make_private(Path(url.database))
        return SQLiteDatabase(url.set(drivername="sqlite+aiosqlite"))
    if url.get_backend_name() in {"postgresql", "postgres"}:
        try:
            return PostgreSQLDatabase(url.set(drivername="postgresql+psycopg"))
        except ModuleNotFoundError as error:
            raise InvalidError(
                "The database URL asks for PostgreSQL, whose driver is not installed.",
                remedy="Install it: pip install 'lifesign[postgres]'.",
            ) from error
    raise InvalidError(
        f"The database URL begins with {url.drivername}://, which Lifesign does not speak.",
        remedy="Use sqlite:////path/lifesign.db or postgresql://user@host/name.",
    )
