from dataclasses import replace

import pytest

from lifesign.bus import Change, Topic
from lifesign.core.batch import Batch
from lifesign.core.errors import ConflictError, ForbiddenError, NotFoundError
from lifesign.core.messages import Alert, AlertState
from lifesign.core.model import Owner
from lifesign.store import AlertQuery
from premises import ADMIN, OPERATOR, READER, Premises


async def firing(house: Premises) -> Alert:
    monitor = await house.services.monitors.add(
        ADMIN, {"target": "127.0.0.1:9", "name": "shop"}, owner=Owner.API
    )
    now = house.clock.now()
    alert = Alert(
        id="alr_1", key=f"monitor/{monitor.id}", monitor_id=monitor.id, title="shop is down",
        opened_at=now, updated_at=now,
    )  # fmt: skip
    await house.store.observations.commit(Batch(alerts=(alert,)))
    return alert


async def tell_somebody(house: Premises) -> str:
    draft = {"name": "hook", "kind": "webhook", "settings": {"url": "http://127.0.0.1:9/"}}
    channel = await house.services.channels.add(ADMIN, draft, owner=Owner.API)
    for name, events in (("acks", ["acknowledged"]), ("fires", ["fired"])):
        route = {"name": name, "channels": ["hook"], "events": events}
        await house.services.channels.add_route(ADMIN, route, owner=Owner.API)
    return channel.id


async def test_acknowledging_says_who_and_owes_those_who_want_to_hear(house: Premises) -> None:
    channel_id = await tell_somebody(house)
    alert = await firing(house)
    house.clock.advance(60)
    view = await house.services.alerts.acknowledge(OPERATOR, alert.id, by="Olga")
    owed = await house.services.alerts.deliveries(READER, alert.id)

    assert (view.state, view.acknowledged_by) == (AlertState.ACKNOWLEDGED, "Olga")
    assert view.acknowledged_at == house.clock.now()
    assert [(each.channel_id, each.event, each.status) for each in owed] == [
        (channel_id, "acknowledged", "pending")
    ]
    assert "acks" in owed[0].why
    event = (await house.events())[-1]
    assert (event.type, event.data["by"]) == ("alert.acknowledged", "Olga")


async def test_the_engine_hears_of_an_acknowledgement(house: Premises) -> None:
    alert = await firing(house)
    with house.bus.follow(Topic.CHANGES) as changes:
        await house.services.alerts.acknowledge(OPERATOR, alert.id, by="Olga")
        house.bus.close()

        assert [news async for news in changes] == [Change("alert", alert.id, alert.tenant)]


async def test_acknowledging_again_changes_nothing(house: Premises) -> None:
    alert = await firing(house)
    await house.services.alerts.acknowledge(OPERATOR, alert.id, by="Olga")
    before = await house.events()
    view = await house.services.alerts.acknowledge(OPERATOR, alert.id, by="Rita")

    assert view.acknowledged_by == "Olga"
    assert await house.events() == before


async def test_resolved_alert_cannot_be_acknowledged(house: Premises) -> None:
    alert = await firing(house)
    over = replace(alert, state=AlertState.RESOLVED, resolved_at=house.clock.now())
    await house.store.observations.commit(Batch(alerts=(over,)))

    with pytest.raises(ConflictError):
        await house.services.alerts.acknowledge(OPERATOR, alert.id, by="Olga")


async def test_readers_see_alerts_with_their_monitor_and_cannot_acknowledge(
    house: Premises,
) -> None:
    alert = await firing(house)
    page = await house.services.alerts.list(READER, AlertQuery())

    assert [(each.id, each.monitor_name) for each in page.items] == [(alert.id, "shop")]
    with pytest.raises(ForbiddenError):
        await house.services.alerts.acknowledge(READER, alert.id, by="Rita")
    with pytest.raises(NotFoundError):
        await house.services.alerts.deliveries(READER, "alr_nobody")
