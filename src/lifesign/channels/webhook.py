"""A signed POST to a URL, after Standard Webhooks 1.0.0.

https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

import base64
import binascii
import hashlib
import hmac
import json
import re
import secrets
from datetime import UTC, datetime

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator

from lifesign.channels.registry import ChannelContext, Message, Receipt, channel
from lifesign.core.messages import Alert
from lifesign.net.client import Answer, exchange
from lifesign.net.failures import NetError
from lifesign.net.tls import TrustError, check_authority
from lifesign.net.url import parse_url

SECRET_PREFIX = "whsec_"  # noqa: S105 - a prefix, not a secret
MAX_BODY = 20_000
"""The specification asks for payloads under 20 kB."""

_SECRET_BYTES = range(24, 65)
_TOKEN = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_OURS = frozenset({"host", "content-length", "content-type", "transfer-encoding", "connection"})
_SHORT, _LONG = 300, 500
_REDIRECTS = range(300, 400)


def _new_secret() -> SecretStr:
    return SecretStr(SECRET_PREFIX + base64.b64encode(secrets.token_bytes(32)).decode())


class WebhookSettings(BaseModel):
    """Sends each alert as a signed JSON document to a URL."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    url: str = Field(
        max_length=2048,
        description="Where to send to, http or https. Put keys into `headers`, where they stay secret.",
    )
    secret: SecretStr = Field(
        default_factory=_new_secret,
        description="The key of the signature, `whsec_` and 24 to 64 bytes in base64; made when absent.",
    )
    previous_secret: SecretStr | None = Field(
        default=None,
        description="The key before this one: while it is set, both sign, so that receivers can change over.",
    )
    headers: dict[str, SecretStr] = Field(
        default_factory=dict,
        max_length=20,
        description="Further headers, such as Authorization. Their values are kept secret.",
    )
    ca_pem: str = Field(
        default="",
        description="The certificate of a private authority (PEM) that the receiver is checked against.",
    )

    @field_validator("url")
    @classmethod
    def _reachable(cls, text: str) -> str:
        return str(parse_url(text))

    @field_validator("secret", "previous_secret")
    @classmethod
    def _usable(cls, secret: SecretStr | None) -> SecretStr | None:
        if secret is not None:
            _key_of(secret)
        return secret

    @field_validator("headers")
    @classmethod
    def _sendable(cls, headers: dict[str, SecretStr]) -> dict[str, SecretStr]:
        for name, value in headers.items():
            if not _TOKEN.fullmatch(name):
                raise ValueError(f"{name[:40]!r} is not the name of a header")
            if name.lower() in _OURS or name.lower().startswith("webhook-"):
                raise ValueError(f"the header {name} is set by Lifesign itself")
            text = value.get_secret_value()
            if not text.isascii() or not text.isprintable() or len(text) > 4096:
                raise ValueError(f"the value of {name} holds what a header cannot carry")
        return headers

    @field_validator("ca_pem")
    @classmethod
    def _trustworthy(cls, pem: str) -> str:
        try:
            return check_authority(pem) if pem else pem
        except TrustError as error:
            raise ValueError(str(error)) from None


def _target(settings: WebhookSettings) -> str:
    return parse_url(settings.url).authority


@channel("webhook", settings=WebhookSettings, title="Webhook", target=_target)
async def send(message: Message, settings: WebhookSettings, ctx: ChannelContext) -> Receipt:
    """POST the message once; a redirect is a failure and is not followed."""
    body = payload(message)
    try:
        answer = await exchange(
            ctx.net,
            "POST",
            settings.url,
            headers=_headers(message, body, settings, at=ctx.clock.now()),
            content=body,
            deadline=ctx.deadline,
            ca_pem=settings.ca_pem or None,
        )
    except NetError as error:
        failure = error.failure
        place = _target(settings)
        detail = f"Sending to {place} failed. {_without_path(failure.message, settings)}"
        return Receipt(
            delivered=False,
            permanent=failure.layer == "egress",
            detail=f"{detail} {failure.remedy}".strip(),
        )
    return _receipt(answer, _target(settings), now=ctx.clock.now())


