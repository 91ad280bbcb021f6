"""Bring a database to the newest schema: forward only, in one transaction, one process at a time."""

from pathlib import Path

from alembic.command import upgrade
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

from lifesign.core.errors import LifesignError

_SCRIPTS = Path(__file__).with_name("migrations")
_ADVISORY_LOCK = 0x4C53_4947  # "LSIG": any number nobody else uses


class SchemaError(LifesignError):
    """The database was written by a newer Lifesign."""

    code = "schema"


def migrate(connection: Connection) -> None:
    """Run every migration that is missing; raises SchemaError on a schema from the future."""
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_ADVISORY_LOCK})")
    config = Config()
    config.set_main_option("script_location", str(_SCRIPTS).replace("%", "%%"))
    config.attributes["connection"] = connection
    scripts = ScriptDirectory.from_config(config)
    current = MigrationContext.configure(connection).get_current_revision()
    if current == scripts.get_current_head():
        return
    known = {script.revision for script in scripts.walk_revisions()}
    if current is not None and current not in known:
        raise SchemaError(
            f"The database has schema {current}, which this version of Lifesign does not know.",
            remedy="Start the newer version again, or restore a backup made before the upgrade.",
        )
    upgrade(config, "head")
