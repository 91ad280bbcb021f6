"""Empties the outbox: claims what is due, sends it, records the attempt, retries or gives up.

1. Claim due rows for longer than a send may take: if we die, they come back to whoever looks next.
2. Send each through its channel kind with its own deadline; channels do not wait for one another.
3. Delivered: done. Refused for good, or the schedule is used up: failed, and said so as an event.
4. Otherwise due again after the back-off, or after what the receiver's Retry-After asked, whichever is later.

The message id is the outbox row's, the same on every attempt, so a receiver may drop what it knows.
"""

import asyncio
import random
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta

import structlog
from pydantic import BaseModel

from lifesign.bus import Bus, Topic
from lifesign.channels.registry import ChannelContext, ChannelKind, Message, Receipt
from lifesign.clock import Clock
from lifesign.config.model import SMTPConfig
from lifesign.core.batch import Batch, Event
from lifesign.core.errors import StorageError
from lifesign.core.messages import Attempt, Channel, Delivery
from lifesign.core.schedule import backoff_s
from lifesign.engine.gauges import Gauges
from lifesign.net import Net
from lifesign.store import Store

SEND_TIMEOUT_S = 20.0
"""One attempt; Standard Webhooks 1.0 asks senders to wait 15 to 30 s."""
LEASE_S = 60.0
MOST_AT_ONCE = 200
MOST_OF_A_CHANNEL = 10
"""Sends to one channel that may be under way: one that hangs must leave room for the others."""
RETRY_SCHEDULE_S = (
    5.0,
    15.0,
    60.0,
    300.0,
    900.0,
    1800.0,
    3600.0,
    7200.0,
    18000.0,
    36000.0,
    50400.0,
)
"""Quick at first, because an alert is news; then as Standard Webhooks 1.0 suggests, over a day in all."""
LOOK_EVERY_S = 1.0
"""How late a retry may be."""

_log = structlog.get_logger(__name__)


Composer = Callable[[Delivery], Awaitable[Message | None]]
"""Makes the message of an outbox row; None when what it is about is gone."""


