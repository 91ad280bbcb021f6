"""Where the link of a message leads: to the page that holds the evidence."""

from pathlib import Path

import pytest

from engine.workshop import BROKEN, SCOPE, Stage, monitor, opened
from lifesign.core.batch import Batch
from lifesign.core.messages import Alert, AlertEvent, Channel, Delivery
from lifesign.core.model import Severity
from lifesign.engine.compose import Composer


@pytest.mark.parametrize(
    ("topic", "page"),
    [("monitor", ""), ("drift", "/surface/diff"), ("divergence", "/surface"), ("latency", "?window=7d&by=p95"), ("credential", "")],
)  # fmt: skip
async def test_a_message_leads_to_the_evidence(tmp_path: Path, topic: str, page: str) -> None:
    async with opened(tmp_path) as store:
        await store.channels.add(SCOPE, Channel(id="c1", name="notes", kind="note", settings={}))
        watched = await store.monitors.add(SCOPE, monitor())
        assert watched.created_at is not None
        at = watched.created_at
        alert = Alert(
            id="a1", key=f"{topic}/m1", monitor_id="m1", severity=Severity.HIGH, title="m1: something",
            failure=BROKEN, opened_at=at, updated_at=at,
        )  # fmt: skip
        owed = Delivery(
            id="d1", channel_id="c1", alert_id="a1", event=AlertEvent.FIRED, why="", created_at=at, due_at=at
        )  # fmt: skip
        await store.observations.commit(Batch(alerts=(alert,), deliveries=(owed,)))
        composer = Composer(store=store, kinds=Stage().kinds(), base_url="https://life.example")

        message = await composer.compose(owed)

    assert message is not None
    assert message.link == f"https://life.example/monitors/m1{page}"
    assert message.link in message.text
