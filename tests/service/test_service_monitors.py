import pytest

from lifesign.bus import Change, ChangeOf, Topic
from lifesign.core.errors import (
    ConflictError,
    ForbiddenError,
    InvalidError,
    NotFoundError,
    ReadOnlyError,
    StaleError,
)
from lifesign.core.model import Owner, State
from lifesign.store import MonitorQuery
from premises import ADMIN, OPERATOR, READER, Premises

HTTP = {"kind": "http", "settings": {"url": "http://127.0.0.1:9/"}}


async def test_pasted_target_becomes_a_monitor(house: Premises) -> None:
    view = await house.services.monitors.add(ADMIN, {"target": "127.0.0.1:25"}, owner=Owner.WEB)

    assert (view.kind, view.name, view.target) == ("tcp", "127.0.0.1:25", "127.0.0.1:25")
    assert (view.state, view.owner, view.read_only) == (State.UNKNOWN, Owner.WEB, False)


@pytest.mark.parametrize(
    ("target", "kind", "shown"),
    [
        ("localhost", "http", "https://localhost/"),
        ("localhost/health", "http", "https://localhost/health"),
        ("localhost:8080", "tcp", "localhost:8080"),
    ],
)
async def test_local_host_is_recognised_like_its_address(
    house: Premises, target: str, kind: str, shown: str
) -> None:
    view = await house.services.monitors.add(ADMIN, {"target": target}, owner=Owner.WEB)

    assert (view.kind, view.target) == (kind, shown)


async def test_same_target_twice_gets_two_slugs(house: Premises) -> None:
    first = await house.services.monitors.add(ADMIN, {"target": "127.0.0.1:25"}, owner=Owner.API)
    second = await house.services.monitors.add(ADMIN, {"target": "127.0.0.1:25"}, owner=Owner.API)

    assert first.slug != second.slug
    assert (await house.services.monitors.get(READER, second.slug)).id == second.id


async def test_every_problem_of_a_draft_is_named_at_once(house: Premises) -> None:
    draft = {
        "kind": "http",
        "settings": {"ur": "http://127.0.0.1/"},
        "conditions": ["status == 200", "nonsense"],
    }
    with pytest.raises(InvalidError) as caught:
        await house.services.monitors.add(ADMIN, draft, owner=Owner.API)

    reasons = dict(caught.value.problems)
    assert set(reasons) == {"conditions[1]", "settings.ur", "settings.url"}
    assert "Did you mean 'url'?" in reasons["settings.ur"]


@pytest.mark.parametrize(
    ("draft", "field", "hint"),
    [
        ({"kind": "htpp", "settings": {}}, "kind", "'http'"),
        ({**HTTP, "intervall": 30}, "intervall", "'interval'"),
        ({**HTTP, "interval": "5x"}, "interval", "30s"),
        ({**HTTP, "interval": 0.2}, "interval", "1"),
        ({**HTTP, "tags": ["two words"]}, "tags[0]", ""),
        ({**HTTP, "policy": {"confirmation": 1}}, "policy.confirmation", "'confirmations'"),
        ({**HTTP, "policy": {"latency_factor": 1}}, "policy.latency_factor", "1.1"),
        ({**HTTP, "policy": {"drift_accept_s": "soon"}}, "policy.drift_accept_s", "30s"),
        ({"target": "::: what"}, "target", "URL"),
        ({"target": "http://ada:hunter2@shop.example/"}, "target", "settings"),
        ({"target": "ada:hunter2@shop.example:22"}, "target", "settings"),
        ({"target": "http://2852039166/"}, "target", "ambiguous"),
        ({"name": "nothing"}, "target", "kind"),
        ({**HTTP, "conditions": ["statuss == 200"]}, "conditions[0]", "'status'"),
        (
            {"target": "127.0.0.1:25", "conditions": ['header("a") == b']},
            "conditions[0]",
            "headers",
        ),
    ],
)
async def test_wrong_field_is_named_with_a_hint(
    house: Premises, draft: dict[str, object], field: str, hint: str
) -> None:
    with pytest.raises(InvalidError) as caught:
        await house.services.monitors.add(ADMIN, draft, owner=Owner.API)

    assert field in dict(caught.value.problems)
    assert "hunter2" not in str(caught.value)
    assert hint in dict(caught.value.problems)[field]


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ({}, (3.0, 86_400.0)),
        ({"latency_factor": 2.5, "drift_accept_s": "12h"}, (2.5, 43_200.0)),
        ({"latency_factor": None, "drift_accept_s": None}, (None, None)),
        ({"latency_factor": 0, "drift_accept_s": "never"}, (None, None)),
    ],
)
async def test_latency_and_drift_can_be_tuned_and_turned_off(
    house: Premises, said: dict[str, object], expected: tuple[float | None, float | None]
) -> None:
    view = await house.services.monitors.add(ADMIN, {**HTTP, "policy": said}, owner=Owner.API)

    assert (view.policy.latency_factor, view.policy.drift_accept_s) == expected


