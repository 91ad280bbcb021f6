"""Telling the others of a change: as a stored event for people, as a change for the engine."""

from collections.abc import Iterable, Mapping

from lifesign.bus import Bus, Change, ChangeOf, Topic
from lifesign.clock import Clock
from lifesign.core.batch import Batch, Event
from lifesign.core.scope import Scope
from lifesign.store import Store


class News:
    """What every operation that changes something says afterwards, in one order: stored, then told."""

    def __init__(self, *, store: Store, bus: Bus, clock: Clock) -> None:
        self._store = store
        self._bus = bus
        self._clock = clock

    async def tell(
        self,
        scope: Scope,
        type: str,
        *,
        kind: str,
        id: str,
        data: Mapping[str, object],
        what: ChangeOf = ChangeOf.SAVED,
    ) -> None:
        """A thing of this kind (monitor, surface of a monitor, channel, route) was saved or removed by the caller."""
        event = Event(
            type=type,
            at=self._clock.now(),
            tenant=scope.tenant,
            monitor_id=id if kind in {"monitor", "surface"} else "",
            data={**data, "by": scope.actor},
        )
        # The engine hears of it even when the event cannot be stored: the change itself has happened.
        await self._bus.publish(Topic.CHANGES, Change(kind, id, scope.tenant, what))
        await self.commit(Batch(events=(event,)))

    async def tell_of_many(
        self, scope: Scope, type: str, monitors: Mapping[str, Mapping[str, object]]
    ) -> None:
        """Many monitors (data by id) were saved before the engine runs: one commit of events, no change."""
        now = self._clock.now()
        events = [
            Event(
                type=type,
                at=now,
                tenant=scope.tenant,
                monitor_id=id,
                data={**data, "by": scope.actor},
            )
            for id, data in monitors.items()
        ]
        await self.commit(Batch(events=tuple(events)))

    async def commit(self, batch: Batch) -> None:
        """Write all of the batch durably, then tell its events to whoever follows."""
        await self.publish(await self._store.observations.commit(batch))

    async def publish(self, events: Iterable[Event]) -> None:
        """Tell stored events to whoever follows."""
        for event in events:
            await self._bus.publish(Topic.EVENTS, event)

    async def alert_changed(self, scope: Scope, alert_id: str) -> None:
        """Tell the engine that a person acted on an alert, so that it goes on from there."""
        await self._bus.publish(Topic.CHANGES, Change("alert", alert_id, scope.tenant))

    async def surfaces_changed(self, scope: Scope, monitor_ids: Iterable[str]) -> None:
        """Tell the engine that people decided about the surfaces of these monitors."""
        for monitor_id in monitor_ids:
            await self._bus.publish(Topic.CHANGES, Change("surface", monitor_id, scope.tenant))

    async def ask_for_run(self, scope: Scope, monitor_id: str) -> None:
        """Ask the engine to check a monitor at once."""
        change = Change("monitor", monitor_id, scope.tenant, ChangeOf.RUN)
        await self._bus.publish(Topic.CHANGES, change)
