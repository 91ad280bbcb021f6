"""The feed of what happened, by ids that grow without gaps in order of commit."""

from sqlalchemy import func, select

from lifesign.core.batch import Event
from lifesign.core.scope import Scope
from lifesign.store import tables as t
from lifesign.store.cursors import bounded
from lifesign.store.repository import Repository
from lifesign.store.rows import event_of
from lifesign.store.tenancy import within


class EventRepository(Repository):
    """Reads of the feed; events are written by batches."""

    async def since(self, scope: Scope, after_id: int, limit: int = 100) -> tuple[Event, ...]:
        """Events behind an id, oldest first."""
        query = select(t.events).where(within(scope, t.events), t.events.c.id > after_id)
        query = query.order_by(t.events.c.id).limit(bounded(limit))
        async with self._database.read() as connection:
            return tuple(event_of(row) for row in (await connection.execute(query)).mappings())

    async def recent(self, scope: Scope, limit: int = 50) -> tuple[Event, ...]:
        """The newest events, newest first."""
        query = select(t.events).where(within(scope, t.events))
        query = query.order_by(t.events.c.id.desc()).limit(bounded(limit))
        async with self._database.read() as connection:
            return tuple(event_of(row) for row in (await connection.execute(query)).mappings())

    async def newest_id(self) -> int:
        """The id given last, over all tenants; 0 before the first event. A system read."""
        async with self._database.read() as connection:
            newest: int = (await connection.execute(select(t.event_counter.c.newest))).scalar_one()
            return newest

    async def oldest_id(self) -> int:
        """The oldest id that is still kept, over all tenants; the next id when none is. A system read."""
        oldest = select(func.min(t.events.c.id)).scalar_subquery()
        query = select(func.coalesce(oldest, t.event_counter.c.newest + 1))
        async with self._database.read() as connection:
            oldest_id: int = (await connection.execute(query)).scalar_one()
            return oldest_id
