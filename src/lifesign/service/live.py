"""What happens, as it happens."""

from collections.abc import AsyncIterator

from lifesign.core.model import Event
from lifesign.core.scope import Scope


class Live:
    """Events, stored and live."""

    async def recent(self, scope: Scope, limit: int) -> tuple[Event, ...]:
        """The newest stored events, newest first."""
        raise NotImplementedError

    def follow(self, scope: Scope, after_id: int | None) -> AsyncIterator[Event]:
        """Events after the id, then live ones; a `resync` event when some were missed."""
        raise NotImplementedError
