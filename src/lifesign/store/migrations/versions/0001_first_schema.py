"""The first schema.

A migration is frozen once it is released: it repeats what `store/tables.py` said then.
"""

from alembic import op
from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Float,
    Integer,
    LargeBinary,
    SmallInteger,
    String,
    text,
)

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

Word = String().with_variant(String(collation="C"), "postgresql")
Serial = BigInteger().with_variant(Integer, "sqlite")


def upgrade() -> None:
    """Make every table."""
    _monitors()
    _monitor_states()
    _runs()
    _rollup_progress()
    _rollup_late()
    _transitions()
    _alerts()
    _deliveries()
    _attempts()
    _channels()
    _routes()
    _events()
    _event_counter()
    _pings()
    _users()
    _sessions()
    _tokens()
    _setup_links()
    _summary("runs_hourly")
    _summary("runs_daily")
    op.execute("INSERT INTO rollup_progress VALUES (1, 0, 0, 0, 0, 0)")
    op.execute("INSERT INTO event_counter VALUES (1, 0)")


def _monitors() -> None:
    op.create_table(
        "monitors",
        Column("id", Word, primary_key=True),
        Column("tenant", Word, nullable=False),
        Column("slug", Word, nullable=False),
        Column("name", Word, nullable=False),
        Column("name_key", Word, nullable=False),
        Column("kind", Word, nullable=False),
        Column("settings", LargeBinary, nullable=False),
        Column("interval_s", Float, nullable=False),
        Column("timeout_s", Float, nullable=False),
        Column("conditions", Word, nullable=False),
        Column("policy", Word, nullable=False),
        Column("severity", Word, nullable=False),
        Column("group_name", Word, nullable=False),
        Column("tags", Word, nullable=False),
        Column("description", Word, nullable=False),
        Column("runbook_url", Word, nullable=False),
        Column("regions", Word, nullable=False),
        Column("paused", Boolean, nullable=False),
        Column("owner", Word, nullable=False),
        Column("version", Integer, nullable=False),
        Column("created_at", BigInteger),
        Column("updated_at", BigInteger),
        Column("haystack", Word, nullable=False),
    )
    op.create_index("monitors_name", "monitors", ["tenant", "name_key", "id"])
    op.create_index("monitors_slug", "monitors", ["tenant", "slug"], unique=True)


def _monitor_states() -> None:
    op.create_table(
        "monitor_states",
        Column("monitor_id", Word, primary_key=True),
        Column("tenant", Word, nullable=False),
        Column("state", SmallInteger, nullable=False),
        Column("since", BigInteger, nullable=False),
        Column("bad", Integer, nullable=False),
        Column("good", Integer, nullable=False),
        Column("recent", Word, nullable=False),
        Column("flapping", Boolean, nullable=False),
        Column("suspect", Boolean, nullable=False),
        Column("failure", Word),
        Column("regions", Word, nullable=False),
        sqlite_with_rowid=False,
    )


def _runs() -> None:
    op.create_table(
        "runs",
        Column("monitor_id", Word, primary_key=True),
        Column("slot_ms", BigInteger, primary_key=True, autoincrement=False),
        Column("region", Word, primary_key=True),
        Column("tenant", Word, nullable=False),
        Column("state", SmallInteger, nullable=False),
        Column("started_ms", BigInteger, nullable=False),
        Column("duration_ms", Float, nullable=False),
        Column("late_ms", Float, nullable=False),
        Column("layer", Word),
        Column("code", Word),
        Column("detail", LargeBinary, nullable=False),
        sqlite_with_rowid=False,
    )


def _rollup_progress() -> None:
    op.create_table(
        "rollup_progress",
        Column("id", Integer, primary_key=True, autoincrement=False),
        Column("closing_ms", BigInteger, nullable=False),
        Column("hours_ms", BigInteger, nullable=False),
        Column("days_ms", BigInteger, nullable=False),
        Column("raw_from_ms", BigInteger, nullable=False),
        Column("hours_from_ms", BigInteger, nullable=False),
    )


def _rollup_late() -> None:
    op.create_table(
        "rollup_late",
        Column("monitor_id", Word, primary_key=True),
        Column("hour_ms", BigInteger, primary_key=True, autoincrement=False),
        Column("tenant", Word, nullable=False),
        sqlite_with_rowid=False,
    )


