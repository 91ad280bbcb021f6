"""A mail over SMTP: plain text and HTML, threaded by alert, marked as written by a machine."""

import asyncio
import hashlib
import re
import ssl
from collections.abc import Mapping
from contextlib import suppress
from email.errors import MessageError
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import format_datetime
from html import escape
from typing import Annotated, Literal, cast

import aiosmtplib
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, field_validator

from lifesign.channels.registry import ChannelContext, Message, Receipt, channel
from lifesign.config.model import SMTPConfig
from lifesign.net.failures import NetError
from lifesign.net.sockets import connected_socket
from lifesign.net.tls import TLSOptions, TrustError, check_authority
from lifesign.net.url import parse_host

Security = Literal["starttls", "tls", "none"]

_PORTS: Mapping[str, int] = {"starttls": 587, "tls": 465, "none": 25}
_SUBJECT_CHARS = 200
_TEXT_CHARS = 100_000
_REPLY_CHARS = 160
_QUIT_S = 1.0


def _address(text: str) -> str:
    try:
        address = Address(addr_spec=text.strip())
    except (MessageError, ValueError, IndexError):
        address = Address()
    if not address.username or not address.domain or not text.strip().isprintable():
        raise ValueError("this is not a mail address; write name@example.org")
    return address.addr_spec


MailAddress = Annotated[str, AfterValidator(_address)]


class EmailSettings(BaseModel):
    """Sends each alert as a mail; mails about the same alert form one thread."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    to: tuple[MailAddress, ...] = Field(
        min_length=1, max_length=50, description="Who is written to."
    )
    host: str = Field(
        default="",
        description="The mail server; the one of the configuration (`smtp`) when empty.",
    )
    port: int | None = Field(
        default=None,
        ge=1,
        le=65535,
        description="Its port; 587, 465 or 25 by `security` when absent.",
    )
    security: Security = Field(
        default="starttls",
        description="`starttls` upgrades a plain connection and insists on it, `tls` begins encrypted.",
    )
    username: str = Field(
        default="", max_length=200, description="Who signs in; empty when nobody has to."
    )
    password: SecretStr = Field(default=SecretStr(""), description="The password of `username`.")
    sender: MailAddress | None = Field(
        default=None,
        description="The address mail comes from; that of the configuration (`smtp`) when absent.",
    )
    ca_pem: str = Field(
        default="",
        description="The certificate of a private authority (PEM) that the server is checked against.",
    )

    @field_validator("host")
    @classmethod
    def _reachable(cls, text: str) -> str:
        return parse_host(text) if text.strip() else ""

    @field_validator("ca_pem")
    @classmethod
    def _trustworthy(cls, pem: str) -> str:
        try:
            return check_authority(pem) if pem else pem
        except TrustError as error:
            raise ValueError(str(error)) from None


def _target(settings: EmailSettings) -> str:
    more = len(settings.to) - 1
    return f"{settings.to[0]} and {more} more" if more else settings.to[0]


@channel("email", settings=EmailSettings, title="E-mail", target=_target)
async def send(message: Message, settings: EmailSettings, ctx: ChannelContext) -> Receipt:
    """Hand the mail to the server once; a 4xx reply is tried again, a 5xx reply is final."""
    server = _server(settings, ctx.smtp)
    sender = str(settings.sender or (ctx.smtp.sender if ctx.smtp else ""))
    if not server.host or not sender:
        missing = "server" if not server.host else "sender"
        text = f"No mail was sent: there is no {missing}. Set `{'host' if missing == 'server' else missing}` of this channel or of `smtp` in the configuration."
        return Receipt(delivered=False, permanent=True, detail=text)
    mail = compose(message, settings.to, sender, ctx=ctx)
    try:
        async with asyncio.timeout_at(ctx.deadline):
            return await _deliver(mail, server, settings, ctx=ctx)
    except NetError as error:
        failure = error.failure
        text = f"{failure.message} {failure.remedy}".strip()
        return Receipt(delivered=False, permanent=failure.layer == "egress", detail=text)
    except TimeoutError:
        text = f"{server.host}:{server.port} did not take the mail in time."
        return Receipt(delivered=False, detail=text)
    except (aiosmtplib.SMTPException, OSError) as error:
        return _refusal(error, server)


def compose(
    message: Message, to: tuple[str, ...], sender: str, *, ctx: ChannelContext
) -> EmailMessage:
    """The mail. Its Message-ID follows from the message's id, so a retry is the same mail (RFC 5322 §3.6.4)."""
    domain = sender.rpartition("@")[2]
    mail = EmailMessage()
    mail["From"] = Address("Lifesign", addr_spec=sender)
    mail["To"] = ", ".join(to)
    mail["Subject"] = _one_line(message.title)[:_SUBJECT_CHARS] or "Lifesign"
    mail["Date"] = format_datetime(ctx.clock.now())
    mail["Message-ID"] = _message_id(message.id, domain)
    if message.alert is not None:
        thread = _message_id(f"alert.{message.alert.id}", domain)
        mail["In-Reply-To"] = thread
        mail["References"] = thread
    # RFC 3834 §5: no vacation replies to a machine.
    mail["Auto-Submitted"] = "auto-generated"
    mail["X-Auto-Response-Suppress"] = "All"
    mail.set_content(_plain(message))
    mail.add_alternative(_html(message), subtype="html")
    return mail