class Notifier:
    """The one sender."""

    def __init__(
        self,
        *,
        store: Store,
        bus: Bus,
        net: Net,
        clock: Clock,
        gauges: Gauges,
        kinds: Mapping[str, ChannelKind],
        channels: Mapping[str, Channel],
        compose: Composer,
        chance: random.Random,
        smtp: SMTPConfig | None = None,
    ) -> None:
        self._store = store
        self._bus = bus
        self._net = net
        self._clock = clock
        self._gauges = gauges
        self._kinds = kinds
        self._channels = channels
        self._compose = compose
        self._chance = chance
        self._smtp = smtp
        self._wake = asyncio.Event()
        self._under_way: Counter[str] = Counter()

    def wake(self) -> None:
        """Something may be due now."""
        self._wake.set()

    async def run(self) -> None:
        """Send until cancelled. What is under way then is claimed again when its lease has run out, or by our next start."""
        await self._take_over()
        async with asyncio.TaskGroup() as sends:
            while True:
                self._gauges.beats["notifier"] = self._clock.monotonic()
                self._wake.clear()
                for delivery in await self._claim(MOST_AT_ONCE - self._under_way.total()):
                    self._under_way[delivery.channel_id] += 1
                    sends.create_task(self._deliver(delivery))
                await self._rest()

    async def _take_over(self) -> None:
        """A SQLite file has one process: what an earlier one held when it died need not wait for its lease."""
        if self._store.dialect != "sqlite":
            return
        try:
            await self._store.outbox.release_claims()
        except StorageError as refusal:
            _log.error("outbox_unreadable", reason=str(refusal))

    async def _claim(self, most: int) -> list[Delivery]:
        if most <= 0:
            return []
        full = [id for id, sends in self._under_way.items() if sends >= MOST_OF_A_CHANNEL]
        try:
            return await self._store.outbox.claim(
                self._clock.now(),
                limit=most,
                lease_s=LEASE_S,
                per_channel=MOST_OF_A_CHANNEL,
                full=full,
            )
        except StorageError as refusal:
            _log.error("outbox_unreadable", reason=str(refusal))
            return []

    async def _rest(self) -> None:
        """Wait until woken, until a send has ended, or for a short while: retries come due by themselves."""
        alarm = asyncio.get_running_loop().call_later(LOOK_EVERY_S, self._wake.set)
        try:
            await self._wake.wait()
        finally:
            alarm.cancel()

    async def _deliver(self, delivery: Delivery) -> None:
        began_s = self._clock.monotonic()
        try:
            receipt = await self._attempt(delivery)
        except Exception as bug:  # noqa: BLE001 - the notifier's edge: one message must not stop the others
            _log.error("message_not_sent", delivery=delivery.id, exc_info=bug)
            receipt = Receipt(False, detail=f"It could not be composed ({type(bug).__name__}).")
        attempt = Attempt(
            delivery_id=delivery.id,
            at=self._clock.now(),
            number=delivery.attempts + 1,
            delivered=receipt.delivered,
            permanent=receipt.permanent,
            detail=receipt.detail,
            duration_ms=(self._clock.monotonic() - began_s) * 1000,
        )
        try:
            await self._settle(delivery, attempt, receipt)
        except StorageError as refusal:
            # The lease runs out and the row is sent again, with the same message id.
            _log.error("attempt_unrecorded", delivery=delivery.id, reason=str(refusal))
        finally:
            self._under_way[delivery.channel_id] -= 1
            self._wake.set()

    async def _attempt(self, delivery: Delivery) -> Receipt:
        channel = self._channels.get(delivery.channel_id)
        if channel is None or channel.kind not in self._kinds:
            return Receipt(False, permanent=True, detail="The channel is gone.")
        kind = self._kinds[channel.kind]
        message = await self._compose(delivery)
        if message is None:
            return Receipt(False, permanent=True, detail="The alert or its monitor is gone.")
        return await send_once(
            kind,
            kind.settings.model_validate(channel.settings),
            message,
            net=self._net,
            clock=self._clock,
            smtp=self._smtp,
        )

    async def _settle(self, delivery: Delivery, attempt: Attempt, receipt: Receipt) -> None:
        over = attempt.number > len(RETRY_SCHEDULE_S)
        if receipt.delivered or receipt.permanent or over:
            status = "delivered" if receipt.delivered else "failed"
            await self._store.outbox.settle(delivery, attempt, status=status, due_at=attempt.at)
            await self._tell(delivery, attempt, status)
            return
        wait_s = backoff_s(attempt.number, RETRY_SCHEDULE_S, self._chance.random())
        wait_s = max(wait_s, receipt.retry_after_s or 0.0)
        due_at = attempt.at + timedelta(seconds=wait_s)
        _log.warning(
            "delivery_postponed", delivery=delivery.id, wait_s=round(wait_s), reason=receipt.detail
        )
        await self._store.outbox.settle(delivery, attempt, status="pending", due_at=due_at)

    async def _tell(self, delivery: Delivery, attempt: Attempt, status: str) -> None:
        channel = self._channels.get(delivery.channel_id)
        said = {
            "delivery": delivery.id,
            "alert": delivery.alert_id,
            "told": delivery.event.value,
            "channel": channel.name if channel is not None else delivery.channel_id,
            "attempt": attempt.number,
        }
        if status == "delivered":
            self._gauges.deliveries_sent += 1
            _log.info("delivery_sent", **said)
        else:
            self._gauges.deliveries_failed += 1
            _log.error("delivery_failed", **said, reason=attempt.detail)
        event = Event(
            type="delivery.sent" if status == "delivered" else "delivery.failed",
            at=attempt.at,
            tenant=delivery.tenant,
            data={
                "alert_id": delivery.alert_id,
                "channel": channel.name if channel is not None else "",
                "event": delivery.event.value,
                "detail": attempt.detail,
            },
        )
        for stored in await self._store.observations.commit(Batch(events=(event,))):
            await self._bus.publish(Topic.EVENTS, stored)


async def send_once(
    kind: ChannelKind,
    settings: BaseModel,
    message: Message,
    *,
    net: Net,
    clock: Clock,
    smtp: SMTPConfig | None = None,
) -> Receipt:
    """One attempt, with its deadline held from outside as well; a channel's own bug is told and retried."""
    deadline = asyncio.get_running_loop().time() + SEND_TIMEOUT_S
    try:
        async with asyncio.timeout_at(deadline + 1.0):
            receipt: Receipt = await kind.send(
                message, settings, ChannelContext(net, clock, deadline, smtp)
            )
            return receipt
    except TimeoutError:
        return Receipt(False, detail=f"No answer within {SEND_TIMEOUT_S:.0f} s.")
    except Exception as bug:  # noqa: BLE001 - the notifier's edge: one channel's bug must not stop the others
        _log.error("channel_bug", kind=kind.name, exc_info=bug)
        return Receipt(
            False, detail=f"The {kind.name} channel itself failed ({type(bug).__name__})."
        )