def _transitions() -> None:
    op.create_table(
        "transitions",
        Column("id", Serial, primary_key=True, autoincrement=True),
        Column("monitor_id", Word, nullable=False),
        Column("tenant", Word, nullable=False),
        Column("at", BigInteger, nullable=False),
        Column("before", SmallInteger, nullable=False),
        Column("after", SmallInteger, nullable=False),
        Column("failure", Word),
    )
    op.create_index(
        "transitions_once", "transitions", ["monitor_id", "at", "before", "after"], unique=True
    )


def _alerts() -> None:
    op.create_table(
        "alerts",
        Column("id", Word, primary_key=True),
        Column("tenant", Word, nullable=False),
        Column("key", Word, nullable=False),
        Column("monitor_id", Word, nullable=False),
        Column("state", Word, nullable=False),
        Column("severity", Word, nullable=False),
        Column("title", Word, nullable=False),
        Column("failure", Word),
        Column("opened_at", BigInteger, nullable=False),
        Column("updated_at", BigInteger, nullable=False),
        Column("acknowledged_at", BigInteger),
        Column("acknowledged_by", Word, nullable=False),
        Column("resolved_at", BigInteger),
    )
    op.create_index("alerts_monitor", "alerts", ["monitor_id", "opened_at"])
    op.create_index(
        "alerts_open_key",
        "alerts",
        ["tenant", "key"],
        unique=True,
        sqlite_where=text("state <> 'resolved'"),
        postgresql_where=text("state <> 'resolved'"),
    )
    op.create_index("alerts_opened", "alerts", ["tenant", "opened_at", "id"])


def _deliveries() -> None:
    op.create_table(
        "deliveries",
        Column("id", Word, primary_key=True),
        Column("tenant", Word, nullable=False),
        Column("channel_id", Word, nullable=False),
        Column("alert_id", Word, nullable=False),
        Column("event", Word, nullable=False),
        Column("why", Word, nullable=False),
        Column("created_at", BigInteger, nullable=False),
        Column("due_at", BigInteger, nullable=False),
        Column("attempts", Integer, nullable=False),
        Column("status", Word, nullable=False),
        Column("last_detail", Word, nullable=False),
        Column("claimed_until", BigInteger),
    )
    op.create_index("deliveries_alert", "deliveries", ["alert_id"])
    op.create_index("deliveries_created", "deliveries", ["created_at"])
    op.create_index(
        "deliveries_pending",
        "deliveries",
        ["due_at"],
        sqlite_where=text("status = 'pending'"),
        postgresql_where=text("status = 'pending'"),
    )


def _attempts() -> None:
    op.create_table(
        "attempts",
        Column("delivery_id", Word, primary_key=True),
        Column("number", Integer, primary_key=True, autoincrement=False),
        Column("tenant", Word, nullable=False),
        Column("at", BigInteger, nullable=False),
        Column("delivered", Boolean, nullable=False),
        Column("permanent", Boolean, nullable=False),
        Column("detail", Word, nullable=False),
        Column("duration_ms", Float, nullable=False),
        sqlite_with_rowid=False,
    )


def _channels() -> None:
    op.create_table(
        "channels",
        Column("id", Word, primary_key=True),
        Column("tenant", Word, nullable=False),
        Column("name", Word, nullable=False),
        Column("kind", Word, nullable=False),
        Column("settings", LargeBinary, nullable=False),
        Column("enabled", Boolean, nullable=False),
        Column("owner", Word, nullable=False),
        Column("version", Integer, nullable=False),
        Column("created_at", BigInteger),
        Column("updated_at", BigInteger),
    )
    op.create_index("channels_name", "channels", ["tenant", "name"], unique=True)


def _routes() -> None:
    op.create_table(
        "routes",
        Column("id", Word, primary_key=True),
        Column("tenant", Word, nullable=False),
        Column("name", Word, nullable=False),
        Column("channels", Word, nullable=False),
        Column("min_severity", Word, nullable=False),
        Column("kinds", Word, nullable=False),
        Column("tags", Word, nullable=False),
        Column("monitors", Word, nullable=False),
        Column("events", Word, nullable=False),
        Column("enabled", Boolean, nullable=False),
        Column("owner", Word, nullable=False),
        Column("version", Integer, nullable=False),
    )
    op.create_index("routes_name", "routes", ["tenant", "name"], unique=True)


