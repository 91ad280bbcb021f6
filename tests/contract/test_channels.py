"""What every channel kind keeps to, whoever wrote it; a new kind is covered without a line here."""

import asyncio
from dataclasses import dataclass
from typing import Any

import pytest
from pydantic import BaseModel, SecretStr, ValidationError

from channels.receivers import black_hole, context, http_receiver, message, smtp_server
from lifesign.channels.registry import ChannelKind, UnknownChannelKindError, load_channel_kinds

pytestmark = pytest.mark.filterwarnings("ignore:.*imghdr:DeprecationWarning")
"""Apprise imports it on Python 3.11 and 3.12."""

KINDS = load_channel_kinds()
CANARY = "canary0secret0value"
PATH = "canary1path"
"""Not a declared secret, but people put keys into paths: a receipt does not repeat it either."""

GRACE_S = 1.0


@dataclass(frozen=True)
class Sample:
    """Settings for a local server, each secret of them holding the canary; `speaks` says which server."""

    speaks: str
    settings: dict[str, Any]


SAMPLES = {
    "webhook": Sample(
        "http",
        {"url": "http://localhost:{port}/" + PATH, "headers": {"Authorization": CANARY}},
    ),
    "email": Sample(
        "smtp",
        {
            "to": ["ada@example.org"],
            "host": "localhost",
            "port": "{port}",
            "security": "none",
            "username": "ada",
            "password": CANARY,
            "sender": "lifesign@example.org",
        },
    ),
    "apprise": Sample("apprise", {"url": "json://u:" + CANARY + "@localhost:{port}/?rto=1&cto=1"}),
}

every_kind = pytest.mark.parametrize("kind", KINDS.values(), ids=list(KINDS))
every_http_kind = pytest.mark.parametrize(
    "kind", [KINDS[name] for name, sample in SAMPLES.items() if sample.speaks == "http"]
)


def settings_of(kind: ChannelKind, port: int) -> BaseModel:
    def filled(value: Any) -> Any:
        return value.replace("{port}", str(port)) if isinstance(value, str) else value

    given = SAMPLES[kind.name].settings.items()
    return kind.settings.model_validate({name: filled(value) for name, value in given})


def secrets_in(value: Any) -> list[str]:
    if isinstance(value, SecretStr):
        return [value.get_secret_value()]
    if isinstance(value, dict):
        return [secret for inner in value.values() for secret in secrets_in(inner)]
    if isinstance(value, list | tuple):
        return [secret for inner in value for secret in secrets_in(inner)]
    return []


def test_the_kinds_of_the_package_are_found() -> None:
    assert {"webhook", "email", "apprise"} <= set(KINDS)
    with pytest.raises(UnknownChannelKindError, match="Known: "):
        KINDS["nosuch"]


def test_every_kind_has_a_sample_to_be_tested_with() -> None:
    """A kind from outside the package may go without; ours may not."""
    ours = {name for name, kind in KINDS.items() if kind.send.__module__.startswith("lifesign.")}

    assert ours <= set(SAMPLES)


@every_kind
def test_settings_are_documented(kind: ChannelKind) -> None:
    undescribed = [
        name for name, info in kind.settings.model_fields.items() if not info.description
    ]

    assert undescribed == []
    assert kind.settings.__doc__
    assert kind.title
    assert kind.settings.model_json_schema()["properties"]


@every_kind
def test_an_unknown_setting_is_refused(kind: ChannelKind) -> None:
    with pytest.raises(ValidationError, match="extra_forbidden"):
        kind.settings.model_validate({"no_such_setting": 1})


@every_kind
def test_settings_survive_being_stored(kind: ChannelKind) -> None:
    """Stored as JSON with the secrets revealed by whoever encrypts them, they read back the same."""
    settings = settings_of(kind, 9)

    def revealed(value: Any) -> Any:
        if isinstance(value, dict):
            return {name: revealed(inner) for name, inner in value.items()}
        return value.get_secret_value() if isinstance(value, SecretStr) else value

    assert kind.settings.model_validate(revealed(settings.model_dump())) == settings