async def test_durations_are_texts_or_seconds(house: Premises) -> None:
    draft = {**HTTP, "interval": "1m30s", "timeout": 2}
    view = await house.services.monitors.add(ADMIN, draft, owner=Owner.API)

    assert (view.interval_s, view.timeout_s) == (90.0, 2.0)


async def test_secret_goes_in_is_shown_as_stars_and_survives_an_edit(house: Premises) -> None:
    settings = {"url": "http://127.0.0.1:9/", "bearer_token": "s3cret", "headers": {"X-Key": "k3y"}}
    added = await house.services.monitors.add(
        ADMIN, {"kind": "http", "settings": settings}, owner=Owner.API
    )
    assert added.settings["bearer_token"] == "***"
    assert added.settings["headers"] == {"X-Key": "***"}

    sent_back = {"settings": {**added.settings, "method": "HEAD"}}
    await house.services.monitors.update(ADMIN, added.id, sent_back, owner=Owner.API)

    stored = await house.store.monitors.get(ADMIN, added.id)
    assert stored.settings["bearer_token"] == "s3cret"
    assert stored.settings["headers"] == {"X-Key": "k3y"}
    assert stored.settings["method"] == "HEAD"


async def test_null_takes_a_setting_out_and_the_rest_stays(house: Premises) -> None:
    settings = {"url": "http://127.0.0.1:9/", "bearer_token": "s3cret", "method": "HEAD"}
    added = await house.services.monitors.add(
        ADMIN, {"kind": "http", "settings": settings}, owner=Owner.API
    )
    changes = {"settings": {"bearer_token": None}}
    changed = await house.services.monitors.update(ADMIN, added.id, changes, owner=Owner.API)

    assert changed.settings["bearer_token"] is None
    assert changed.settings["method"] == "HEAD"


async def test_stars_without_a_stored_secret_are_refused(house: Premises) -> None:
    draft = {"kind": "http", "settings": {"url": "http://127.0.0.1:9/", "bearer_token": "***"}}
    with pytest.raises(InvalidError, match="stored"):
        await house.services.monitors.add(ADMIN, draft, owner=Owner.API)


async def test_second_editor_is_told_that_he_is_late(house: Premises) -> None:
    added = await house.services.monitors.add(ADMIN, HTTP, owner=Owner.API)
    await house.services.monitors.update(
        ADMIN, added.id, {"name": "one"}, owner=Owner.API, expected_version=1
    )
    with pytest.raises(StaleError):
        await house.services.monitors.update(
            ADMIN, added.id, {"name": "two"}, owner=Owner.API, expected_version=1
        )
    assert (await house.services.monitors.get(READER, added.id)).name == "one"


async def test_what_the_file_owns_is_read_only_and_says_which_file(house: Premises) -> None:
    added = await house.services.monitors.add(ADMIN, HTTP, owner=Owner.FILE)
    with pytest.raises(ReadOnlyError, match=r"lifesign\.yaml"):
        await house.services.monitors.update(ADMIN, added.id, {"name": "x"}, owner=Owner.API)
    with pytest.raises(ReadOnlyError):
        await house.services.monitors.remove(ADMIN, added.id)

    assert added.read_only


