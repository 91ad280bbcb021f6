"""A listing comes in pages, the same from the store to every face."""

from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """One page of a listing; `next_cursor` is opaque and absent on the last page, `total` is set where it is known."""

    items: tuple[T, ...]
    next_cursor: str | None = None
    total: int | None = None
