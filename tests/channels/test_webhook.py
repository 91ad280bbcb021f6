"""The webhook is signed as Standard Webhooks demands and reads answers rightly."""

import json
from datetime import timedelta
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from channels.receivers import NOW, context, http_receiver, message
from lifesign.channels.webhook import MAX_BODY, WebhookSettings, payload, send
from lifesign.net import Net

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8GKYqr"
OLDER = "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"


async def test_a_foreign_library_verifies_what_we_sign() -> None:
    async with http_receiver() as receiver:
        settings = WebhookSettings(url=receiver.url)
        receipt = await send(message(), settings, context(real_time=True))

    (heard,) = receiver.heard
    verified = Webhook(settings.secret.get_secret_value()).verify(heard.body, heard.headers)
    assert verified["type"] == "alert.fired"
    assert receipt.delivered
    assert receipt.detail == f"localhost:{receiver.port} answered 200 OK."


async def test_a_changed_body_or_another_secret_does_not_verify() -> None:
    async with http_receiver() as receiver:
        settings = WebhookSettings(url=receiver.url, secret=SECRET)
        await send(message(), settings, context(real_time=True))

    (heard,) = receiver.heard
    with pytest.raises(WebhookVerificationError):
        Webhook(SECRET).verify(heard.body.replace(b"Shop", b"Shoq"), heard.headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(OLDER).verify(heard.body, heard.headers)


async def test_while_a_secret_is_replaced_both_sign() -> None:
    async with http_receiver() as receiver:
        settings = WebhookSettings(url=receiver.url, secret=SECRET, previous_secret=OLDER)
        await send(message(), settings, context(real_time=True))

    (heard,) = receiver.heard
    for secret in (SECRET, OLDER):
        assert Webhook(secret).verify(heard.body, heard.headers)


async def test_the_request_says_who_what_and_when() -> None:
    async with http_receiver() as receiver:
        settings = WebhookSettings(url=receiver.url + "?a=b", headers={"Authorization": "Bearer k"})
        await send(message(), settings, context())

    (heard,) = receiver.heard
    document = json.loads(heard.body)
    assert (heard.method, heard.path) == ("POST", "/hook?a=b")
    assert heard.headers["host"] == f"localhost:{receiver.port}"
    assert heard.headers["authorization"] == "Bearer k"
    assert heard.headers["content-type"] == "application/json"
    assert heard.headers["webhook-id"] == "msg_1"
    assert heard.headers["webhook-timestamp"] == str(int(NOW.timestamp()))
    assert document["timestamp"] == "2026-01-02T03:04:05Z"
    assert document["data"]["monitor"]["name"] == "Shop"
    assert document["data"]["alert"]["failure"]["code"] == "cert_expired"
    assert document["data"]["alert"]["severity"] == "critical"


def test_a_test_message_has_a_type_of_its_own() -> None:
    document = json.loads(payload(message(event=None, alert=None)))

    assert document["type"] == "webhook.test"
    assert document["data"]["alert"] is None


@given(st.text(), st.text(), st.integers(min_value=1, max_value=60_000))
def test_any_text_fits_under_the_limit_and_stays_json(title: str, piece: str, times: int) -> None:
    body = payload(message(title=title * 50, text=(piece or "x") * times, why=title * 50))

    assert len(body) <= MAX_BODY
    assert json.loads(body)["data"]["monitor"]["name"] == "Shop"


def test_a_long_text_is_cut_no_more_than_needed() -> None:
    assert MAX_BODY - 100 < len(payload(message(text="ü" * 30_000))) <= MAX_BODY


@pytest.mark.parametrize(
    ("status", "permanent"),
    [
        (301, True),
        (302, False),
        (308, True),
        (400, True),
        (401, True),
        (404, True),
        (408, False),
        (410, True),
        (425, False),
        (429, False),
        (500, False),
        (503, False),
        (599, False),
    ],
)
async def test_answers_that_are_not_success(status: int, permanent: bool) -> None:
    async with http_receiver(status=status) as receiver:
        receipt = await send(message(), WebhookSettings(url=receiver.url), context())

    assert (receipt.delivered, receipt.permanent) == (False, permanent)
    assert str(status) in receipt.detail


async def test_a_redirect_is_not_followed() -> None:
    async with http_receiver() as elsewhere:
        answer = {"status": 302, "headers": {"location": elsewhere.url}}
        async with http_receiver(**answer) as receiver:
            receipt = await send(message(), WebhookSettings(url=receiver.url), context())

    assert elsewhere.heard == []
    assert "a redirect, which is not followed" in receipt.detail


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("120", 120.0),
        ("0", 0.0),
        (format_datetime(NOW + timedelta(seconds=90), usegmt=True), 90.0),
        (format_datetime(NOW - timedelta(days=1), usegmt=True), 0.0),
        ("999999999999", 86_400.0),
        ("soon", None),
        ("-5", None),
        ("", None),
    ],
)
async def test_retry_after_is_honoured(header: str, seconds: float | None) -> None:
    async with http_receiver(status=429, headers={"retry-after": header}) as receiver:
        receipt = await send(message(), WebhookSettings(url=receiver.url), context())

    assert receipt.retry_after_s == seconds