def payload(message: Message) -> bytes:
    """The JSON body: type, instant and data, cut so that it stays under 20 kB."""
    text = _clean(message.text, MAX_BODY)
    body = _body(message, text)
    while len(body) > MAX_BODY and text:
        # No character takes more than four bytes, so a few rounds are enough.
        text = text[: len(text) - (len(body) - MAX_BODY) // 4 - 1]
        body = _body(message, text)
    return body


def signature(secret: SecretStr, message_id: str, timestamp: int, body: bytes) -> str:
    """`v1,` and the base64 of HMAC-SHA256 over `id.timestamp.body`."""
    signed = f"{message_id}.{timestamp}.".encode() + body
    digest = hmac.new(_key_of(secret), signed, hashlib.sha256).digest()
    return f"v1,{base64.b64encode(digest).decode()}"


def _key_of(secret: SecretStr) -> bytes:
    text = secret.get_secret_value()
    encoded = text.removeprefix(SECRET_PREFIX)
    try:
        key = base64.b64decode(encoded + "=" * (-len(encoded) % 4), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if not text.startswith(SECRET_PREFIX) or len(key) not in _SECRET_BYTES:
        raise ValueError(
            "a signing secret is `whsec_` and 24 to 64 bytes in base64; leave it out to get one"
        )
    return key


def _headers(
    message: Message, body: bytes, settings: WebhookSettings, *, at: datetime
) -> dict[str, str]:
    timestamp = int(at.timestamp())
    keys = [settings.secret] + ([settings.previous_secret] if settings.previous_secret else [])
    own = {name: value.get_secret_value() for name, value in settings.headers.items()}
    return own | {
        "content-type": "application/json",
        "webhook-id": message.id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": " ".join(signature(key, message.id, timestamp, body) for key in keys),
    }


def _receipt(answer: Answer, place: str, *, now: datetime) -> Receipt:
    said = f"{place} answered {answer.words}"
    if answer.is_success:
        return Receipt(delivered=True, detail=f"{said}.")
    if answer.status in _REDIRECTS:
        said += ", a redirect, which is not followed: set the URL to where it leads"
    if answer.status == 410:
        said += ": the receiver asks never to be sent anything again"
    return Receipt(
        delivered=False,
        permanent=answer.is_permanent,
        retry_after_s=None if answer.is_permanent else answer.retry_after_s(now),
        detail=f"{said}.",
    )


def _without_path(text: str, settings: WebhookSettings) -> str:
    """People put keys into paths, so a detail names the host alone."""
    url = parse_url(settings.url)
    return text.replace(url.shown, f"{url.scheme}://{url.authority}")


def _body(message: Message, text: str) -> bytes:
    document = {
        "type": f"alert.{message.event}" if message.event else "webhook.test",
        "timestamp": _instant(message.occurred_at),
        "data": {
            "title": _clean(message.title, _SHORT),
            "text": text,
            "link": _clean(message.link, _LONG),
            "why": _clean(message.why, _SHORT),
            "monitor": {
                "name": _clean(message.monitor_name, _SHORT),
                "kind": message.monitor_kind,
                "target": _clean(message.monitor_target, _LONG),
                "tags": [_clean(tag, 50) for tag in message.tags[:10]],
            },
            "alert": _alert(message.alert) if message.alert else None,
        },
    }
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()


def _alert(alert: Alert) -> dict[str, object]:
    failure = alert.failure
    return {
        "id": alert.id,
        "key": _clean(alert.key, _SHORT),
        "monitor_id": alert.monitor_id,
        "state": alert.state,
        "severity": alert.severity,
        "title": _clean(alert.title, _SHORT),
        "opened_at": _instant(alert.opened_at),
        "updated_at": _instant(alert.updated_at),
        "acknowledged_at": _instant(alert.acknowledged_at),
        "acknowledged_by": _clean(alert.acknowledged_by, 100),
        "resolved_at": _instant(alert.resolved_at),
        "failure": failure
        and {
            "layer": failure.layer,
            "code": failure.code,
            "reason": failure.reason,
            "message": _clean(failure.message, _LONG),
            "remedy": _clean(failure.remedy, _LONG),
        },
    }


def _clean(text: str, limit: int) -> str:
    """At most `limit` characters that can be shown; what comes from watched things may hold any."""
    return "".join(char for char in text[:limit] if char.isprintable() or char in "\n\t")


def _instant(instant: datetime | None) -> str | None:
    return instant.astimezone(UTC).isoformat().replace("+00:00", "Z") if instant else None
