from pathlib import Path

import pytest

from channels.receivers import smtp_server
from lifesign.core.errors import ConflictError, ForbiddenError, InvalidError, ReadOnlyError
from lifesign.core.model import Owner
from premises import ADMIN, OPERATOR, READER, Premises, open_premises

HOOK = {"name": "hook", "kind": "webhook", "settings": {"url": "http://127.0.0.1:9/hook"}}


async def test_made_up_secret_is_shown_once(house: Premises) -> None:
    added = await house.services.channels.add(ADMIN, HOOK, owner=Owner.API)
    seen = await house.services.channels.get(READER, added.id)

    assert str(added.settings["secret"]).startswith("whsec_")
    assert seen.settings["secret"] == "***"


async def test_given_secret_is_never_shown_and_survives_an_edit(house: Premises) -> None:
    secret = "whsec_" + "A" * 40
    draft = {**HOOK, "settings": {**HOOK["settings"], "secret": secret}}
    added = await house.services.channels.add(ADMIN, draft, owner=Owner.API)
    changes = {"name": "other", "settings": dict(added.settings)}
    changed = await house.services.channels.update(ADMIN, added.id, changes, owner=Owner.API)

    assert added.settings["secret"] == "***"
    assert (changed.name, changed.version) == ("other", 2)
    assert (await house.store.channels.get(ADMIN, added.id)).settings["secret"] == secret


async def test_channel_that_a_route_names_stays(house: Premises) -> None:
    added = await house.services.channels.add(ADMIN, HOOK, owner=Owner.API)
    route = await house.services.channels.add_route(
        ADMIN, {"name": "all", "channels": ["hook"]}, owner=Owner.API
    )
    assert route.channels == (added.id,)
    with pytest.raises(ConflictError, match="all"):
        await house.services.channels.remove(ADMIN, added.id)

    await house.services.channels.remove_route(ADMIN, route.id)
    await house.services.channels.remove(ADMIN, added.id)
    assert await house.services.channels.list(READER) == ()


@pytest.mark.parametrize("name", ["on\x1b[31mcall", "on\ncall", "on\0call"])
async def test_name_of_a_channel_is_one_line(house: Premises, name: str) -> None:
    with pytest.raises(InvalidError) as caught:
        await house.services.channels.add(ADMIN, {**HOOK, "name": name}, owner=Owner.API)

    assert "control characters" in dict(caught.value.problems)["name"]


async def test_route_to_an_unknown_channel_gets_a_hint(house: Premises) -> None:
    await house.services.channels.add(ADMIN, HOOK, owner=Owner.API)
    with pytest.raises(InvalidError) as caught:
        await house.services.channels.add_route(
            ADMIN, {"name": "all", "channels": ["hoook"]}, owner=Owner.API
        )
    assert "Did you mean 'hook'" in dict(caught.value.problems)["channels[0]"]


@pytest.mark.parametrize(
    ("draft", "field", "words"),
    [
        (
            {"kinds": ["http", "htp"]},
            "kinds[1]",
            "'htp' is no kind of monitor. Did you mean 'http'?",
        ),
        ({"monitors": ["shop", "shopp"]}, "monitors[1]", "Did you mean 'shop'?"),
        ({"monitors": ["The Shop"]}, "monitors[0]", "Did you mean 'the-shop'?"),
        ({"monitors": ["quite else"]}, "monitors[0]", "'quite else' is no monitor"),
    ],
)
async def test_route_that_could_never_match_is_refused_with_a_hint(
    house: Premises, draft: dict[str, object], field: str, words: str
) -> None:
    await house.services.channels.add(ADMIN, HOOK, owner=Owner.API)
    for name in ("shop", "The Shop"):
        await house.services.monitors.add(
            ADMIN, {"name": name, "target": "127.0.0.1:9"}, owner=Owner.API
        )
    with pytest.raises(InvalidError) as caught:
        await house.services.channels.add_route(
            ADMIN, {"name": "all", "channels": ["hook"], **draft}, owner=Owner.API
        )

    assert list(dict(caught.value.problems)) == [field]
    assert words in dict(caught.value.problems)[field]


async def test_route_of_a_monitor_that_is_gone_may_still_be_changed(house: Premises) -> None:
    await house.services.channels.add(ADMIN, HOOK, owner=Owner.API)
    gone = await house.services.monitors.add(ADMIN, {"target": "127.0.0.1:9"}, owner=Owner.API)
    draft = {"name": "all", "channels": ["hook"], "monitors": [gone.id]}
    route = await house.services.channels.add_route(ADMIN, draft, owner=Owner.API)
    await house.services.monitors.remove(ADMIN, gone.id)

    changed = await house.services.channels.replace_route(
        ADMIN, route.id, {**draft, "enabled": False}, owner=Owner.API
    )

    assert (changed.enabled, changed.monitors) == (False, (gone.id,))


async def test_test_message_says_why_it_did_not_arrive(house: Premises) -> None:
    added = await house.services.channels.add(ADMIN, HOOK, owner=Owner.API)
    result = await house.services.channels.test(ADMIN, added.id)

    assert not result.delivered
    assert result.detail


async def test_channels_are_for_admins_and_the_files_are_the_files(house: Premises) -> None:
    added = await house.services.channels.add(ADMIN, HOOK, owner=Owner.FILE)
    with pytest.raises(ForbiddenError):
        await house.services.channels.test(OPERATOR, added.id)
    with pytest.raises(ReadOnlyError):
        await house.services.channels.update(ADMIN, added.id, {"name": "x"}, owner=Owner.WEB)


async def test_a_test_mail_goes_through_the_operators_server(tmp_path: Path) -> None:
    async with smtp_server() as mailbox:
        smtp = {
            "host": "127.0.0.1",
            "port": mailbox.port,
            "security": "none",
            "sender": "life@example.org",
        }
        async with open_premises(tmp_path, smtp=smtp) as house:
            draft = {"name": "mail", "kind": "email", "settings": {"to": ["ops@example.org"]}}
            added = await house.services.channels.add(ADMIN, draft, owner=Owner.API)
            result = await house.services.channels.test(ADMIN, added.id)

    assert result.delivered, result.detail
    assert len(mailbox.mails) == 1
