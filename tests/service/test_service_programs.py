"""Monitors that start programs: only where the operator allows it, and not too often."""

from pathlib import Path

import pytest

from lifesign.config.model import MCPConfig
from lifesign.core.errors import InvalidError
from lifesign.core.model import Owner, State
from premises import ADMIN, OPERATOR, Premises, open_premises
from servers.programs import small_server

STDIO = {"kind": "mcp-stdio", "settings": {"command": "npx -y server"}}


async def test_a_command_is_a_target_once_the_kind_is_named(house: Premises) -> None:
    draft = {"kind": "mcp-stdio", "target": "npx -y some-server"}
    view = await house.services.monitors.add(ADMIN, draft, owner=Owner.API)

    assert (view.target, view.name) == ("npx -y some-server", "npx -y some-server")
    assert view.settings["command"] == ["npx", "-y", "some-server"]
    assert (view.interval_s, view.timeout_s) == (300.0, 30.0)


async def test_a_command_is_never_guessed(house: Premises) -> None:
    for text in ("npx -y some-server", "some-mcp-server", "/usr/bin/mcp"):
        with pytest.raises(InvalidError):
            await house.services.monitors.add(ADMIN, {"target": text}, owner=Owner.API)


async def test_programs_are_not_started_too_often(house: Premises) -> None:
    with pytest.raises(InvalidError, match="at least 1m") as caught:
        await house.services.monitors.add(ADMIN, {**STDIO, "interval": 30}, owner=Owner.API)
    added = await house.services.monitors.add(ADMIN, {**STDIO, "interval": 60}, owner=Owner.API)
    with pytest.raises(InvalidError, match="at least 1m"):
        await house.services.monitors.update(ADMIN, added.id, {"interval": 10}, owner=Owner.API)

    assert [field for field, _ in caught.value.problems] == ["interval"]


async def test_variables_are_secrets(house: Premises) -> None:
    settings = {"command": "server", "env": {"KEY": "s3cret-value"}}
    draft = {"kind": "mcp-stdio", "settings": settings}
    added = await house.services.monitors.add(ADMIN, draft, owner=Owner.API)
    await house.services.monitors.update(
        ADMIN, added.id, {"settings": dict(added.settings)}, owner=Owner.API
    )

    stored = await house.store.monitors.get(ADMIN, added.id)
    assert added.settings["env"] == {"KEY": "***"}
    assert stored.settings["env"] == {"KEY": "s3cret-value"}


async def test_only_an_operator_lets_people_try_programs(house: Premises, tmp_path: Path) -> None:
    draft = {"kind": "mcp-stdio", "settings": {"command": small_server()}}
    refused = await house.services.trials.run(OPERATOR, draft)
    async with open_premises(tmp_path / "b", mcp=MCPConfig(allow_commands=True)) as other:
        tried = await other.services.trials.run(OPERATOR, draft)

    assert refused.failure is not None
    assert (refused.state, refused.failure.code) == (State.UNKNOWN, "not_allowed")
    assert (tried.state, tried.failure) == (State.UP, None)
