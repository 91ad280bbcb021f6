"""What an HTTP answer means to MCP when it is not simply good: the layer and code of `codes.CODES`. Pure."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from lifesign.core.model import Failure
from lifesign.net.chain import PeerChain
from lifesign.net.failures import NetError
from lifesign.probes.mcp.client.wire import (
    UNSUPPORTED_VERSION,
    Fault,
    Notice,
    Reply,
    Result,
    RPCError,
)
from lifesign.probes.mcp.codes import CODES

EVIDENCE_CHARS = 1000
"""At most this many characters of an answer are kept; in UTF-8 that is under 2 kB for most scripts."""

_MAX_EVIDENCE_BYTES = 2000
_CREDENTIAL = re.compile(r"(?i)\b(bearer|basic|dpop)\s+[\w.~+/=-]{6,}")
_JWT = re.compile(r"\beyJ[\w-]{6,}\.[\w-]+\.[\w-]*")
_KEYED = re.compile(
    r'(?i)("?(?:api[-_]?key|access[-_]?token|refresh[-_]?token|client[-_]?secret|password|secret|session[-_]?id)"?\s*[:=]\s*"?)'
    r"[^\s\",;&]{4,}"
)
_CHALLENGER = re.compile(r"(?i)\b(bearer|basic|dpop)\s+(?=[\w-]+\s*=\s*\")")
"""A scheme that is followed by what it asks for, and not by a credential."""
_CHALLENGE = re.compile(r"(?i)^\s*(bearer|basic|dpop|oauth|digest)\b")
_CLOUD_GATEWAY = range(520, 531)
"""Cloudflare's own answers for a bad origin (https://developers.cloudflare.com/support/troubleshooting/http-status-codes/)."""

_TOO_MANY_SESSIONS = re.compile(rb"(?i)too many (open )?(sessions|connections)")
_ORIGIN_WORDS = re.compile(rb"(?i)\b(origin|host)\b")
_STATUSES: Mapping[int, str] = MappingProxyType(
    {
        404: "not_found",
        405: "method_not_allowed",
        406: "not_acceptable",
        413: "payload_too_large",
        415: "unsupported_media_type",
        421: "invalid_host",
        429: "rate_limited",
        502: "gateway_error",
        504: "gateway_error",
    }
)
_JSON_TYPES = ("application/json", "text/event-stream")


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer; a line without HTTP answers with status 200 and no headers.

    `body` of an event stream is the one event that was the reply; `reply` is None when none was due or found;
    `framing` is json or sse.
    """

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    reply: Reply | Notice | None = None
    framing: str = "json"

    @property
    def is_success(self) -> bool:
        """Whether the status is 2xx."""
        return 200 <= self.status < 300

    @property
    def is_html(self) -> bool:
        """Whether a page came, whatever the Content-Type says."""
        start = self.body[:200].lstrip().lower()
        named = self.content_type.startswith("text/html")
        return bool(self.body) and (named or start.startswith((b"<!doctype html", b"<html")))

    @property
    def content_type(self) -> str:
        """The Content-Type in lower case; empty when it was not named."""
        return self.headers.get("content-type", "").lower()


class AnswerError(NetError):
    """A request that was answered, and not as it should be."""

    def __init__(self, failure: Failure, answer: Answer, *, chain: PeerChain | None = None) -> None:
        super().__init__(failure, chain=chain)
        self.answer = answer


@dataclass(frozen=True, slots=True)
class Exchange:
    """Which request an answer is judged for. `step` is the layer that its failures belong to."""

    step: str
    method: str
    target: str
    has_session: bool = False
    sent_credentials: bool = False
    secrets: tuple[str, ...] = field(default=(), repr=False)

    @property
    def shown(self) -> str:
        """The request for messages."""
        return f"`{self.method}` to {self.target}"

    @property
    def is_handshake(self) -> bool:
        """Whether nothing was agreed on before this request."""
        return self.method in {"initialize", "server/discover", "GET"}

    def failure(
        self, layer: str, code: str, what: str, *, answer: Answer | None = None, remedy: str = ""
    ) -> Failure:
        """A failure of this request; `what` goes on from its name. The remedy is the code's unless a better is given."""
        entry = CODES[layer, code]
        evidence = "" if answer is None else self.evidence(answer)
        message = f"{self.shown} {what}."
        return Failure(layer, code, message, entry.reason, remedy or entry.remedy, evidence)

    def evidence(self, answer: Answer) -> str:
        """The beginning of an answer, with everything that looks like a credential taken out."""
        said = [answer.body[:4000].decode(errors="replace")]
        if challenge := answer.headers.get("www-authenticate", "")[:500]:
            asked = _CHALLENGER.sub(r"\1: ", challenge)
            said.insert(0, f"WWW-Authenticate: {asked}")
        if answer.headers:
            kind = answer.headers.get("content-type", "")
            said.insert(0, f"HTTP {answer.status} {kind}".strip())
        return self.redacted("\n".join(said))

    def redacted(self, text: str) -> str:
        """Text of the server's, cut and without what looks like a credential."""
        for secret in self.secrets:
            text = text.replace(secret, "[redacted]")
        text = _CREDENTIAL.sub(r"\1 [redacted]", text)
        text = _KEYED.sub(r"\1[redacted]", _JWT.sub("[redacted]", text))
        cut = text[:EVIDENCE_CHARS].encode()[:_MAX_EVIDENCE_BYTES]
        return cut.decode(errors="ignore").strip()


