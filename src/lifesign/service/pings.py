"""Pings of jobs: many that arrive together share one durable commit."""


class PingDesk:
    """Takes pings; what it has accepted is on disk."""

    async def run(self) -> None:
        """Commit groups of pings until cancelled; a task of the application."""
        raise NotImplementedError

    async def receive(
        self,
        uuid: str,
        *,
        action: str,
        exit_status: int | None = None,
        run_id: str = "",
        body: bytes = b"",
        method: str = "GET",
        remote: str = "",
        user_agent: str = "",
    ) -> None:
        """Take one ping; durable when it returns. Raises NotFoundError for an unknown uuid."""
        raise NotImplementedError
