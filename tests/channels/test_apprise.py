"""The bridge reaches what Apprise reaches, and never into this machine."""

import json
import sys

import pytest
from pydantic import SecretStr, ValidationError

from channels.receivers import black_hole, context, http_receiver, message
from lifesign.channels.apprise import AppriseSettings, send
from lifesign.core.messages import AlertEvent
from lifesign.net import Net

pytestmark = pytest.mark.filterwarnings("ignore:.*imghdr:DeprecationWarning")
"""Apprise imports it on Python 3.11 and 3.12."""


def settings(url: str) -> AppriseSettings:
    return AppriseSettings(url=SecretStr(url))


@pytest.mark.parametrize(
    ("event", "kind"),
    [(AlertEvent.FIRED, "failure"), (AlertEvent.RESOLVED, "success"), (None, "info")],
)
async def test_a_message_is_sent(event: AlertEvent | None, kind: str) -> None:
    async with http_receiver() as receiver:
        given = settings(f"json://localhost:{receiver.port}/canary")
        receipt = await send(message(event=event), given, context())

    (heard,) = receiver.heard
    document = json.loads(heard.body)
    assert receipt.delivered
    assert receipt.detail == "json://… took the message."
    assert document["title"] == "Shop is down"
    assert document["type"] == kind
    assert "the certificate has expired" in document["message"]


async def test_a_refusal_is_tried_again_because_apprise_says_no_more() -> None:
    async with http_receiver(status=404) as receiver:
        receipt = await send(message(), settings(f"json://localhost:{receiver.port}/"), context())

    assert (receipt.delivered, receipt.permanent) == (False, False)


async def test_a_url_that_apprise_does_not_know_is_final() -> None:
    receipt = await send(message(), settings("nosuch://canary"), context())

    assert (receipt.delivered, receipt.permanent) == (False, True)
    assert "canary" not in receipt.detail


async def test_without_the_extra_it_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "apprise", None)

    receipt = await send(message(), settings("json://localhost/"), context())

    assert receipt.permanent
    assert "lifesign[apprise]" in receipt.detail


@pytest.mark.parametrize(
    "url",
    ["json://169.254.169.254/", "json://2852039166/", "jsons://metadata.google.internal/"],
)
async def test_hosts_that_the_fence_denies_are_not_called(url: str) -> None:
    receipt = await send(message(), settings(url), context())

    assert (receipt.delivered, receipt.permanent) == (False, True)


@pytest.mark.parametrize("asked", ["", "?redirect=yes"])
async def test_redirects_are_not_followed_past_the_fence(asked: str) -> None:
    async with http_receiver() as inner:
        there = {"Location": f"http://127.0.0.1:{inner.port}/latest/meta-data"}
        async with http_receiver(status=302, headers=there) as outer:
            receipt = await send(
                message(), settings(f"json://localhost:{outer.port}/{asked}"), context()
            )

    assert not receipt.delivered
    assert (len(outer.heard), inner.heard) == (1, [])


async def test_the_bridge_is_shut_in_public_mode() -> None:
    given = settings("json://example.org/")
    receipt = await send(message(), given, context(Net.open(mode="public")))

    assert receipt.permanent
    assert "egress.mode" in receipt.detail


async def test_a_silent_service_costs_the_deadline_only() -> None:
    async with black_hole() as port:
        given = settings(f"json://localhost:{port}/?rto=0.5&cto=0.5")
        receipt = await send(message(), given, context(within_s=0.2))

    assert (receipt.delivered, receipt.permanent) == (False, False)


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("syslog://", "begins with the name"),
        ("syslog://local0", "reaches into the machine"),
        ("dbus://x", "reaches into the machine"),
        ("gnome://x", "reaches into the machine"),
        ("macosx://x", "reaches into the machine"),
        ("windows://x", "reaches into the machine"),
        ("FILE:///etc/passwd", "reaches into the machine"),
        ("mailto://u:p@example.org", "kind email"),
        ("discord://1/canary?template=/etc/passwd", "template="),
        ("slack://a/b/canary?TEMPLATE=/etc/passwd", "template="),
        ("no url at all", "begins with the name"),
        ("json://host/\ncanary", "begins with the name"),
    ],
)
def test_urls_that_are_refused(url: str, reason: str) -> None:
    with pytest.raises(ValidationError, match=reason) as caught:
        settings(url)

    assert "canary" not in str(caught.value)
