"""How values are spelt in columns: words, growing numbers, instants, JSON."""

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
from sqlalchemy import BigInteger, Dialect, Integer, String
from sqlalchemy.types import TypeDecorator, TypeEngine

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)

Word = String().with_variant(String(collation="C"), "postgresql")
"""Text that compares byte by byte in both dialects, so that order and cursors agree."""

Serial = BigInteger().with_variant(Integer, "sqlite")
"""A growing row number; SQLite counts by itself only in a column declared INTEGER."""


class Instant(TypeDecorator[datetime]):
    """An aware UTC instant as whole microseconds since 1970: exact, ordered, free of time zones."""

    impl: TypeEngine[Any] | type[TypeEngine[Any]] = BigInteger
    cache_ok: bool | None = True

    def process_bind_param(
        self,
        value: datetime | None,
        dialect: Dialect,  # noqa: ARG002 - SQLAlchemy passes it
    ) -> int | None:
        """The instant as stored."""
        return None if value is None else (value - _EPOCH) // _MICROSECOND

    def process_result_value(
        self,
        value: int | None,
        dialect: Dialect,  # noqa: ARG002 - SQLAlchemy passes it
    ) -> datetime | None:
        """The instant as known."""
        return None if value is None else _EPOCH + value * _MICROSECOND


def to_us(value: datetime) -> int:
    """Whole microseconds since 1970."""
    return (value - _EPOCH) // _MICROSECOND


def from_us(value: int) -> datetime:
    """The instant that many microseconds after 1970."""
    return _EPOCH + value * _MICROSECOND


def to_ms(value: datetime) -> int:
    """Whole milliseconds since 1970, rounded down."""
    return to_us(value) // 1000


def from_ms(value: float) -> datetime:
    """The instant that many milliseconds after 1970."""
    return _EPOCH + timedelta(milliseconds=value)


def json_text(value: object) -> str:
    """A value as the compact JSON that text columns hold."""
    return msgspec.json.encode(value).decode()