def is_plainly_good(answer: Answer) -> bool:
    """Whether there is nothing to judge: 200, a result, and no filter that says so of itself."""
    return (
        answer.status == 200
        and isinstance(answer.reply, Result)
        and "cf-mitigated" not in answer.headers
    )


def judge_answer(exchange: Exchange, answer: Answer, *, is_request: bool = True) -> Failure | None:
    """The failure that an answer's status, body or envelope shows; None when its result can be read.

    1. Walls first: 401 and 403 say the same whatever the body and the request; so does a filter's challenge page.
    2. A session that is gone, when there was one.
    3. An error status: of JSON-RPC if the body carries one, else of HTTP.
    4. A good status with a body that is no reply.
    5. A reply that is not an envelope, or an error.
    """
    if answer.status in (401, 403) or "cf-mitigated" in answer.headers:
        return _wall(exchange, answer)
    if exchange.has_session and _is_session_lost(answer):
        return _lost_session(exchange, answer)
    if not answer.is_success:
        return _refusal(exchange, answer, is_request=is_request)
    if not is_request:
        return None
    if answer.reply is None or isinstance(answer.reply, Fault | Notice):
        return _no_reply(exchange, answer)
    return judge_error(exchange, answer) if isinstance(answer.reply, RPCError) else None


def _is_session_lost(answer: Answer) -> bool:
    """404 is the protocol's own word for it; several servers say 400 and name the session instead."""
    error = answer.reply if isinstance(answer.reply, RPCError) else None
    if answer.status == 404:
        # The stateless era's 404 names the method; a session's 404 does not.
        return error is None or error.number != -32601
    words = error.message if error else answer.body[:300].decode(errors="replace")
    is_fitting = answer.status == 400 or (error is not None and error.number == -32001)
    return is_fitting and "session" in words.lower()


def _lost_session(exchange: Exchange, answer: Answer) -> Failure:
    if exchange.method == "notifications/initialized":
        what = f"was answered with HTTP {answer.status}: the session was refused right after it was opened"
        return exchange.failure("session", "session_rejected", what, answer=answer)
    what = (
        f"was answered with HTTP {answer.status}: the session of `initialize` is not known any more"
    )
    return exchange.failure("session", "session_lost", what, answer=answer)


def _wall(exchange: Exchange, answer: Answer) -> Failure:
    if "cf-mitigated" in answer.headers or (answer.status == 403 and answer.is_html):
        what = f"was stopped (HTTP {answer.status}) by a filter in front of the server"
        return exchange.failure("http", "blocked_by_waf", what, answer=answer)
    if answer.status == 403:
        return _forbidden(exchange, answer)
    challenge = answer.headers.get("www-authenticate", "")
    if exchange.sent_credentials:
        code, what = "token_rejected", "was refused (HTTP 401) with the credential that was sent"
    elif not challenge:
        code, what = "bare_401", "was refused (HTTP 401) without saying how to log in"
    elif not _CHALLENGE.match(challenge):
        code, what = "challenge_invalid", "was refused (HTTP 401) with a challenge of no known scheme"  # fmt: skip
    else:
        code, what = "required", f"asks for a credential ({challenge.split()[0]})"
    return exchange.failure("auth", code, what, answer=answer)


def _forbidden(exchange: Exchange, answer: Answer) -> Failure:
    """403: a missing scope, a host or origin that is not on a list, or plainly no."""
    challenge = answer.headers.get("www-authenticate", "")
    if "insufficient_scope" in challenge:
        what = "was forbidden (HTTP 403), because the credential lacks a scope"
        return exchange.failure("auth", "insufficient_scope", what, answer=answer)
    if not challenge and _ORIGIN_WORDS.search(answer.body[:500]):
        what = "was refused (HTTP 403), because this origin or host is not allowed"
        return exchange.failure("http", "origin_refused", what, answer=answer)
    return exchange.failure("auth", "forbidden", "was forbidden (HTTP 403)", answer=answer)


