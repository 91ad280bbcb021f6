"""What an HTTP answer means to MCP when it is not simply good: layer, code, reason and remedy. Pure."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from lifesign.core.model import Failure, Reason
from lifesign.probes.mcp.client.wire import Fault, Reply, RPCError

EVIDENCE_CHARS = 1000
"""At most this many characters of an answer are kept; in UTF-8 that is under 2 kB for most scripts."""

_MAX_EVIDENCE_BYTES = 2000
_BEARER = re.compile(r"(?i)\b(bearer|basic)\s+[\w.~+/=-]{6,}")
_JWT = re.compile(r"\beyJ[\w-]{6,}\.[\w-]+\.[\w-]*")
_CHALLENGE = re.compile(r"(?i)^\s*(bearer|basic|dpop|oauth|digest)\b")

_WIRE_NAMES: Mapping[str, str] = MappingProxyType(
    {
        "initialize": "initialize",
        "initialized": "notifications/initialized",
        "tools_list": "tools/list",
    }
)

_OTHER_PATH = "Check that this path is the MCP endpoint and speaks Streamable HTTP."
_STATUSES: Mapping[int, tuple[str, str]] = MappingProxyType(
    {
        404: ("not_found", "Check the path; many servers listen on /mcp."),
        405: ("method_not_allowed", _OTHER_PATH),
        406: ("client_error", _OTHER_PATH),
        421: ("client_error", "Add the host name to the server's list of allowed hosts."),
        429: ("rate_limited", "Probe less often, or exempt this probe."),
    }
)
_GROUP_REMEDIES: Mapping[str, str] = MappingProxyType(
    {
        "server_error": "Look at the server's log, and at the proxy in front of it.",
        "client_error": "Compare the request with what the server's log says about it.",
    }
)


@dataclass(frozen=True, slots=True)
class Answer:
    """One HTTP answer. `body` is empty for an event stream, `reply` is None when no JSON-RPC was due or found."""

    status: int
    headers: Mapping[str, str]
    body: bytes = b""
    reply: Reply | None = None
    transport: str = "json"

    @property
    def is_success(self) -> bool:
        """Whether the status is 2xx."""
        return 200 <= self.status < 300

    @property
    def is_html(self) -> bool:
        """Whether a page came, whatever the Content-Type says."""
        start = self.body[:200].lstrip().lower()
        named = self.headers.get("content-type", "").lower().startswith("text/html")
        return bool(self.body) and (named or start.startswith((b"<!doctype html", b"<html")))


@dataclass(frozen=True, slots=True)
class Exchange:
    """Which request an answer is judged for. `step` is a rung: initialize, initialized or tools_list."""

    step: str
    target: str
    has_session: bool = False
    sent_credentials: bool = False
    secrets: tuple[str, ...] = field(default=(), repr=False)

    @property
    def shown(self) -> str:
        """The request for messages."""
        return f"`{_WIRE_NAMES[self.step]}` to {self.target}"

    def failure(
        self,
        layer: str,
        code: str,
        what: str,
        remedy: str,
        *,
        reason: Reason = Reason.PROTOCOL_ERROR,
        answer: Answer | None = None,
    ) -> Failure:
        """A failure of this request; `what` goes on from its name."""
        evidence = "" if answer is None else self.evidence(answer)
        return Failure(layer, code, f"{self.shown} {what}.", reason, remedy, evidence)

    def evidence(self, answer: Answer) -> str:
        """The beginning of an answer, with everything that looks like a credential taken out."""
        head = f"HTTP {answer.status} {answer.headers.get('content-type', '')}".strip()
        return self._redacted(head + "\n" + answer.body[:4000].decode(errors="replace"))

    def _redacted(self, text: str) -> str:
        for secret in self.secrets:
            text = text.replace(secret, "[redacted]")
        text = _JWT.sub("[redacted]", _BEARER.sub(r"\1 [redacted]", text))
        cut = text[:EVIDENCE_CHARS].encode()[:_MAX_EVIDENCE_BYTES]
        return cut.decode(errors="ignore").strip()


def judge_answer(exchange: Exchange, answer: Answer) -> Failure | None:
    """The failure that an answer's status, body or envelope shows; None when its result can be read.

    1. Walls first: 401 and 403 say the same whatever the body and the request.
    2. A session that is gone, when there was one.
    3. An error status: of JSON-RPC if the body carries one, else of HTTP.
    4. A good status with a body that is no reply.
    5. A reply that is not an envelope, or an error.
    """
    if answer.status in (401, 403):
        return _wall(exchange, answer)
    if exchange.has_session and _is_session_lost(answer):
        return exchange.failure(
            "session", "session_lost",
            f"was answered with HTTP {answer.status}: the session of `initialize` is not known any more",
            "Let one client's requests reach one replica (sticky sessions), share sessions, or be stateless.",
            answer=answer,
        )  # fmt: skip
    if not answer.is_success:
        return _refusal(exchange, answer)
    if exchange.step == "initialized":
        return None
    if answer.reply is None or isinstance(answer.reply, Fault):
        return _no_reply(exchange, answer)
    return judge_error(exchange, answer) if isinstance(answer.reply, RPCError) else None


def _is_session_lost(answer: Answer) -> bool:
    """404 is the protocol's own word for it; several servers say 400 and name the session instead."""
    if answer.status == 404:
        return True
    reply = answer.reply
    words = (
        reply.message if isinstance(reply, RPCError) else answer.body[:300].decode(errors="replace")
    )
    return "session" in words.lower() and (
        answer.status == 400 or (isinstance(reply, RPCError) and reply.number == -32001)
    )