async def test_a_receiver_with_a_private_authority(authority) -> None:
    async with http_receiver(tls=authority.server) as receiver:
        trusted = WebhookSettings(url=receiver.url, ca_pem=authority.pem)
        assert (await send(message(), trusted, context())).delivered

        receipt = await send(message(), WebhookSettings(url=receiver.url), context())

    assert (receipt.delivered, receipt.permanent) == (False, False)
    assert "the certificate was refused" in receipt.detail


async def test_the_certificate_must_name_the_host_of_the_url(authority) -> None:
    async with http_receiver(tls=authority.server) as receiver:
        url = f"https://127.0.0.1:{receiver.port}/"
        receipt = await send(message(), WebhookSettings(url=url, ca_pem=authority.pem), context())

    assert "the certificate was refused" in receipt.detail
    assert receiver.heard == []


async def test_nobody_listens() -> None:
    async with http_receiver() as receiver:
        url = receiver.url
    receipt = await send(message(), WebhookSettings(url=url), context())

    assert (receipt.delivered, receipt.permanent) == (False, False)
    assert "refused" in receipt.detail


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
async def test_the_fence_is_final(host: str) -> None:
    async with http_receiver() as receiver:
        settings = WebhookSettings(url=f"http://{host}:{receiver.port}/")
        receipt = await send(message(), settings, context(Net.open(mode="public")))

    assert (receipt.delivered, receipt.permanent) == (False, True)
    assert receiver.heard == []


async def test_proxies_of_the_environment_are_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    async with http_receiver() as proxy, http_receiver() as receiver:
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
        receipt = await send(message(), WebhookSettings(url=receiver.url), context())

    assert receipt.delivered
    assert (len(proxy.heard), len(receiver.heard)) == (0, 1)


async def test_a_huge_answer_is_not_read_to_its_end() -> None:
    answer = {"body": b"x" * 1_000_000, "headers": {"content-length": "100000000"}}
    async with http_receiver(**answer) as receiver:
        receipt = await send(message(), WebhookSettings(url=receiver.url), context())

    assert receipt.delivered


@pytest.mark.parametrize(
    "changes",
    [
        {"url": "ftp://host/"},
        {"url": "http://user:canary@host/"},
        {"url": "http://2130706433/"},
        {"secret": "canary"},
        {"secret": "whsec_c2hvcnQ="},
        {"headers": {"Host": "x"}},
        {"headers": {"webhook-id": "x"}},
        {"headers": {"X A": "x"}},
        {"headers": {"X": "canary\r\nY: 1"}},
        {"ca_pem": "not a certificate"},
        {"unknown": 1},
    ],
)
def test_settings_that_are_refused_and_never_repeated(changes: dict[str, object]) -> None:
    with pytest.raises(ValidationError) as caught:
        WebhookSettings.model_validate({"url": "https://host/"} | changes)

    assert "canary" not in str(caught.value)


def test_each_channel_gets_a_secret_of_its_own() -> None:
    one, other = (WebhookSettings(url="https://host/").secret.get_secret_value() for _ in range(2))

    assert one != other
    assert one.startswith("whsec_")
