"""What happens, as it happens, and what happened while a reader was away."""

from collections.abc import AsyncIterator
from typing import cast

from lifesign.bus import Bus, Topic
from lifesign.clock import Clock
from lifesign.core.batch import Event
from lifesign.core.errors import BusyError
from lifesign.core.scope import Grant, Scope
from lifesign.service.access import require
from lifesign.store import MAX_LIMIT, Store

MAX_FOLLOWERS = 500
MAX_REPLAY = 1000
"""Events that are replayed at most; whoever missed more is better off reading everything anew."""

RESYNC = "resync"


class Live:
    """Events, stored and live."""

    def __init__(self, *, store: Store, bus: Bus, clock: Clock, room: int) -> None:
        self._store = store
        self._bus = bus
        self._clock = clock
        self._room = room
        self._followers = 0

    @property
    def followers(self) -> int:
        """How many follow at this moment."""
        return self._followers

    def ensure_room(self) -> None:
        """Raise BusyError when one more could not follow."""
        if self._followers >= MAX_FOLLOWERS:
            raise BusyError(
                f"{MAX_FOLLOWERS} readers follow the events already.", remedy="Try again later."
            )

    async def recent(self, scope: Scope, limit: int) -> tuple[Event, ...]:
        """The newest stored events, newest first."""
        require(scope, Grant.READ)
        return await self._store.events.recent(scope, min(limit, MAX_LIMIT))

    async def follow(self, scope: Scope, after_id: int | None) -> AsyncIterator[Event]:
        """Stored events after the id first, then live ones, until the bus closes.

        1. Listen, so that nothing is missed from now on.
        2. Replay what is stored after the id; when that is too much or gone, say `resync` instead.
        3. Pass on what is heard, leaving out what was replayed already.
        4. When the listener fell behind, say `resync` and go on.

        A `resync` event's id is where the reader is then. Raises BusyError when too many follow.
        """
        require(scope, Grant.READ)
        self.ensure_room()
        self._followers += 1
        try:
            with self._bus.follow(Topic.EVENTS, room=self._room) as ear:
                reached = 0
                for event in await self._missed(scope, after_id):
                    reached = event.id
                    yield event
                lost = 0
                async for heard in ear:
                    if ear.lost > lost:
                        lost = ear.lost
                        reached = await self._store.events.newest_id()
                        yield self._resync(scope, reached, "The reader was too slow.")
                    event = cast("Event", heard)
                    if event.tenant == scope.tenant and (event.id == 0 or event.id > reached):
                        yield event
        finally:
            self._followers -= 1

    async def _missed(self, scope: Scope, after_id: int | None) -> tuple[Event, ...]:
        if after_id is None:
            return ()
        newest, oldest = await self._store.events.newest_id(), await self._store.events.oldest_id()
        if after_id > newest or after_id < oldest - 1:
            return (self._resync(scope, newest, "Events after this id are no longer kept."),)
        if newest - after_id > MAX_REPLAY:
            return (self._resync(scope, newest, f"More than {MAX_REPLAY} events were missed."),)
        return await self._store.events.since(scope, after_id, MAX_REPLAY)

    def _resync(self, scope: Scope, id: int, reason: str) -> Event:
        data = {"reason": reason, "remedy": "Read the current state anew, then go on following."}
        return Event(type=RESYNC, at=self._clock.now(), tenant=scope.tenant, data=data, id=id)
