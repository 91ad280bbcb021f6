"""Alerts as people work with them: list, look, acknowledge, see who was told."""

from lifesign.core.scope import Scope
from lifesign.service.views import AlertView, DeliveryView, Page
from lifesign.store.values import AlertQuery


class Alerts:
    """The operations on alerts."""

    async def list(self, scope: Scope, query: AlertQuery) -> Page[AlertView]:
        """Alerts, newest first."""
        raise NotImplementedError

    async def get(self, scope: Scope, id: str) -> AlertView:
        """One alert. Raises NotFoundError."""
        raise NotImplementedError

    async def acknowledge(self, scope: Scope, id: str, *, by: str) -> AlertView:
        """Say that somebody looks after it; again is a no-op. Raises ConflictError once it is resolved."""
        raise NotImplementedError

    async def deliveries(self, scope: Scope, id: str) -> tuple[DeliveryView, ...]:
        """Who was told of the alert, and how that went."""
        raise NotImplementedError