def _events() -> None:
    op.create_table(
        "events",
        Column("id", BigInteger, primary_key=True, autoincrement=False),
        Column("tenant", Word, nullable=False),
        Column("type", Word, nullable=False),
        Column("at", BigInteger, nullable=False),
        Column("monitor_id", Word, nullable=False),
        Column("data", Word, nullable=False),
        sqlite_with_rowid=False,
    )


def _event_counter() -> None:
    op.create_table(
        "event_counter",
        Column("id", Integer, primary_key=True, autoincrement=False),
        Column("newest", BigInteger, nullable=False),
    )


def _pings() -> None:
    op.create_table(
        "pings",
        Column("id", Serial, primary_key=True, autoincrement=True),
        Column("monitor_id", Word, nullable=False),
        Column("tenant", Word, nullable=False),
        Column("at", BigInteger, nullable=False),
        Column("outcome", SmallInteger, nullable=False),
        Column("action", Word, nullable=False),
        Column("exit_status", SmallInteger),
        Column("run_id", Word, nullable=False),
        Column("body", LargeBinary, nullable=False),
        Column("method", Word, nullable=False),
        Column("remote", Word, nullable=False),
        Column("user_agent", Word, nullable=False),
    )
    op.create_index("pings_monitor", "pings", ["monitor_id", "id"])
    op.create_index("pings_outcome", "pings", ["monitor_id", "outcome", "id"])


def _users() -> None:
    op.create_table(
        "users",
        Column("id", Word, primary_key=True),
        Column("tenant", Word, nullable=False),
        Column("email", Word, nullable=False),
        Column("email_key", Word, nullable=False, unique=True),
        Column("name", Word, nullable=False),
        Column("password_hash", Word, nullable=False),
        Column("grant_name", Word, nullable=False),
        Column("created_at", BigInteger, nullable=False),
        Column("last_seen_at", BigInteger),
    )


def _sessions() -> None:
    op.create_table(
        "sessions",
        Column("id", Word, primary_key=True),
        Column("tenant", Word, nullable=False),
        Column("user_id", Word, nullable=False),
        Column("token_hash", LargeBinary, nullable=False, unique=True),
        Column("created_at", BigInteger, nullable=False),
        Column("seen_at", BigInteger, nullable=False),
        Column("idle_until", BigInteger, nullable=False),
        Column("expires_at", BigInteger, nullable=False),
        Column("remote", Word, nullable=False),
        Column("user_agent", Word, nullable=False),
    )
    op.create_index("sessions_user", "sessions", ["user_id"])


def _tokens() -> None:
    op.create_table(
        "tokens",
        Column("id", Word, primary_key=True),
        Column("tenant", Word, nullable=False),
        Column("name", Word, nullable=False),
        Column("prefix", Word, nullable=False),
        Column("token_hash", LargeBinary, nullable=False, unique=True),
        Column("grant_name", Word, nullable=False),
        Column("created_by", Word, nullable=False),
        Column("created_at", BigInteger, nullable=False),
        Column("expires_at", BigInteger),
        Column("last_used_at", BigInteger),
    )
    op.create_index("tokens_tenant", "tokens", ["tenant", "created_at"])


def _setup_links() -> None:
    op.create_table(
        "setup_links",
        Column("token_hash", LargeBinary, primary_key=True),
        Column("tenant", Word, nullable=False),
        Column("created_at", BigInteger, nullable=False),
        Column("expires_at", BigInteger, nullable=False),
        Column("used_at", BigInteger),
    )


def _summary(name: str) -> None:
    op.create_table(
        name,
        Column("monitor_id", Word, primary_key=True),
        Column("start_ms", BigInteger, primary_key=True, autoincrement=False),
        Column("region", Word, primary_key=True),
        Column("tenant", Word, nullable=False),
        Column("up", Integer, nullable=False),
        Column("degraded", Integer, nullable=False),
        Column("down", Integer, nullable=False),
        Column("unknown", Integer, nullable=False),
        Column("latency", LargeBinary, nullable=False),
        Column("phases", Word, nullable=False),
        sqlite_with_rowid=False,
    )
