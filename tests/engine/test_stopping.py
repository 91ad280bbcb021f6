"""The end of the engine: it comes, whatever the store and the targets do."""

import asyncio
from pathlib import Path

import pytest

from engine.test_arrow import down, tell_all
from engine.workshop import SCOPE, Stage, monitor, opened, running, until
from lifesign.core.errors import StorageError
from lifesign.engine import engine
from lifesign.store import AlertQuery


async def test_a_store_that_refuses_does_not_keep_us_from_stopping(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "SETTLE_S", 0.05)

    async def refuse(_batch: object) -> None:
        raise StorageError("The disk is full.")

    stage = Stage(act=lambda _host: down())
    async with opened(tmp_path) as store:
        await tell_all(store)
        await store.monitors.add(SCOPE, monitor())
        with monkeypatch.context() as full:
            full.setattr(store.observations, "commit", refuse)
            async with asyncio.timeout(5), running(store, stage) as workshop:
                await until(lambda: workshop.engine.gauges.commit_failures, "refused")
        async with running(store, stage):
            await until(lambda: len(stage.heard) == 1, "the next start tells it")
        alerts = (await store.alerts.list(SCOPE, AlertQuery())).items

    assert len(alerts) == 1
