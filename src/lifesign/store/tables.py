"""The schema: every table and column that Lifesign stores, once for both dialects.

Instants are whole microseconds since 1970 (UTC), except in `runs` and its summaries, where they are
milliseconds to keep a row small. Every table that holds tenants' data has a `tenant` column.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Float,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    Table,
    text,
)

from lifesign.store.columns import Instant, Serial, Word

metadata = MetaData()

monitors = Table(
    "monitors",
    metadata,
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
    Column("created_at", Instant),
    Column("updated_at", Instant),
    Column("haystack", Word, nullable=False),
    Index("monitors_slug", "tenant", "slug", unique=True),
    Index("monitors_name", "tenant", "name_key", "id"),
)

monitor_states = Table(
    "monitor_states",
    metadata,
    Column("monitor_id", Word, primary_key=True),
    Column("tenant", Word, nullable=False),
    Column("state", SmallInteger, nullable=False),
    Column("since", Instant, nullable=False),
    Column("bad", Integer, nullable=False),
    Column("good", Integer, nullable=False),
    Column("recent", Word, nullable=False),
    Column("flapping", Boolean, nullable=False),
    Column("suspect", Boolean, nullable=False),
    Column("failure", Word),
    Column("regions", Word, nullable=False),
    sqlite_with_rowid=False,
)

runs = Table(
    "runs",
    metadata,
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


def _summary(name: str) -> Table:
    """One table of run summaries; hourly and daily ones differ in the width of a row only."""
    return Table(
        name,
        metadata,
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
        # Histograms in the order of `phases`; NULL in rows that were written before there were any.
        Column("phase_latency", LargeBinary),
        sqlite_with_rowid=False,
    )


hourly = _summary("runs_hourly")
daily = _summary("runs_daily")

rollup_progress = Table(
    "rollup_progress",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("closing_ms", BigInteger, nullable=False),
    Column("hours_ms", BigInteger, nullable=False),
    Column("days_ms", BigInteger, nullable=False),
    Column("raw_from_ms", BigInteger, nullable=False),
    Column("hours_from_ms", BigInteger, nullable=False),
)

rollup_late = Table(
    "rollup_late",
    metadata,
    Column("monitor_id", Word, primary_key=True),
    Column("hour_ms", BigInteger, primary_key=True, autoincrement=False),
    Column("tenant", Word, nullable=False),
    sqlite_with_rowid=False,
)

transitions = Table(
    "transitions",
    metadata,
    Column("id", Serial, primary_key=True, autoincrement=True),
    Column("monitor_id", Word, nullable=False),
    Column("tenant", Word, nullable=False),
    Column("at", Instant, nullable=False),
    Column("before", SmallInteger, nullable=False),
    Column("after", SmallInteger, nullable=False),
    Column("failure", Word),
    Index("transitions_once", "monitor_id", "at", "before", "after", unique=True),
)

alerts = Table(
    "alerts",
    metadata,
    Column("id", Word, primary_key=True),
    Column("tenant", Word, nullable=False),
    Column("key", Word, nullable=False),
    Column("monitor_id", Word, nullable=False),
    Column("state", Word, nullable=False),
    Column("severity", Word, nullable=False),
    Column("title", Word, nullable=False),
    Column("failure", Word),
    Column("opened_at", Instant, nullable=False),
    Column("updated_at", Instant, nullable=False),
    Column("acknowledged_at", Instant),
    Column("acknowledged_by", Word, nullable=False),
    Column("resolved_at", Instant),
    Index(
        "alerts_open_key",
        "tenant",
        "key",
        unique=True,
        sqlite_where=text("state <> 'resolved'"),
        postgresql_where=text("state <> 'resolved'"),
    ),
    Index("alerts_opened", "tenant", "opened_at", "id"),
    Index("alerts_monitor", "monitor_id", "opened_at"),
)

deliveries = Table(
    "deliveries",
    metadata,
    Column("id", Word, primary_key=True),
    Column("tenant", Word, nullable=False),
    Column("channel_id", Word, nullable=False),
    Column("alert_id", Word, nullable=False),
    Column("event", Word, nullable=False),
    Column("why", Word, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("due_at", Instant, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("status", Word, nullable=False),
    Column("last_detail", Word, nullable=False),
    Column("claimed_until", Instant),
    Index(
        "deliveries_pending",
        "due_at",
        sqlite_where=text("status = 'pending'"),
        postgresql_where=text("status = 'pending'"),
    ),
    Index("deliveries_alert", "alert_id"),
    Index("deliveries_created", "created_at"),
)

attempts = Table(
    "attempts",
    metadata,
    Column("delivery_id", Word, primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("tenant", Word, nullable=False),
    Column("at", Instant, nullable=False),
    Column("delivered", Boolean, nullable=False),
    Column("permanent", Boolean, nullable=False),
    Column("detail", Word, nullable=False),
    Column("duration_ms", Float, nullable=False),
    sqlite_with_rowid=False,
)

events = Table(
    "events",
    metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    Column("tenant", Word, nullable=False),
    Column("type", Word, nullable=False),
    Column("at", Instant, nullable=False),
    Column("monitor_id", Word, nullable=False),
    Column("data", Word, nullable=False),
    sqlite_with_rowid=False,
)

event_counter = Table(
    "event_counter",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("newest", BigInteger, nullable=False),
)

pings = Table(
    "pings",
    metadata,
    Column("id", Serial, primary_key=True, autoincrement=True),
    Column("monitor_id", Word, nullable=False),
    Column("tenant", Word, nullable=False),
    Column("at", Instant, nullable=False),
    Column("outcome", SmallInteger, nullable=False),
    Column("action", Word, nullable=False),
    Column("exit_status", SmallInteger),
    Column("run_id", Word, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("method", Word, nullable=False),
    Column("remote", Word, nullable=False),
    Column("user_agent", Word, nullable=False),
    Index("pings_outcome", "monitor_id", "outcome", "id"),
    Index("pings_monitor", "monitor_id", "id"),
)

channels = Table(
    "channels",
    metadata,
    Column("id", Word, primary_key=True),
    Column("tenant", Word, nullable=False),
    Column("name", Word, nullable=False),
    Column("kind", Word, nullable=False),
    Column("settings", LargeBinary, nullable=False),
    Column("enabled", Boolean, nullable=False),
    Column("owner", Word, nullable=False),
    Column("version", Integer, nullable=False),
    Column("created_at", Instant),
    Column("updated_at", Instant),
    Index("channels_name", "tenant", "name", unique=True),
)

routes = Table(
    "routes",
    metadata,
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
    Index("routes_name", "tenant", "name", unique=True),
)

users = Table(
    "users",
    metadata,
    Column("id", Word, primary_key=True),
    Column("tenant", Word, nullable=False),
    Column("email", Word, nullable=False),
    Column("email_key", Word, nullable=False, unique=True),
    Column("name", Word, nullable=False),
    Column("password_hash", Word, nullable=False),
    Column("grant_name", Word, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("last_seen_at", Instant),
)

sessions = Table(
    "sessions",
    metadata,
    Column("id", Word, primary_key=True),
    Column("tenant", Word, nullable=False),
    Column("user_id", Word, nullable=False),
    Column("token_hash", LargeBinary, nullable=False, unique=True),
    Column("created_at", Instant, nullable=False),
    Column("seen_at", Instant, nullable=False),
    Column("idle_until", Instant, nullable=False),
    Column("expires_at", Instant, nullable=False),
    Column("remote", Word, nullable=False),
    Column("user_agent", Word, nullable=False),
    Index("sessions_user", "user_id"),
)

tokens = Table(
    "tokens",
    metadata,
    Column("id", Word, primary_key=True),
    Column("tenant", Word, nullable=False),
    Column("name", Word, nullable=False),
    Column("prefix", Word, nullable=False),
    Column("token_hash", LargeBinary, nullable=False, unique=True),
    Column("grant_name", Word, nullable=False),
    Column("created_by", Word, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("expires_at", Instant),
    Column("last_used_at", Instant),
    Index("tokens_tenant", "tenant", "created_at"),
)

setup_links = Table(
    "setup_links",
    metadata,
    Column("token_hash", LargeBinary, primary_key=True),
    Column("tenant", Word, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("expires_at", Instant, nullable=False),
    Column("used_at", Instant),
)
