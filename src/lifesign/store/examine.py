"""A look at an SQLite file from outside that changes nothing: whether it is whole, and its schema."""

from dataclasses import dataclass
from pathlib import Path

from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import create_async_engine

from lifesign.core.errors import LifesignError

_SCRIPTS = Path(__file__).with_name("migrations")


class UnreadableDatabaseError(LifesignError):
    """The file cannot be opened as a database."""

    code = "unreadable_database"


@dataclass(frozen=True, slots=True)
class Examined:
    """What was found. `damage` is empty when all is well; `revision` is None before the first migration."""

    revision: str | None
    newest: str | None
    damage: str


async def examine_sqlite(path: Path) -> Examined:
    """Open the file (an absolute path) read-only, check its structure and read its schema.

    Raises UnreadableDatabaseError when it cannot be opened. A file that is being written to is read as it
    stood at one moment; nothing waits for us.
    """
    engine = create_async_engine(f"sqlite+aiosqlite:///file:{path}?mode=ro&uri=true")
    try:
        async with engine.connect() as connection:
            result = await connection.exec_driver_sql("PRAGMA quick_check(1)")
            said = str(result.scalar_one())
            revision = await connection.run_sync(_revision)
    except SQLAlchemyError as error:
        reason = str(getattr(error, "orig", error))
        raise UnreadableDatabaseError(
            f"{path} cannot be read as a database: {reason}.",
            remedy="Run as the user that runs Lifesign; if the file is damaged, restore a backup.",
        ) from error
    finally:
        await engine.dispose()
    return Examined(revision, _newest(), "" if said == "ok" else said)


def _revision(connection: Connection) -> str | None:
    return MigrationContext.configure(connection).get_current_revision()


def _newest() -> str | None:
    config = Config()
    config.set_main_option("script_location", str(_SCRIPTS).replace("%", "%%"))
    return ScriptDirectory.from_config(config).get_current_head()
