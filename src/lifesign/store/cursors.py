"""Opaque cursors: where the next page of a listing begins, as the sort key of the last row shown.

A key and not an offset, so that rows which come or go between two pages shift nothing.
"""

import base64
import binascii
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, and_, false, or_

from lifesign.core.errors import InvalidError

MAX_LIMIT = 1000
Key = list[int | str]


def encode_cursor(order: str, key: Sequence[int | str]) -> str:
    """The cursor behind the row with this sort key, in a listing of this order."""
    blob = msgspec.json.encode([order, *key])
    return base64.urlsafe_b64encode(blob).rstrip(b"=").decode()


def decode_cursor(order: str, cursor: str, types: Sequence[type]) -> Key:
    """The sort key in a cursor; raises InvalidError when it is not one of this listing."""
    try:
        blob = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        first, *key = msgspec.json.decode(blob, type=Key)
    except (binascii.Error, ValueError, msgspec.DecodeError):
        first, key = "", []
    if first != order or [type(part) for part in key] != list(types):
        raise InvalidError(
            "The cursor does not belong to this listing.",
            problems=(("cursor", "is not one that this listing gave"),),
            remedy="Ask for the first page again, without a cursor.",
        )
    return key


def after(
    columns: Sequence[ColumnElement[Any]],
    key: Sequence[int | str | datetime],
    *,
    descending: bool = False,
) -> ColumnElement[bool]:
    """The rows behind `key` in the order of `columns`, all ascending or all descending."""
    condition: ColumnElement[bool] = false()
    for column, value in zip(reversed(columns), reversed(key), strict=True):
        beyond = column < value if descending else column > value
        condition = or_(beyond, and_(column == value, condition))
    return condition


def bounded(limit: int) -> int:
    """A page size that can be served: 1 to 1000; raises InvalidError beyond."""
    if not 1 <= limit <= MAX_LIMIT:
        raise InvalidError(
            f"A page of {limit} rows cannot be served.",
            problems=(("limit", f"must be between 1 and {MAX_LIMIT}"),),
        )
    return limit
