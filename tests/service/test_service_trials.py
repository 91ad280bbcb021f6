import asyncio

import pytest

from lifesign.core.errors import ForbiddenError, InvalidError
from lifesign.core.model import Owner, State
from lifesign.store import MonitorQuery
from premises import ADMIN, OPERATOR, READER, Premises


async def test_trial_really_probes_and_saves_nothing(house: Premises) -> None:
    server = await asyncio.start_server(lambda _reader, writer: writer.close(), "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        trial = await house.services.trials.run(OPERATOR, {"target": f"127.0.0.1:{port}"})

    assert (trial.kind, trial.state, trial.failure) == ("tcp", State.UP, None)
    assert trial.phases_ms["tcp"] > 0
    assert (await house.services.monitors.list(READER, MonitorQuery())).items == ()


async def test_trial_holds_conditions_and_shows_what_was_found(house: Premises) -> None:
    server = await asyncio.start_server(lambda _reader, writer: writer.close(), "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        draft = {"target": f"127.0.0.1:{port}", "conditions": ['ip == "10.9.8.7"']}
        trial = await house.services.trials.run(OPERATOR, draft)

    assert trial.state is State.DOWN
    assert [(check.holds, check.found) for check in trial.checks] == [(False, "127.0.0.1")]


async def test_trial_of_a_change_knows_the_stored_secrets(house: Premises) -> None:
    settings = {"url": "http://127.0.0.1:9/", "bearer_token": "s3cret"}
    draft = {"kind": "http", "settings": settings}
    added = await house.services.monitors.add(ADMIN, draft, owner=Owner.API)
    changes = {"settings": dict(added.settings)}
    trial = await house.services.trials.run(ADMIN, changes, id=added.id)

    assert trial.settings["bearer_token"] == "***"


async def test_heartbeats_cannot_be_tried_and_readers_may_not_try(house: Premises) -> None:
    with pytest.raises(InvalidError, match="ping its address"):
        await house.services.trials.run(OPERATOR, {"kind": "heartbeat"})
    with pytest.raises(ForbiddenError):
        await house.services.trials.run(READER, {"target": "127.0.0.1:9"})


async def test_stored_secrets_are_not_sent_where_an_operator_points(house: Premises) -> None:
    draft = {"kind": "http", "settings": {"url": "http://127.0.0.1:9/", "bearer_token": "canary"}}
    added = await house.services.monitors.add(ADMIN, draft, owner=Owner.API)

    with pytest.raises(ForbiddenError):
        await house.services.trials.run(
            OPERATOR, {"settings": {"url": "http://127.0.0.1:9/elsewhere"}}, id=added.id
        )
