"""Mail leaves over real SMTP, in one thread per alert, and replies are read rightly."""

import asyncio
from email.message import EmailMessage

import pytest
from pydantic import ValidationError

from channels.receivers import black_hole, context, message, smtp_server
from lifesign.channels.email import EmailSettings, send
from lifesign.config.model import SMTPConfig
from lifesign.net import Net


def settings(at: int, **changes: object) -> EmailSettings:
    given = {
        "to": ["ada@example.org"],
        "host": "localhost",
        "port": at,
        "security": "none",
        "sender": "lifesign@example.org",
    }
    return EmailSettings.model_validate(given | changes)


async def test_the_mail_says_it_in_plain_text_and_in_html() -> None:
    async with smtp_server() as mailbox:
        receipt = await send(message(), settings(mailbox.port), context())

    (mail,) = mailbox.mails
    plain, html = mail.get_body(("plain",)), mail.get_body(("html",))
    assert receipt.delivered
    assert "queued as 42" in receipt.detail
    assert mail["Subject"] == "Shop is down"
    assert mail["From"] == "Lifesign <lifesign@example.org>"
    assert mail["To"] == "ada@example.org"
    assert mail["Date"] == "Fri, 02 Jan 2026 03:04:05 +0000"
    assert mail["Auto-Submitted"] == "auto-generated"
    assert plain is not None
    assert message().text in plain.get_content().replace("\r\n", "\n")
    assert "http://127.0.0.1:8080/alerts/al_1" in plain.get_content()
    assert html is not None
    assert "tls ✗ the certificate has expired" in html.get_content()


async def test_a_retry_is_the_same_mail_and_an_alert_is_one_thread() -> None:
    async with smtp_server() as mailbox:
        for said in (message(), message(), message(id="msg_2", title="Shop is up")):
            await send(said, settings(mailbox.port), context())

    first, again, later = mailbox.mails
    assert first["Message-ID"] == again["Message-ID"] == "<msg_1@example.org>"
    assert later["Message-ID"] == "<msg_2@example.org>"
    assert first["References"] == later["References"] == "<alert.al_1@example.org>"


async def test_starttls_with_a_private_authority_and_a_password(authority) -> None:
    async with smtp_server(tls=authority.server, password="pw") as mailbox:
        given = settings(
            mailbox.port, security="starttls", username="u", password="pw", ca_pem=authority.pem
        )
        receipt = await send(message(), given, context())

    assert receipt.delivered
    assert mailbox.encrypted == [True]


async def test_tls_from_the_start(authority) -> None:
    async with smtp_server(tls=authority.server, implicit=True) as mailbox:
        given = settings(mailbox.port, security="tls", ca_pem=authority.pem)
        receipt = await send(message(), given, context())

    assert receipt.delivered
    assert len(mailbox.mails) == 1


@pytest.mark.parametrize("security", ["starttls", "tls"])
async def test_an_unknown_authority_is_not_trusted(authority, security: str) -> None:
    async with smtp_server(tls=authority.server, implicit=security == "tls") as mailbox:
        receipt = await send(message(), settings(mailbox.port, security=security), context())

    assert (receipt.delivered, receipt.permanent) == (False, False)
    assert "the certificate was refused" in receipt.detail
    assert mailbox.mails == []


async def test_starttls_is_insisted_on() -> None:
    """Going on in plain text would hand the password to whoever cut STARTTLS out."""
    async with smtp_server() as mailbox:
        receipt = await send(message(), settings(mailbox.port, security="starttls"), context())

    assert (receipt.delivered, receipt.permanent) == (False, True)
    assert mailbox.mails == []


async def test_the_server_of_the_configuration_is_the_default() -> None:
    async with smtp_server() as mailbox:
        smtp = SMTPConfig(
            host="localhost", port=mailbox.port, security="none", sender="ops@example.net"
        )
        receipt = await send(message(), EmailSettings(to=("ada@example.org",)), context(smtp=smtp))

    assert receipt.delivered
    assert mailbox.mails[0]["From"] == "Lifesign <ops@example.net>"


@pytest.mark.parametrize("smtp", [None, SMTPConfig(host="localhost")])
async def test_without_a_server_or_a_sender_it_says_what_is_missing(
    smtp: SMTPConfig | None,
) -> None:
    receipt = await send(message(), EmailSettings(to=("ada@example.org",)), context(smtp=smtp))

    assert receipt.permanent
    assert "sender" in receipt.detail if smtp else "host" in receipt.detail