def _wall(exchange: Exchange, answer: Answer) -> Failure:
    challenge = answer.headers.get("www-authenticate", "")
    if answer.status == 403:
        is_filter = answer.is_html or "cf-mitigated" in answer.headers
        what = "was forbidden (HTTP 403)" + (
            " by a filter in front of the server" if is_filter else ""
        )
        code, remedy = "forbidden", (
            "Let the filter pass this probe by its address or User-Agent."
            if is_filter else "Give the credential the scope it needs, or allow this origin and host."
        )  # fmt: skip
    elif not _CHALLENGE.match(challenge):
        code, what = "bare_401", "was refused (HTTP 401) without saying how to log in"
        remedy = (
            "Let the server send WWW-Authenticate with its resource metadata, or give a credential."
        )
    elif exchange.sent_credentials:
        code, what = "auth_required", "was refused (HTTP 401) with the credential that was sent"
        remedy = "Check whether the credential expired or was revoked, and that it is meant for this server."
    else:
        code, what = "auth_required", f"asks for a credential ({challenge.split()[0]})"
        remedy = (
            "Give this monitor a bearer token or header; the server itself answers as it should."
        )
    return exchange.failure(
        "auth", code, what, remedy, reason=Reason.AUTH_WALLED, answer=answer
    )  # fmt: skip


def _refusal(exchange: Exchange, answer: Answer) -> Failure:
    if exchange.step == "initialized":
        return exchange.failure(
            "initialize", "rejected_initialized",
            f"was answered with HTTP {answer.status}, although `initialize` succeeded",
            "Let the server accept this notification with 202; clients give up here.",
            answer=answer,
        )  # fmt: skip
    if isinstance(answer.reply, RPCError) and answer.status in (400, 404, 405):
        return judge_error(exchange, answer)
    code, what, remedy = _status_words(answer)
    if answer.status in (404, 405) and exchange.target.rstrip("/").endswith("/sse"):
        remedy = "The path looks like the old HTTP+SSE transport: give the Streamable HTTP address, often /mcp."
    if exchange.step == "tools_list":
        return exchange.failure("tools_list", "error", what, remedy, answer=answer)
    return exchange.failure("http", code, what, remedy, answer=answer)


def _status_words(answer: Answer) -> tuple[str, str, str]:
    """Code, words and remedy of a status that is neither 2xx nor a wall."""
    status = answer.status
    what = f"was answered with HTTP {status}"
    if 300 <= status < 400:
        return "moved_redirect", f"{what}, which sends clients elsewhere", "Watch the new address."
    if status == 429 and (after := answer.headers.get("retry-after", "")[:40]):
        what += f", asking to wait {after}"
    if status == 503 and b"maintenance" in answer.body[:20_000].lower():
        return "maintenance_page", what, "Wait, or announce the maintenance to this monitor."
    group = "server_error" if status >= 500 else "client_error"
    code, remedy = _STATUSES.get(status) or (group, _GROUP_REMEDIES[group])
    return code, what, remedy


def _no_reply(exchange: Exchange, answer: Answer) -> Failure:
    if not answer.body and answer.reply is None:
        return exchange.failure(
            "http", "empty_body", f"was answered with HTTP {answer.status} and nothing in it",
            "Let the server answer requests with JSON or an event stream; an empty 202 is for notifications.",
            answer=answer,
        )  # fmt: skip
    if answer.is_html:
        return exchange.failure(
            "http", "html_body", f"was answered with a web page (HTTP {answer.status})",
            "Check the path: a catch-all page, a login or a proxy answers instead of the MCP server.",
            answer=answer,
        )  # fmt: skip
    fault = answer.reply if isinstance(answer.reply, Fault) else Fault("not_json", "is not JSON")
    return exchange.failure(
        "jsonrpc", fault.code, f"got an answer that {fault.what}",
        "Check what answers at this path and what its proxy does to bodies.",
        answer=answer,
    )  # fmt: skip


def judge_error(exchange: Exchange, answer: Answer) -> Failure:
    """The failure that a JSON-RPC error stands for. Its number is told; its words are evidence."""
    reply = answer.reply
    if not isinstance(reply, RPCError):
        return _no_reply(exchange, answer)
    what = f"was answered with the JSON-RPC error {reply.number}"
    # -32001 means "unauthorised" to some servers and "request timed out" to one SDK.
    if reply.number == -32001 and "timed out" not in reply.message.lower():
        return exchange.failure(
            "auth", "jsonrpc_32001", f"{what}, which stands for a missing credential",
            "Give this monitor a credential, or answer with HTTP 401 and a challenge.",
            reason=Reason.AUTH_WALLED, answer=answer,
        )  # fmt: skip
    if exchange.step == "tools_list":
        return exchange.failure(
            "tools_list", "error", f"{what}, although the server declares tools",
            "The handshake is good, so the process is up: look at what its tools are made from.",
            answer=answer,
        )  # fmt: skip
    if reply.supported or reply.number == -32022:
        named = ", ".join(reply.supported[:5]) or "none"
        return exchange.failure(
            "initialize", "unsupported_version", f"{what}; the server supports {named}",
            "Set the protocol version of this monitor to one that the server supports.", answer=answer,
        )  # fmt: skip
    return exchange.failure(
        "jsonrpc", reply.code, what,
        "Check that this is an MCP server and look at its log; it could not serve a correct request.",
        answer=answer,
    )  # fmt: skip