@every_kind
def test_no_secret_is_shown(kind: ChannelKind) -> None:
    settings = settings_of(kind, 9)

    assert any(CANARY in secret for secret in secrets_in(settings.model_dump()))
    for shown in (kind.target(settings), repr(settings), repr(settings.model_dump())):
        assert CANARY not in shown


@every_kind
@pytest.mark.parametrize("status", [200, 404, 500])
async def test_no_secret_is_in_a_receipt(kind: ChannelKind, status: int) -> None:
    """Also when the server repeats all that it was sent."""
    smtp_reply = {200: "250 queued", 404: f"550 {CANARY}", 500: f"451 {CANARY}"}[status]
    async with (
        http_receiver(status=status, body=CANARY.encode()) as http,
        smtp_server(password=CANARY, data_reply=smtp_reply) as smtp,
    ):
        port = smtp.port if SAMPLES[kind.name].speaks == "smtp" else http.port
        receipt = await kind.send(message(), settings_of(kind, port), context())

    assert receipt.delivered == (status == 200)
    assert receipt.detail
    assert CANARY not in repr(receipt)
    assert PATH not in repr(receipt)


@every_kind
async def test_no_secret_is_in_a_receipt_when_nobody_listens(kind: ChannelKind) -> None:
    async with black_hole() as port:
        pass
    receipt = await kind.send(message(), settings_of(kind, port), context())

    assert (receipt.delivered, receipt.permanent) == (False, False)
    assert CANARY not in repr(receipt)
    assert PATH not in repr(receipt)


@every_http_kind
@pytest.mark.parametrize("status", [400, 401, 403, 404, 410, 413, 422])
async def test_a_refusal_is_permanent(kind: ChannelKind, status: int) -> None:
    async with http_receiver(status=status, headers={"retry-after": "7"}) as receiver:
        receipt = await kind.send(message(), settings_of(kind, receiver.port), context())

    assert (receipt.delivered, receipt.permanent) == (False, True)
    assert receipt.retry_after_s is None


@every_http_kind
@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504])
async def test_a_fault_is_tried_again_when_the_server_says(kind: ChannelKind, status: int) -> None:
    async with http_receiver(status=status, headers={"retry-after": "7"}) as receiver:
        receipt = await kind.send(message(), settings_of(kind, receiver.port), context())

    assert (receipt.delivered, receipt.permanent) == (False, False)
    assert receipt.retry_after_s == 7.0


@every_kind
async def test_a_test_message_is_delivered(kind: ChannelKind) -> None:
    async with http_receiver() as http, smtp_server(password=CANARY) as smtp:
        port = smtp.port if SAMPLES[kind.name].speaks == "smtp" else http.port
        trial = message(event=None, alert=None)
        receipt = await kind.send(trial, settings_of(kind, port), context())

    assert receipt.delivered
    assert len(http.heard) + len(smtp.mails) == 1


@every_kind
async def test_the_deadline_is_kept_against_a_silent_server(kind: ChannelKind) -> None:
    loop = asyncio.get_running_loop()
    started = loop.time()
    async with black_hole() as port:
        receipt = await kind.send(message(), settings_of(kind, port), context(within_s=0.2))
        took = loop.time() - started

    assert (receipt.delivered, receipt.permanent) == (False, False)
    assert took < 0.2 + GRACE_S


@every_kind
async def test_it_cancels_promptly(kind: ChannelKind) -> None:
    loop = asyncio.get_running_loop()
    async with black_hole() as port:
        task = asyncio.ensure_future(
            kind.send(message(), settings_of(kind, port), context(within_s=30))
        )
        done, _ = await asyncio.wait({task}, timeout=0.1)
        assert not done
        started = loop.time()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    assert loop.time() - started < GRACE_S


@every_kind
async def test_a_hostile_message_breaks_nothing(kind: ChannelKind) -> None:
    """What comes from watched things may hold line breaks, markup, NULs and half of a character pair."""
    hostile = "a\r\nBcc: x@y\x00<b>\ud800\u2028" * 40
    async with http_receiver() as http, smtp_server(password=CANARY) as smtp:
        port = smtp.port if SAMPLES[kind.name].speaks == "smtp" else http.port
        said = message(title=hostile, text=hostile, why=hostile, monitor_name=hostile)
        receipt = await kind.send(said, settings_of(kind, port), context())

    assert receipt.delivered