def _refusal(exchange: Exchange, answer: Answer, *, is_request: bool) -> Failure:
    if not is_request and answer.status not in _STATUSES:
        what = f"was answered with HTTP {answer.status}, although `initialize` succeeded"
        return exchange.failure("initialize", "rejected_initialized", what, answer=answer)
    if isinstance(answer.reply, RPCError) and answer.status in (400, 404, 405):
        return judge_error(exchange, answer)
    code, what = _status_words(answer)
    layer = "http" if exchange.is_handshake or ("http", code) in _HONEST else exchange.step
    if not is_request:
        return exchange.failure("initialize", "rejected_initialized", what, answer=answer)
    if layer != "http":
        return exchange.failure(layer, "error", what, answer=answer)
    remedy = ""
    if answer.status in (404, 405) and exchange.target.rstrip("/").endswith("/sse"):
        remedy = "The path looks like the old HTTP+SSE transport, and speaks neither that nor Streamable HTTP: check the address."
    return exchange.failure("http", code, what, answer=answer, remedy=remedy)


_HONEST = frozenset({("http", "rate_limited"), ("http", "overloaded"), ("http", "invalid_host")})
"""Refusals that mean the same at every step, so that a later step is not blamed for them."""


def _status_words(answer: Answer) -> tuple[str, str]:
    """Code and words of a status that is neither 2xx nor a wall."""
    status = answer.status
    what = f"was answered with HTTP {status}"
    after = answer.headers.get("retry-after", "")[:40]
    if status in (429, 503) and after:
        what += f", asking to wait {after}" + (" s" if after.isdigit() else "")
    if 300 <= status < 400:
        return "moved_redirect", f"{what}, which sends clients elsewhere"
    if status == 503:
        if b"maintenance" in answer.body[:20_000].lower():
            return "maintenance_page", what
        is_busy = bool(after) or _TOO_MANY_SESSIONS.search(answer.body[:2000])
        return ("overloaded" if is_busy else "server_error"), what
    if status in _CLOUD_GATEWAY:
        return "gateway_error", what
    return _STATUSES.get(status, "server_error" if status >= 500 else "client_error"), what


def _no_reply(exchange: Exchange, answer: Answer) -> Failure:
    if not answer.body and answer.reply is None:
        what = f"was answered with HTTP {answer.status} and nothing in it"
        return exchange.failure("http", "empty_body", what, answer=answer)
    if answer.is_html:
        what = f"was answered with a web page (HTTP {answer.status})"
        return exchange.failure("http", "html_body", what, answer=answer)
    fault = answer.reply if isinstance(answer.reply, Fault) else Fault("not_json", "is not JSON")
    kind = answer.content_type.partition(";")[0].strip()
    if fault.code == "not_json" and kind and not _is_json_type(kind):
        what = f"was answered with {kind[:60]} instead of JSON or an event stream"
        return exchange.failure("http", "invalid_content_type", what, answer=answer)
    return exchange.failure(
        "jsonrpc", fault.code, f"got an answer that {fault.what}", answer=answer
    )


def _is_json_type(kind: str) -> bool:
    return kind in _JSON_TYPES or kind.endswith("+json")


def odd_content_type(answer: Answer) -> str:
    """The Content-Type of an answer that is good and does not say what it is; empty when it does."""
    kind = answer.content_type.partition(";")[0].strip()
    is_fine = answer.framing == "sse" or _is_json_type(kind)
    return "" if is_fine else kind[:60] or "none"


def judge_error(exchange: Exchange, answer: Answer) -> Failure:
    """The failure that a JSON-RPC error stands for. Its number is told; its words are evidence."""
    reply = answer.reply
    if not isinstance(reply, RPCError):
        return _no_reply(exchange, answer)
    what = f"was answered with the JSON-RPC error {reply.number}"
    # -32001 means "unauthorised" to some servers and "request timed out" to one SDK.
    if reply.number == -32001 and "timed out" not in reply.message.lower():
        what += ", which stands for a missing credential"
        return exchange.failure("auth", "jsonrpc_32001", what, answer=answer)
    if reply.supported or reply.number == UNSUPPORTED_VERSION:
        named = ", ".join(reply.supported[:5]) or "none"
        layer = "discover" if exchange.step == "discover" else "initialize"
        what += f"; the server supports {named}"
        return exchange.failure(layer, "unsupported_version", what, answer=answer)
    if exchange.is_handshake or reply.code.endswith(("_32020", "_32021")):
        return exchange.failure("jsonrpc", reply.code, what, answer=answer)
    return exchange.failure(exchange.step, "error", what, answer=answer)
