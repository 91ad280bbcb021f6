"""The schema of published surfaces: what was seen, what was accepted, what changed, what was announced."""

from sqlalchemy import Boolean, Column, Index, Integer, LargeBinary, Table

from lifesign.store.columns import Instant, Word
from lifesign.store.tables import metadata

snapshots = Table(
    "snapshots",
    metadata,
    Column("tenant", Word, primary_key=True),
    Column("digest", Word, primary_key=True),
    Column("used_at", Instant, nullable=False),
    Column("size", Integer, nullable=False),
    Column("document", LargeBinary, nullable=False),
    sqlite_with_rowid=False,
)
"""Canonical documents, deflated. `used_at` moves when one is written again, so that pruning passes it over."""

drifts = Table(
    "drifts",
    metadata,
    Column("monitor_id", Word, primary_key=True),
    Column("region", Word, primary_key=True),
    Column("audience", Word, primary_key=True),
    Column("tenant", Word, nullable=False),
    Column("baseline", Word, nullable=False),
    Column("baseline_since", Instant, nullable=False),
    Column("pinned", Boolean, nullable=False),
    Column("current", Word, nullable=False),
    Column("current_since", Instant, nullable=False),
    Column("candidate", Word, nullable=False),
    Column("recent", Word, nullable=False),
    Column("steady", Integer, nullable=False),
    Column("unstable", Boolean, nullable=False),
    sqlite_with_rowid=False,
)

surface_changes = Table(
    "surface_changes",
    metadata,
    Column("id", Word, primary_key=True),
    Column("monitor_id", Word, nullable=False),
    Column("tenant", Word, nullable=False),
    Column("region", Word, nullable=False),
    Column("audience", Word, nullable=False),
    Column("at", Instant, nullable=False),
    Column("before", Word, nullable=False),
    Column("after", Word, nullable=False),
    Column("impact", Word, nullable=False),
    Column("changes", Word, nullable=False),
    Column("accepted_at", Instant),
    Column("accepted_by", Word, nullable=False),
    Index("surface_changes_monitor", "monitor_id", "at", "id"),
    Index("surface_changes_at", "at"),
)

releases = Table(
    "releases",
    metadata,
    Column("id", Word, primary_key=True),
    Column("monitor_id", Word, nullable=False),
    Column("tenant", Word, nullable=False),
    Column("starts_at", Instant, nullable=False),
    Column("ends_at", Instant, nullable=False),
    Column("digest", Word, nullable=False),
    Column("note", Word, nullable=False),
    Column("by", Word, nullable=False),
    Index("releases_monitor", "monitor_id", "starts_at"),
)