async def test_every_change_is_a_stored_event_and_reaches_engine_and_readers(
    house: Premises,
) -> None:
    with house.bus.follow(Topic.CHANGES) as changes, house.bus.follow(Topic.EVENTS) as events:
        added = await house.services.monitors.add(ADMIN, HTTP, owner=Owner.API)
        await house.services.monitors.pause(OPERATOR, added.id)
        await house.services.monitors.resume(OPERATOR, added.id)
        await house.services.monitors.run_now(OPERATOR, added.id)
        await house.services.monitors.remove(ADMIN, added.id)
        house.bus.close()
        told = [change async for change in changes]
        heard = [event async for event in events]

    saved, run, gone = ChangeOf.SAVED, ChangeOf.RUN, ChangeOf.REMOVED
    assert told == [
        Change("monitor", added.id, "default", what) for what in (saved, saved, saved, run, gone)
    ]
    types = ["monitor.added", "monitor.changed", "monitor.changed", "monitor.removed"]
    assert [event.type for event in await house.events()] == types
    assert heard == await house.events()
    assert (await house.events())[0].data["by"] == ADMIN.actor


async def test_pausing_twice_changes_nothing_the_second_time(house: Premises) -> None:
    added = await house.services.monitors.add(ADMIN, HTTP, owner=Owner.API)
    first = await house.services.monitors.pause(OPERATOR, added.id)
    second = await house.services.monitors.pause(OPERATOR, added.id)

    assert first.state is State.PAUSED
    assert first.version == second.version == 2


async def test_paused_and_passive_monitors_cannot_be_run(house: Premises) -> None:
    job = await house.services.monitors.add(ADMIN, {"kind": "heartbeat"}, owner=Owner.API)
    resting = await house.services.monitors.add(ADMIN, {**HTTP, "paused": True}, owner=Owner.API)

    for id in (job.id, resting.id):
        with pytest.raises(ConflictError):
            await house.services.monitors.run_now(OPERATOR, id)


async def test_grants_are_asked_for_before_anything_happens(house: Premises) -> None:
    added = await house.services.monitors.add(ADMIN, HTTP, owner=Owner.API)
    api = house.services.monitors

    with pytest.raises(ForbiddenError):
        await api.add(OPERATOR, HTTP, owner=Owner.API)
    with pytest.raises(ForbiddenError):
        await api.remove(OPERATOR, added.id)
    with pytest.raises(ForbiddenError):
        await api.pause(READER, added.id)
    assert (await api.list(READER, MonitorQuery())).items[0].version == 1


async def test_unknown_monitor_is_not_found(house: Premises) -> None:
    with pytest.raises(NotFoundError):
        await house.services.monitors.get(READER, "mon_nobody")


async def test_ping_key_of_another_job_is_refused(house: Premises) -> None:
    first = await house.services.monitors.add(ADMIN, {"kind": "heartbeat"}, owner=Owner.API)
    draft = {"kind": "heartbeat", "settings": {"uuid": first.settings["uuid"]}}

    with pytest.raises(InvalidError, match="ping key"):
        await house.services.monitors.add(ADMIN, draft, owner=Owner.API)


@pytest.mark.parametrize(
    ("kind", "target", "settings"),
    [
        ("tls", "mail.example:8443", {"host": "mail.example", "port": 8443}),
        ("tls", "mail.example", {"host": "mail.example"}),
        ("tcp", "mail.example:25", {"host": "mail.example", "port": 25}),
        ("dns", "mail.example", {"name": "mail.example"}),
    ],
)
async def test_target_means_what_the_named_kind_makes_of_it(
    house: Premises, kind: str, target: str, settings: dict[str, object]
) -> None:
    added = await house.services.monitors.add(
        ADMIN, {"kind": kind, "target": target}, owner=Owner.API
    )

    assert {name: added.settings[name] for name in settings} == settings


@pytest.mark.parametrize(
    "said", [{"name": "a\0b"}, {"name": "a\x1b[31mb"}, {"group": "a\nb"}, {"description": "\0"}]
)
async def test_characters_that_no_name_has_are_refused(
    house: Premises, said: dict[str, str]
) -> None:
    with pytest.raises(InvalidError) as caught:
        await house.services.monitors.add(ADMIN, {**HTTP, **said}, owner=Owner.API)

    assert [field for field, _ in caught.value.problems] == list(said)


async def test_name_may_be_written_in_any_script(house: Premises) -> None:
    name = "Läden 👩\u200d💻 店"
    added = await house.services.monitors.add(ADMIN, {**HTTP, "name": name}, owner=Owner.API)

    assert added.name == name
