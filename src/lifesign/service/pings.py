"""Pings of jobs: many that arrive together share one durable commit.

1. `receive` finds the monitor of the address, puts the ping in line and waits.
2. `run` takes whoever waits, commits all of them at once (fsync) and only then lets them go.
3. What is committed is handed to the engine through the bus.

While one commit is under way the next group gathers, so that the disk's own speed sets the size of the groups.
"""

import asyncio
from collections import deque
from dataclasses import dataclass
from typing import Literal, cast
from uuid import UUID

import structlog

from lifesign.bus import Bus, Change, ChangeOf, Topic
from lifesign.clock import Clock
from lifesign.core.batch import Ping
from lifesign.core.errors import BusyError, LifesignError, NotFoundError, StorageError
from lifesign.core.model import Monitor
from lifesign.core.scope import system_scope
from lifesign.store import Store

PING_KEY = "uuid"
"""The setting of a heartbeat that is the last part of its ping address."""
MAX_WAITING = 10_000
"""Pings that may wait for a commit; beyond it the sender is asked to come again (it retries on 503)."""
MAX_GROUP = 1000
MAX_WAIT_S = 10.0

Action = Literal["success", "start", "fail", "log", "exit"]

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Address:
    """Whose address a ping key is."""

    monitor_id: str
    tenant: str


class PingAddresses:
    """The ping keys of all monitors, in memory: a ping must not wait for a query."""

    def __init__(self) -> None:
        self._by_key: dict[str, Address] = {}
        self._by_monitor: dict[str, str] = {}

    def find(self, key: str) -> Address | None:
        """The monitor that is pinged with this key (a UUID in lower case)."""
        return self._by_key.get(key)

    def is_free_for(self, monitor: Monitor) -> bool:
        """Whether no other monitor has this one's key."""
        known = self._by_key.get(ping_key(monitor))
        return known is None or known.monitor_id == monitor.id

    def learn(self, monitor: Monitor) -> None:
        """Know this monitor's key as it is now, if it has one."""
        self.forget(monitor.id)
        key = ping_key(monitor)
        if key:
            self._by_key[key] = Address(monitor.id, monitor.tenant)
            self._by_monitor[monitor.id] = key

    def forget(self, monitor_id: str) -> None:
        """Know nothing of this monitor any more."""
        key = self._by_monitor.pop(monitor_id, None)
        if key is not None:
            self._by_key.pop(key, None)


def ping_key(monitor: Monitor) -> str:
    """The UUID that jobs of this monitor ping with; empty for a monitor that is not pinged."""
    if monitor.kind != "heartbeat":
        return ""
    try:
        return str(UUID(str(monitor.settings.get(PING_KEY, ""))))
    except ValueError:
        return ""


class PingDesk:
    """Takes pings; what it has accepted is on disk. `opened` is set while it takes any."""

    def __init__(self, *, store: Store, bus: Bus, clock: Clock, addresses: PingAddresses) -> None:
        self._store = store
        self._bus = bus
        self._clock = clock
        self._addresses = addresses
        self._waiting: deque[tuple[Ping, asyncio.Future[None]]] = deque()
        self._filled = asyncio.Event()
        self.opened = asyncio.Event()

    async def run(self) -> None:
        """Learn the addresses, then commit groups of pings until cancelled; a task of the application."""
        with self._bus.follow(Topic.CHANGES) as changes:
            for monitor in await self._store.monitors.all_active():
                self._addresses.learn(monitor)
            self.opened.set()
            try:
                async with asyncio.TaskGroup() as tasks:
                    committing = tasks.create_task(self._commit_groups())
                    async for change in changes:
                        await self._follow(cast("Change", change))
                    self.opened.clear()
                    await self._drained()
                    committing.cancel()
            finally:
                self.opened.clear()
                self._refuse_all()

    async def receive(
        self,
        uuid: str,
        *,
        action: Action,
        exit_status: int | None = None,
        run_id: str = "",
        body: bytes = b"",
        method: str = "GET",
        remote: str = "",
        user_agent: str = "",
    ) -> None:
        """Take one ping; it is durable when this returns.

        Raises NotFoundError for an unknown uuid, BusyError and StorageError when it was not stored.
        """
        if not self.opened.is_set() or len(self._waiting) >= MAX_WAITING:
            raise BusyError("Pings cannot be stored at this moment.", remedy="Send it again soon.")
        address = self._addresses.find(uuid)
        if address is None:
            raise NotFoundError("There is no monitor with this ping address.")
        ping = Ping(
            monitor_id=address.monitor_id,
            tenant=address.tenant,
            at=self._clock.now(),
            action=action,
            exit_status=exit_status,
            run_id=run_id,
            body=body,
            method=method,
            remote=remote,
            user_agent=user_agent,
        )
        stored = asyncio.get_running_loop().create_future()
        self._waiting.append((ping, stored))
        self._filled.set()
        try:
            async with asyncio.timeout(MAX_WAIT_S):
                await stored
        except TimeoutError:
            raise BusyError(
                f"The ping was not stored within {MAX_WAIT_S:g} s.", remedy="Send it again soon."
            ) from None

    async def _follow(self, change: Change) -> None:
        """Keep up with monitors that another part of this installation changed."""
        if change.kind != "monitor":
            return
        if change.what is ChangeOf.REMOVED:
            self._addresses.forget(change.id)
        elif change.what is ChangeOf.SAVED:
            scope = system_scope("pings", change.tenant)
            try:
                self._addresses.learn(await self._store.monitors.get(scope, change.id))
            except NotFoundError:
                self._addresses.forget(change.id)
            except LifesignError as error:
                _log.warning("ping_address_not_read", monitor=change.id, reason=str(error))

    async def _commit_groups(self) -> None:
        while True:
            await self._filled.wait()
            self._filled.clear()
            while self._waiting:
                size = min(MAX_GROUP, len(self._waiting))
                await self._commit([self._waiting.popleft() for _ in range(size)])

    async def _commit(self, group: list[tuple[Ping, asyncio.Future[None]]]) -> None:
        refusal: LifesignError | None = BusyError(
            "Lifesign is stopping; the ping may not have been stored.", remedy="Send it again soon."
        )
        try:
            await self._store.pings.append([ping for ping, _ in group])
            refusal = None
        except StorageError as error:
            _log.error("pings_not_stored", count=len(group), reason=str(error))
            refusal = error
        finally:
            for _, stored in group:
                _settle(stored, refusal)
        if refusal is None:
            for ping, _ in group:
                await self._bus.publish(Topic.PINGS, ping)

    async def _drained(self) -> None:
        """Wait until what was in line when the bus closed is committed."""
        waiting = [stored for _, stored in self._waiting]
        if waiting:
            await asyncio.wait(waiting, timeout=MAX_WAIT_S)

    def _refuse_all(self) -> None:
        refusal = BusyError("Lifesign is stopping.", remedy="Send it again soon.")
        while self._waiting:
            _settle(self._waiting.popleft()[1], refusal)


def _settle(stored: asyncio.Future[None], refusal: LifesignError | None) -> None:
    """Let the sender go, unless it has gone already."""
    if stored.done():
        return
    if refusal is None:
        stored.set_result(None)
    else:
        stored.set_exception(refusal)
