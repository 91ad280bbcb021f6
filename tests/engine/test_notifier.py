"""The sender: nothing that one message or one channel does stops the others, and stories stay in order."""

import asyncio
from collections.abc import Awaitable
from pathlib import Path

import pytest

from engine.test_arrow import down, tell_all
from engine.workshop import SCOPE, Stage, monitor, opened, running, until
from lifesign.channels.registry import Message, Receipt
from lifesign.core.errors import StorageError
from lifesign.core.messages import AlertEvent, Channel, Route
from lifesign.core.model import Observation, Policy
from lifesign.engine import notifier
from lifesign.engine.compose import Composer


@pytest.fixture(autouse=True)
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(notifier, "RETRY_SCHEDULE_S", (0.05,) * 100)
    monkeypatch.setattr(notifier, "LOOK_EVERY_S", 0.01)


@pytest.mark.parametrize("trouble", [StorageError("The disk is full."), ValueError("old settings")])
async def test_a_message_that_cannot_be_composed_now_is_sent_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, trouble: Exception
) -> None:
    compose, troubles = Composer.compose, [trouble]

    def stumble(*given: object) -> Awaitable[Message | None]:
        if troubles:
            raise troubles.pop()
        return compose(*given)  # type: ignore[arg-type]

    monkeypatch.setattr(Composer, "compose", stumble)
    stage = Stage(act=lambda _host: down())
    async with opened(tmp_path) as store:
        await tell_all(store)
        await store.monitors.add(SCOPE, monitor())
        async with running(store, stage):
            await until(lambda: len(stage.heard) == 1, "it is told all the same")


async def test_a_channel_with_settings_of_another_version_does_not_stop_the_others(
    tmp_path: Path,
) -> None:
    stage = Stage(act=lambda _host: down())
    async with opened(tmp_path) as store:
        await tell_all(store)
        odd = Channel(id="c0", name="odd", kind="note", settings={"tone": "loud"})
        await store.channels.add(SCOPE, odd)
        await store.channels.add_route(SCOPE, Route(id="r0", name="also", channels=("c0",)))
        await store.monitors.add(SCOPE, monitor())
        async with running(store, stage):
            await until(lambda: len(stage.heard) == 1, "the good channel hears of it")


async def test_a_recovery_is_never_told_before_the_failure(tmp_path: Path) -> None:
    refused = 0

    def receive(message: Message) -> Receipt:
        """The failure is refused until long after the target has recovered."""
        nonlocal refused
        stage.act = lambda _host: Observation()
        refused += message.event is AlertEvent.FIRED
        return Receipt(refused > 40)

    stage = Stage(act=lambda _host: down(), receive=receive)
    async with opened(tmp_path) as store:
        await tell_all(store)
        await store.monitors.add(SCOPE, monitor())
        async with running(store, stage) as workshop:
            await until(lambda: workshop.engine.gauges.deliveries_sent == 2, "both are told")

    told = [message.event for message in stage.heard]
    assert told == [AlertEvent.FIRED] * 41 + [AlertEvent.RESOLVED]


async def test_a_channel_that_hangs_does_not_keep_the_others_waiting(tmp_path: Path) -> None:
    gate, quick = asyncio.Event(), asyncio.Event()
    stage = Stage(act=lambda _host: down())
    async with opened(tmp_path) as store:
        await tell_all(store)
        await store.channels.add(SCOPE, Channel(id="c2", name="slow", kind="note", settings={}))
        await store.channels.add_route(SCOPE, Route(id="r2", name="slow too", channels=("c2",)))
        for number in range(60):
            await store.monitors.add(SCOPE, monitor(f"m{number}"))
        heard: set[str] = set()

        async def send(message: Message, *_rest: object) -> Receipt:
            if "slow too" in message.why:
                await gate.wait()
            else:
                heard.add(message.monitor_name)
                if len(heard) == 60:
                    quick.set()
            return Receipt(True)

        stage.send = send  # type: ignore[method-assign]
        async with running(store, stage):
            async with asyncio.timeout(10):
                await quick.wait()
            gate.set()


async def test_the_message_draws_the_layers_of_the_run_that_confirmed_it(tmp_path: Path) -> None:
    stage = Stage(act=lambda _host: down())
    async with opened(tmp_path) as store:
        await tell_all(store)
        await store.monitors.add(SCOPE, monitor(policy=Policy(confirmations=1), interval_s=60.0))
        async with running(store, stage):
            await until(lambda: len(stage.heard) == 1, "it is told")

    assert "■ TCP" in stage.heard[0].text