async def _deliver(
    mail: EmailMessage, server: SMTPConfig, settings: EmailSettings, *, ctx: ChannelContext
) -> Receipt:
    loop = asyncio.get_running_loop()
    trust = ctx.net.trust.context(TLSOptions(ca_pem=settings.ca_pem or None))
    sock = await connected_socket(ctx.net, server.host, server.port, deadline=ctx.deadline)
    client = aiosmtplib.SMTP(
        hostname=server.host,
        sock=sock,
        local_hostname=str(mail["From"].addresses[0].domain),
        username=server.username or None,
        password=server.password.get_secret_value() or None,
        timeout=max(0.1, ctx.deadline - loop.time()),
        use_tls=server.security == "tls",
        start_tls=server.security == "starttls",
        tls_context=trust,
    )
    try:
        await client.connect()
        refused, reply = await client.send_message(mail)
        await _part(client, deadline=ctx.deadline)
    finally:
        _hang_up(client)
        sock.close()
    detail = f"{server.host}:{server.port} took the mail: {_shown(reply, server)}"
    if refused:
        detail += f" It refused {len(refused)} of {len(settings.to)} recipients: {', '.join(sorted(refused))}."
    return Receipt(delivered=True, detail=detail, remote_id=str(mail["Message-ID"]))


async def _part(client: aiosmtplib.SMTP, *, deadline: float) -> None:
    """Say QUIT. The mail is taken by now: nothing here may fail it or take it over its deadline."""
    now = asyncio.get_running_loop().time()
    with suppress(aiosmtplib.SMTPException, OSError):
        async with asyncio.timeout_at(min(now + _QUIT_S, deadline - _QUIT_S / 10)):
            await client.quit()


def _hang_up(client: aiosmtplib.SMTP) -> None:
    """Close at once: a TLS transport would wait half a minute for the server's goodbye."""
    transport = cast("asyncio.Transport | None", client.transport)
    client.close()
    if transport is not None:
        transport.abort()


def _server(settings: EmailSettings, default: SMTPConfig | None) -> SMTPConfig:
    if not settings.host:
        return default or SMTPConfig()
    return SMTPConfig(
        host=settings.host,
        port=settings.port or _PORTS[settings.security],
        security=settings.security,
        username=settings.username,
        password=settings.password,
    )


def _refusal(error: aiosmtplib.SMTPException | OSError, server: SMTPConfig) -> Receipt:
    """What an SMTP reply means (RFC 5321 §4.2.1: 4yz is transient, 5yz is permanent)."""
    place = f"{server.host}:{server.port}"
    if isinstance(error, aiosmtplib.SMTPRecipientsRefused):
        codes = [refusal.code for refusal in error.recipients]
        text = _shown(error.recipients[0].message, server)
        detail = f"{place} refused every recipient: {codes[0]} {text}"
        return Receipt(delivered=False, permanent=min(codes) >= 500, detail=detail)
    if isinstance(error, aiosmtplib.SMTPAuthenticationError):
        # The reply may repeat what was sent, so its words stay out.
        detail = f"{place} refused to sign {server.username} in ({error.code}). Check the username and password."
        return Receipt(delivered=False, permanent=error.code >= 500, detail=detail)
    if isinstance(error, aiosmtplib.SMTPResponseException):
        detail = f"{place} refused the mail: {error.code} {_shown(error.message, server)}"
        return Receipt(delivered=False, permanent=error.code >= 500, detail=detail)
    # aiosmtplib raises its bare base class when the server lacks STARTTLS or AUTH.
    if isinstance(error, aiosmtplib.SMTPNotSupported) or type(error) is aiosmtplib.SMTPException:
        detail = f"{place} does not offer what is asked of it: {_shown(str(error), server)} Check `security`."
        return Receipt(delivered=False, permanent=True, detail=detail)
    return Receipt(delivered=False, detail=f"{place}: {_broken(error)}")


def _broken(error: BaseException) -> str:
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return f"the certificate was refused: {cause.verify_message}."
        if isinstance(cause, ssl.SSLError):
            return "TLS failed. Check that `security` fits the port."
        cause = cause.__cause__ or cause.__context__
    return "the connection broke before the mail was taken."


def _shown(reply: str, server: SMTPConfig) -> str:
    """A server's words in one short line, without the password should it repeat it."""
    text = _one_line(reply)
    password = server.password.get_secret_value()
    if password:
        text = text.replace(password, "***")
    return text[:_REPLY_CHARS].removesuffix(".") + "."


def _message_id(id: str, domain: str) -> str:
    plain = id if re.fullmatch(r"[A-Za-z0-9._-]{1,100}", id) else ""
    return f"<{plain or hashlib.sha256(id.encode()).hexdigest()}@{domain}>"


def _one_line(text: str) -> str:
    """Header values and replies on one line: a line break in a title would begin another header."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


def _lines(text: str) -> str:
    kept = (c for c in text[:_TEXT_CHARS] if c.isprintable() or c in "\n\t")
    return "".join(kept)


def _plain(message: Message) -> str:
    parts = [_one_line(message.title), _lines(message.text), message.link, _one_line(message.why)]
    return "\n\n".join(part for part in parts if part) + "\n"


def _html(message: Message) -> str:
    """Everything is escaped; no image, no script, nothing is fetched when it is read."""
    link = escape(message.link)
    button = f'<p><a href="{link}">{link}</a></p>' if re.match(r"https?://", message.link) else ""
    return (
        '<!doctype html><html><body style="font-family:system-ui,sans-serif;line-height:1.5">'
        f'<h1 style="font-size:1.2em">{escape(_one_line(message.title))}</h1>'
        '<pre style="font-family:ui-monospace,monospace;white-space:pre-wrap">'
        f"{escape(_lines(message.text))}</pre>{button}"
        f'<p style="color:#666">{escape(_one_line(message.why))}</p></body></html>\n'
    )
