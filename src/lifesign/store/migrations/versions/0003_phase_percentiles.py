"""Percentiles of each phase: the summaries get a histogram for each beside its sum.

Rows that are there already have none; they go on being read without.
"""

from alembic import op
from sqlalchemy import Column, LargeBinary

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column; neither dialect rewrites a table for one that may be NULL."""
    for table in ("runs_hourly", "runs_daily"):
        op.add_column(table, Column("phase_latency", LargeBinary))
