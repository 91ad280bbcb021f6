"""Real local servers that channels are tested against: HTTP, SMTP, and one that says nothing."""

import asyncio
import ssl
import warnings
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email import message_from_bytes
from email.message import EmailMessage
from email.message import Message as Mail
from email.policy import default
from typing import Any, cast

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, Session

from lifesign.channels.registry import ChannelContext, Message
from lifesign.clock import FakeClock, SystemClock
from lifesign.config.model import SMTPConfig
from lifesign.core.messages import Alert, AlertEvent
from lifesign.core.model import Failure, Reason, Severity
from lifesign.net import Net

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
DEADLINE_S = 5.0


def context(
    net: Net | None = None,
    *,
    within_s: float = DEADLINE_S,
    smtp: SMTPConfig | None = None,
    real_time: bool = False,
) -> ChannelContext:
    deadline = asyncio.get_running_loop().time() + within_s
    clock = SystemClock() if real_time else FakeClock(NOW)
    return ChannelContext(net or Net.open(), clock, deadline, smtp)


def message(**changes: Any) -> Message:
    alert = Alert(
        id="al_1",
        key="mon_1:down",
        monitor_id="mon_1",
        severity=Severity.CRITICAL,
        title="Shop is down",
        failure=Failure(
            "tls", "cert_expired", "It expired.", Reason.CONNECTION_REFUSED, "Renew it."
        ),
        opened_at=NOW,
        updated_at=NOW,
    )
    fields: dict[str, Any] = {
        "id": "msg_1",
        "event": AlertEvent.FIRED,
        "alert": alert,
        "title": "Shop is down",
        "text": "dns ✓ 3 ms\ntcp ✓ 9 ms\ntls ✗ the certificate has expired",
        "link": "http://127.0.0.1:8080/alerts/al_1",
        "monitor_name": "Shop",
        "monitor_kind": "http",
        "monitor_target": "https://shop.example/",
        "tags": ("shop",),
        "occurred_at": NOW,
        "why": "Told because the route All matches.",
    }
    return Message(**(fields | changes))


@dataclass
class Heard:
    """One HTTP request as it came in."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Receiver:
    """An HTTP server that answers what it is told to and keeps what it heard."""

    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b"ok"
    port: int = 0
    heard: list[Heard] = field(default_factory=list)
    scheme: str = "http"

    @property
    def url(self) -> str:
        return f"{self.scheme}://localhost:{self.port}/hook"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
            method, path, _ = head[0].split(" ")
            pairs = (line.partition(": ") for line in head[1:] if line)
            headers = {name.lower(): value for name, _, value in pairs}
            body = await reader.readexactly(int(headers.get("content-length", 0)))
            self.heard.append(Heard(method, path, headers, body))
            answer = {"content-length": str(len(self.body)), "connection": "close"} | self.headers
            lines = [f"HTTP/1.1 {self.status} X", *(f"{n}: {v}" for n, v in answer.items()), "", ""]
            writer.write("\r\n".join(lines).encode() + self.body)
            await writer.drain()
        except (OSError, asyncio.IncompleteReadError):
            return
        finally:
            writer.close()


@asynccontextmanager
async def http_receiver(
    *, tls: ssl.SSLContext | None = None, **answer: Any
) -> AsyncIterator[Receiver]:
    receiver = Receiver(scheme="https" if tls else "http", **answer)
    server = await asyncio.start_server(receiver.serve, "127.0.0.1", 0, ssl=tls)
    receiver.port = server.sockets[0].getsockname()[1]
    async with server:
        yield receiver


@asynccontextmanager
async def black_hole() -> AsyncIterator[int]:
    """A port that takes connections and never says a word; gives the port."""
    writers: list[asyncio.StreamWriter] = []

    async def swallow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        while await reader.read(65536):
            pass
        writer.close()

    server = await asyncio.start_server(swallow, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]
        for writer in writers:
            writer.close()


@dataclass
class Mailbox:
    """An SMTP server's handler: keeps mails and answers what it is told to."""

    data_reply: str = "250 2.0.0 queued as 42"
    rcpt_replies: dict[str, str] = field(default_factory=dict)
    password: str = ""
    port: int = 0
    mails: list[EmailMessage] = field(default_factory=list)
    encrypted: list[bool] = field(default_factory=list)

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's name
        self,
        _server: SMTP,
        _session: Session,
        envelope: Envelope,
        address: str,
        _options: list[str],
    ) -> str:
        reply = self.rcpt_replies.get(address, "250 OK")
        if reply.startswith("250"):
            envelope.rcpt_tos.append(address)
        return reply

    async def handle_DATA(self, _server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        if self.data_reply.startswith("250"):
            mail: Mail[Any, Any] = message_from_bytes(
                cast("bytes", envelope.content), policy=default
            )
            self.mails.append(cast("EmailMessage", mail))
            self.encrypted.append(session.ssl is not None)
        return self.data_reply

    def authenticate(
        self, _server: Any, _session: Any, _envelope: Any, _mechanism: str, data: Any
    ) -> AuthResult:
        return AuthResult(success=data.password.decode() == self.password, handled=False)


@asynccontextmanager
async def smtp_server(
    *, tls: ssl.SSLContext | None = None, implicit: bool = False, **answer: Any
) -> AsyncIterator[Mailbox]:
    """Without `tls` it is plain; with it STARTTLS is demanded, or spoken from the start if `implicit`."""
    mailbox = Mailbox(**answer)
    loop = asyncio.get_running_loop()
    starttls = tls if not implicit else None

    spoken: list[SMTP] = []

    def protocol() -> SMTP:
        with warnings.catch_warnings():
            # It warns that passwords in plain text are unwise.
            warnings.simplefilter("ignore")
            smtp = SMTP(
                mailbox,
                hostname="mail.test",
                loop=loop,
                tls_context=starttls,
                require_starttls=starttls is not None,
                authenticator=mailbox.authenticate,
                auth_required=bool(mailbox.password),
                auth_require_tls=False,
            )
        spoken.append(smtp)
        return smtp

    server = await loop.create_server(protocol, "127.0.0.1", 0, ssl=tls if implicit else None)
    mailbox.port = server.sockets[0].getsockname()[1]
    async with server:
        yield mailbox
        for smtp in spoken:
            if smtp.transport is not None:
                smtp.transport.abort()
        await asyncio.sleep(0)
