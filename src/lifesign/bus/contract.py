"""The bus as its users see it: publish, consume (one reader gets each) and follow (each reader gets all)."""

from collections.abc import AsyncIterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol


class Topic(StrEnum):
    """What is spoken of. `runs` and `pings` are work, read once; the others are news, heard by all."""

    RUNS = "runs"
    PINGS = "pings"
    EVENTS = "events"
    CHANGES = "changes"


class ChangeOf(StrEnum):
    """What became of a thing: it was saved, it is gone, or it should be checked now."""

    SAVED = "saved"
    REMOVED = "removed"
    RUN = "run"


@dataclass(frozen=True, slots=True)
class Change:
    """A monitor, route or channel (`kind`) changed, and the engine should look at it again."""

    kind: str
    id: str
    tenant: str
    what: ChangeOf = ChangeOf.SAVED


class Subscription(Protocol):
    """A follower's ear. When it falls behind, the oldest news is dropped and `lost` counts it."""

    lost: int

    def __aiter__(self) -> AsyncIterator[object]:
        """The news, in order, until the bus closes."""


class Bus(Protocol):
    """The things that any bus must do."""

    async def publish(self, topic: Topic, value: object) -> None:
        """Say it. Work waits while the topic is full (back-pressure); news never waits."""

    async def take(self, topic: Topic, most: int) -> list[object]:
        """Wait for work and take up to `most` of it; an empty list means the bus has closed."""

    def follow(self, topic: Topic, *, room: int = 1000) -> AbstractContextManager[Subscription]:
        """Hear all news from now on, holding at most `room` of it unread."""

    def is_followed(self, topic: Topic) -> bool:
        """Whether anybody hears this news, so that it need not be made for nobody."""

    def lease(self, shard: str) -> bool:
        """Whether this process is the one that works on the shard (always, when it is alone)."""

    def close(self) -> None:
        """End every wait; what was published before is still taken."""
