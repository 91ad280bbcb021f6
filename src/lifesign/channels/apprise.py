"""The bridge to the long tail: some 150 services through Apprise, each by its own URL.

Apprise makes its connections itself, outside the egress fence. So the bridge is shut where the fence is public,
the host of the URL is judged beforehand, redirects are not followed, and URLs that reach into this machine are
refused. What remains open is a name that changes its address between our look and Apprise's.
"""

import asyncio
import re
from types import ModuleType
from typing import Any
from urllib.parse import parse_qsl

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator

from lifesign.channels.registry import ChannelContext, Message, Receipt, channel
from lifesign.core.messages import AlertEvent
from lifesign.core.model import Severity
from lifesign.net.failures import NetError, net_error
from lifesign.net.url import parse_host

_HOST_SCHEMES = frozenset(
    {"syslog", "dbus", "qt", "kde", "glib", "gio", "gnome", "macosx", "windows", "blink1"}
)
"""They talk to this machine: its log, its desktop, its devices."""

_FILE_SCHEMES = frozenset({"file", "memory", "text", "fcm", "vapid"})
"""They are configuration or attachments, or read keys from files of this machine."""

_OWN_CHANNELS = {"mailto": "email", "mailtos": "email"}
_FILE_PARAMETERS = frozenset({"template", "keyfile", "subfile", "pgp", "pgpkey", "attach", "store"})
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://(.+)", re.DOTALL)


class AppriseSettings(BaseModel):
    """Sends each alert to any of the services that Apprise knows."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    url: SecretStr = Field(
        description="The Apprise URL of one service, such as `ntfy://host/topic`. It is kept secret as a whole."
    )

    @field_validator("url")
    @classmethod
    def _harmless(cls, url: SecretStr) -> SecretStr:
        text = url.get_secret_value().strip()
        match = _SCHEME.fullmatch(text)
        if match is None or not text.isprintable() or len(text) > 4096:
            raise ValueError("an Apprise URL begins with the name of a service and ://")
        _refuse_reach(match[1].lower(), text)
        return SecretStr(text)


def _refuse_reach(scheme: str, text: str) -> None:
    if scheme in _HOST_SCHEMES or scheme in _FILE_SCHEMES:
        raise ValueError(
            f"{scheme}:// reaches into the machine that Lifesign runs on and is not allowed"
        )
    if scheme in _OWN_CHANNELS:
        raise ValueError(f"use a channel of kind {_OWN_CHANNELS[scheme]} instead of {scheme}://")
    names = {name.lower().lstrip("+-:") for name, _ in parse_qsl(text.partition("?")[2], True)}
    for name in sorted(names & _FILE_PARAMETERS):
        raise ValueError(f"the parameter {name}= reads files of this machine and is not allowed")


def _target(settings: AppriseSettings) -> str:
    scheme = settings.url.get_secret_value().partition("://")[0].lower()
    return f"{scheme}://…"


@channel("apprise", settings=AppriseSettings, title="Apprise", target=_target)
async def send(message: Message, settings: AppriseSettings, ctx: ChannelContext) -> Receipt:
    """Let Apprise send it, in a thread. It says only yes or no, so every no is tried again."""
    place = _target(settings)
    if ctx.net.fence.is_public:
        return _refused(
            "The Apprise bridge is shut while `egress.mode` is public, because it connects outside the fence."
        )
    try:
        async with asyncio.timeout_at(ctx.deadline):
            library = await asyncio.to_thread(_library)
            if library is None:
                return _refused(
                    "Apprise is not installed. Install it with `pip install 'lifesign[apprise]'`."
                )
            service = await asyncio.to_thread(_service, library, settings.url)
            if service is None:
                return _refused(
                    f"Apprise does not understand this {place} URL. See its page on the service."
                )
            await _judge_host(service, ctx)
            sent = await asyncio.to_thread(_notify, library, service, message)
    except TimeoutError:
        return Receipt(delivered=False, detail=f"{place} did not answer in time.")
    except NetError as error:
        text = (
            f"{place} was not called: its host is not allowed or not found ({error.failure.code})."
        )
        return Receipt(delivered=False, permanent=error.failure.layer == "egress", detail=text)
    outcome = "took the message" if sent else "refused the message or could not be reached"
    return Receipt(delivered=sent, detail=f"{place} {outcome}.")


def _refused(detail: str) -> Receipt:
    return Receipt(delivered=False, permanent=True, detail=detail)


async def _judge_host(service: Any, ctx: ChannelContext) -> None:
    """Judge the host of a service that connects to one of the user's own; elsewhere it is a token.

    Raises `NetError` when the host is written ambiguously, is not found, or is denied by the fence.
    """
    if not any("{host}" in template for template in service.templates):
        return
    try:
        host = parse_host(str(service.host or ""))
    except ValueError:
        raise net_error("egress", "blocked_name", "the host is written ambiguously") from None
    await ctx.net.find(host, deadline=ctx.deadline, phases={})


def _library() -> ModuleType | None:
    try:
        import apprise  # noqa: PLC0415 - an optional extra, imported here only
    except ImportError:
        return None
    library: ModuleType = apprise
    return library


def _service(library: ModuleType, url: SecretStr) -> Any:
    """Apprise's object for the URL, or None when it is not one of Apprise's. It follows no redirects."""
    asset = library.AppriseAsset(
        app_id="Lifesign",
        app_desc="Lifesign",
        app_url="",
        async_mode=False,
        storage_mode=library.PersistentStoreMode.MEMORY,
        http_redirects=False,
    )
    service = library.Apprise.instantiate(url.get_secret_value(), asset=asset)
    if service is not None:
        # `?redirect=yes` in the URL would be stronger than the asset.
        service.redirects = False
    return service


def _notify(library: ModuleType, service: Any, message: Message) -> bool:
    """Send, in a thread, and wait for the answer."""
    bridge = library.Apprise(asset=service.asset)
    bridge.add(service)
    parts = (message.text, message.link, message.why)
    sent = bridge.notify(
        title=message.title,
        body="\n\n".join(part for part in parts if part) or message.title,
        notify_type=_type(message),
        body_format=library.NotifyFormat.TEXT,
        interpret_escapes=False,
    )
    return bool(sent)


def _type(message: Message) -> str:
    """Apprise's four kinds: info, success, warning and failure."""
    if message.event is None or message.event is AlertEvent.ACKNOWLEDGED:
        return "info"
    if message.event is AlertEvent.RESOLVED:
        return "success"
    severity = message.alert.severity if message.alert else Severity.HIGH
    return "failure" if severity.rank >= Severity.HIGH.rank else "warning"