@pytest.mark.parametrize(
    ("reply", "permanent"),
    [("451 4.3.0 try later", False), ("452 4.2.2 full", False), ("550 5.7.1 spam", True)],
)
async def test_replies_to_the_mail(reply: str, permanent: bool) -> None:
    async with smtp_server(data_reply=reply) as mailbox:
        receipt = await send(message(), settings(mailbox.port), context())

    assert (receipt.delivered, receipt.permanent) == (False, permanent)
    assert reply in receipt.detail


@pytest.mark.parametrize(
    ("replies", "permanent"),
    [
        ({"a@x.org": "550 no", "b@x.org": "550 no"}, True),
        ({"a@x.org": "550 no", "b@x.org": "450 busy"}, False),
    ],
)
async def test_every_recipient_is_refused(replies: dict[str, str], permanent: bool) -> None:
    async with smtp_server(rcpt_replies=replies) as mailbox:
        receipt = await send(message(), settings(mailbox.port, to=list(replies)), context())

    assert (receipt.delivered, receipt.permanent) == (False, permanent)


async def test_some_recipients_are_refused() -> None:
    async with smtp_server(rcpt_replies={"a@x.org": "550 no"}) as mailbox:
        given = settings(mailbox.port, to=["a@x.org", "b@x.org"])
        receipt = await send(message(), given, context())

    assert receipt.delivered
    assert "refused 1 of 2 recipients: a@x.org" in receipt.detail


async def test_a_wrong_password_is_final_and_not_repeated() -> None:
    async with smtp_server(password="right") as mailbox:
        given = settings(mailbox.port, username="u", password="canary")
        receipt = await send(message(), given, context())

    assert (receipt.delivered, receipt.permanent) == (False, True)
    assert "Check the username and password" in receipt.detail
    assert "canary" not in repr(receipt)


async def test_a_reply_that_repeats_the_password_is_masked() -> None:
    async with smtp_server(password="canary", data_reply="550 no mail for canary") as mailbox:
        given = settings(mailbox.port, username="u", password="canary")
        receipt = await send(message(), given, context())

    assert receipt.detail.endswith("550 no mail for ***.")


async def test_a_title_cannot_begin_another_header() -> None:
    title = "down\r\nBcc: eve@example.org\r\n\r\nbody\u2028x"
    async with smtp_server() as mailbox:
        receipt = await send(message(title=title), settings(mailbox.port), context())

    (mail,) = mailbox.mails
    assert receipt.delivered
    assert mail["Bcc"] is None
    assert mail["Subject"] == "down Bcc: eve@example.org body x"


async def test_markup_from_outside_is_escaped() -> None:
    async with smtp_server() as mailbox:
        hostile = message(title="<b>t</b>", text="<script>x</script>", link="javascript:alert(1)")
        await send(hostile, settings(mailbox.port), context())

    html = mailbox.mails[0].get_body(("html",))
    assert isinstance(html, EmailMessage)
    assert "&lt;script&gt;" in html.get_content()
    assert "<b>" not in html.get_content()
    assert "href" not in html.get_content()


async def test_nobody_listens() -> None:
    async with smtp_server() as mailbox:
        port = mailbox.port
    receipt = await send(message(), settings(port), context())

    assert (receipt.delivered, receipt.permanent) == (False, False)
    assert "refused" in receipt.detail


async def test_the_fence_is_final() -> None:
    async with smtp_server() as mailbox:
        given = settings(mailbox.port)
        receipt = await send(message(), given, context(Net.open(mode="public")))

    assert (receipt.delivered, receipt.permanent) == (False, True)
    assert mailbox.mails == []


async def test_a_silent_server_costs_the_deadline_only() -> None:
    loop = asyncio.get_running_loop()
    started = loop.time()
    async with black_hole() as port:
        receipt = await send(message(), settings(port), context(within_s=0.2))

    assert (receipt.delivered, receipt.permanent) == (False, False)
    assert loop.time() - started < 2


@pytest.mark.parametrize(
    "changes",
    [
        {"to": []},
        {"to": ["nobody"]},
        {"to": ["a@b\r\nBcc: c@d"]},
        {"to": ["Ada <ada@example.org>"]},
        {"sender": "x\n@y"},
        {"host": "127.1"},
        {"port": 0},
        {"security": "ssl"},
        {"unknown": 1},
    ],
)
def test_settings_that_are_refused(changes: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        settings(25, **changes)
