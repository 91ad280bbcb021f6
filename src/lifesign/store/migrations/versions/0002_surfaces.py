"""Published surfaces: snapshots, drift, its timeline, announced releases."""

from alembic import op
from sqlalchemy import BigInteger, Boolean, Column, Integer, LargeBinary, String

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

Word = String().with_variant(String(collation="C"), "postgresql")


def upgrade() -> None:
    """Make the four tables."""
    _snapshots()
    _drifts()
    _surface_changes()
    _releases()


def _snapshots() -> None:
    op.create_table(
        "snapshots",
        Column("tenant", Word, primary_key=True),
        Column("digest", Word, primary_key=True),
        Column("used_at", BigInteger, nullable=False),
        Column("size", Integer, nullable=False),
        Column("document", LargeBinary, nullable=False),
        sqlite_with_rowid=False,
    )


def _drifts() -> None:
    op.create_table(
        "drifts",
        Column("monitor_id", Word, primary_key=True),
        Column("region", Word, primary_key=True),
        Column("audience", Word, primary_key=True),
        Column("tenant", Word, nullable=False),
        Column("baseline", Word, nullable=False),
        Column("baseline_since", BigInteger, nullable=False),
        Column("pinned", Boolean, nullable=False),
        Column("current", Word, nullable=False),
        Column("current_since", BigInteger, nullable=False),
        Column("candidate", Word, nullable=False),
        Column("recent", Word, nullable=False),
        Column("steady", Integer, nullable=False),
        Column("unstable", Boolean, nullable=False),
        sqlite_with_rowid=False,
    )


def _surface_changes() -> None:
    op.create_table(
        "surface_changes",
        Column("id", Word, primary_key=True),
        Column("monitor_id", Word, nullable=False),
        Column("tenant", Word, nullable=False),
        Column("region", Word, nullable=False),
        Column("audience", Word, nullable=False),
        Column("at", BigInteger, nullable=False),
        Column("before", Word, nullable=False),
        Column("after", Word, nullable=False),
        Column("impact", Word, nullable=False),
        Column("changes", Word, nullable=False),
        Column("accepted_at", BigInteger),
        Column("accepted_by", Word, nullable=False),
    )
    op.create_index("surface_changes_monitor", "surface_changes", ["monitor_id", "at", "id"])
    op.create_index("surface_changes_at", "surface_changes", ["at"])


def _releases() -> None:
    op.create_table(
        "releases",
        Column("id", Word, primary_key=True),
        Column("monitor_id", Word, nullable=False),
        Column("tenant", Word, nullable=False),
        Column("starts_at", BigInteger, nullable=False),
        Column("ends_at", BigInteger, nullable=False),
        Column("digest", Word, nullable=False),
        Column("note", Word, nullable=False),
        Column("by", Word, nullable=False),
    )
    op.create_index("releases_monitor", "releases", ["monitor_id", "starts_at"])
