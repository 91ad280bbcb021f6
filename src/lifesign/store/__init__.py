"""Storage: SQLite or PostgreSQL behind one set of repositories. All SQL lives in this package."""

from lifesign.core.errors import StorageError
from lifesign.store.cursors import MAX_LIMIT
from lifesign.store.engine import Store, open_store
from lifesign.store.migrate import SchemaError
from lifesign.store.monitors import slugify
from lifesign.store.values import (
    AlertQuery,
    ApiToken,
    Bucket,
    DayBar,
    DeliveryLog,
    Digest,
    Journal,
    LastRun,
    Latency,
    MonitorQuery,
    MonitorRow,
    Percentiles,
    Retention,
    Session,
    StoredRun,
    Uptime,
    User,
)
from lifesign.store.vault import KEY_FILE, Vault, VaultError

__all__ = [
    "KEY_FILE",
    "MAX_LIMIT",
    "AlertQuery",
    "ApiToken",
    "Bucket",
    "DayBar",
    "DeliveryLog",
    "Digest",
    "Journal",
    "LastRun",
    "Latency",
    "MonitorQuery",
    "MonitorRow",
    "Percentiles",
    "Retention",
    "SchemaError",
    "Session",
    "StorageError",
    "Store",
    "StoredRun",
    "Uptime",
    "User",
    "Vault",
    "VaultError",
    "open_store",
    "slugify",
]
