"""The bus of one process: bounded queues, nothing on disk, because the store keeps what must stay."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager

from lifesign.bus.contract import Topic

WORK_ROOM = 10_000
"""Work that may wait on one topic before its publishers do."""


class _Work:
    """One topic that is read once."""

    def __init__(self, room: int) -> None:
        self.waiting: deque[object] = deque()
        self.filled = asyncio.Event()
        self.room = asyncio.Semaphore(room)
        """Wakes as many publishers as there are free places, the longest waiting first."""
        self.held_back = 0


class _Ear:
    """One follower of one topic."""

    def __init__(self, room: int) -> None:
        self._heard: deque[object] = deque(maxlen=room)
        self._filled = asyncio.Event()
        self._closed = False
        self.lost = 0

    def hear(self, value: object) -> None:
        if len(self._heard) == self._heard.maxlen:
            self.lost += 1
        self._heard.append(value)
        self._filled.set()

    def close(self) -> None:
        self._closed = True
        self._filled.set()

    async def __aiter__(self) -> AsyncIterator[object]:
        while True:
            while self._heard:
                yield self._heard.popleft()
            if self._closed:
                return
            self._filled.clear()
            await self._filled.wait()


class LocalBus:
    """The in-process bus."""

    def __init__(self, *, room: int = WORK_ROOM) -> None:
        self._work = {topic: _Work(room) for topic in (Topic.RUNS, Topic.PINGS)}
        self._ears: dict[Topic, list[_Ear]] = {Topic.EVENTS: [], Topic.CHANGES: []}
        self._closed = False

    async def publish(self, topic: Topic, value: object) -> None:
        """Queue work (waiting while the topic is full) or tell every follower the news."""
        work = self._work.get(topic)
        if work is None:
            for ear in self._ears[topic]:
                ear.hear(value)
            return
        if not self._closed:
            work.held_back += 1
            try:
                await work.room.acquire()
            finally:
                work.held_back -= 1
        work.waiting.append(value)
        work.filled.set()

    async def take(self, topic: Topic, most: int) -> list[object]:
        """Take up to `most` pieces of work, waiting for the first; empty once closed and drained."""
        work = self._work[topic]
        while not work.waiting:
            if self._closed:
                return []
            work.filled.clear()
            await work.filled.wait()
        taken = [work.waiting.popleft() for _ in range(min(most, len(work.waiting)))]
        for _ in taken:
            work.room.release()
        return taken

    @contextmanager
    def follow(self, topic: Topic, *, room: int = 1000) -> Iterator[_Ear]:
        """Follow a topic from now on; slow followers lose the oldest news and know how much."""
        ear = _Ear(room)
        self._ears[topic].append(ear)
        if self._closed:
            ear.close()
        try:
            yield ear
        finally:
            self._ears[topic].remove(ear)

    def is_followed(self, topic: Topic) -> bool:
        """Whether the topic has a follower now."""
        return bool(self._ears[topic])

    def lease(self, shard: str) -> bool:
        """A process that is alone holds every shard."""
        return bool(shard)

    def close(self) -> None:
        """End every wait."""
        self._closed = True
        for work in self._work.values():
            work.filled.set()
            for _ in range(work.held_back):
                work.room.release()
        for ears in self._ears.values():
            for ear in ears:
                ear.close()
