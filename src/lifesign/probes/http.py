"""HTTP: one request and its redirects, every hop fenced and timed."""

import base64
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator, model_validator

from lifesign.core.model import Failure, Observation
from lifesign.net import NetError
from lifesign.net.chain import PeerChain
from lifesign.net.facts import TLSFacts, tls_facts
from lifesign.net.failures import net_error
from lifesign.net.http import (
    MAX_BODY,
    URL,
    HTTPConnection,
    Request,
    Response,
    URLError,
    parse_url,
)
from lifesign.net.settings import (
    AuthorityPEM,
    BearerToken,
    CertWarnDays,
    SecretHeaders,
    VerifyTLS,
)
from lifesign.net.tls import TLSOptions
from lifesign.probes.registry import ProbeContext, probe

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_STATUS_SET = re.compile(
    r"^\s*[1-5]\d\d(\s*-\s*[1-5]\d\d)?(\s*,\s*[1-5]\d\d(\s*-\s*[1-5]\d\d)?)*\s*$"
)
_OPEN_HEADERS = frozenset({"accept", "accept-language", "accept-encoding", "user-agent"})
"""Headers that may follow a redirect to another origin; all others may hold a credential."""
_CHARSET = re.compile(r"charset=\"?([\w.:-]+)", re.IGNORECASE)


class HTTPSettings(BaseModel):
    """Requests a web address and looks at what it answers."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    url: str = Field(title="URL", description="The http or https address to request.")
    method: Literal["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"] = Field(
        default="GET", title="Method", description="The request's method."
    )
    headers: SecretHeaders = Field(default_factory=dict)
    body: str = Field(
        default="",
        max_length=100_000,
        title="Body",
        description="The request's body, sent as UTF-8.",
    )
    username: str | None = Field(
        default=None, title="User name", description="User name for basic authentication."
    )
    password: SecretStr | None = Field(
        default=None, title="Password", description="Password for basic authentication."
    )
    bearer_token: BearerToken = None
    expected_status: str = Field(
        default="200-299",
        title="Expected status",
        description="Status codes that are well, for example 200-299,301.",
    )
    max_redirects: int = Field(
        default=5,
        ge=0,
        le=10,
        title="Redirects",
        description="How many redirects to follow; with 0 the redirect itself is the answer.",
    )
    http2: bool = Field(
        default=False, title="HTTP/2", description="Offer HTTP/2 (without TLS: speak nothing else)."
    )
    verify_tls: VerifyTLS = True
    ca_pem: AuthorityPEM = None
    cert_warn_days: CertWarnDays = 14

    @field_validator("url")
    @classmethod
    def _check_url(cls, value: str) -> str:
        parse_url(value)
        return value.strip()

    @field_validator("expected_status")
    @classmethod
    def _check_status(cls, value: str) -> str:
        if not _STATUS_SET.match(value):
            raise ValueError("write status codes and ranges, for example 200-299,301")
        return re.sub(r"\s+", "", value)

    @model_validator(mode="after")
    def _one_credential(self) -> "HTTPSettings":
        if self.bearer_token and self.username:
            raise ValueError("give either a user name and password or a bearer token")
        return self


class ProtocolFacts(BaseModel):
    """What conditions may ask of the protocol."""

    version: float = Field(description="HTTP version of the last response: 1.0, 1.1 or 2.")


class BodyFacts(BaseModel):
    """What conditions may ask of the body besides its text."""

    bytes: int = Field(description="Size of the body after decoding, at most 1 MiB.")
    truncated: bool = Field(description="Whether the body was longer than 1 MiB and was cut.")


class URLFacts(BaseModel):
    """What conditions may ask of the address."""

    final: str = Field(description="The address that gave the last response, without its query.")


class HTTPFacts(BaseModel):
    """What conditions may ask of an HTTP probe, besides `body`, `header("…")` and `json("…")`."""

    status: int = Field(description="Status code of the last response.")
    latency_ms: float = Field(
        description="Milliseconds from the start to the end, redirects included."
    )
    redirects: int = Field(description="How many redirects were followed.")
    ip: str = Field(description="Address that gave the last response.")
    http: ProtocolFacts = Field(description="The protocol.")
    body: BodyFacts = Field(description="The body.")
    url: URLFacts = Field(description="The address.")
    tls: TLSFacts = Field(description="TLS of the last https hop.")


def _target(settings: HTTPSettings) -> str:
    return parse_url(settings.url).shown


def _implied(settings: HTTPSettings) -> tuple[str, ...]:
    expected = (f"status in {settings.expected_status}",)
    if settings.cert_warn_days and parse_url(settings.url).is_tls:
        return (*expected, f"warn: tls.days_left > {settings.cert_warn_days}")
    return expected


def _guess(text: str) -> Mapping[str, object] | None:
    """A URL; or a bare host name (with a dot, or `localhost`), with or without a path, which is meant as https."""
    text = text.strip()
    if "://" not in text:
        host, slash, rest = text.partition("/")
        if not ("." in host or host.lower() == "localhost") or not re.fullmatch(
            r"[^\s:@?#]+", host
        ):
            return None
        text = f"https://{host}{slash}{rest}"
    try:
        parse_url(text)
    except URLError:
        return None
    return {"url": text}


@probe(
    "http",
    settings=HTTPSettings,
    facts=HTTPFacts,
    title="Web address",
    target=_target,
    ladder=("dns", "tcp", "tls", "send", "first_byte", "transfer"),
    implied=_implied,
    guess=_guess,
    content=("body", "headers"),
)
async def probe_http(settings: HTTPSettings, ctx: ProbeContext) -> Observation:
    """Request, follow redirects, report what was seen."""
    prepared = ctx.memory.get("prepared")
    if not isinstance(prepared, _Prepared) or prepared.settings is not settings:
        prepared = ctx.memory["prepared"] = _prepare(settings)
    visit = _Visit(prepared, ctx)
    try:
        await visit.follow()
    except NetError as error:
        visit.fail(error)
    finally:
        visit.close()
    return visit.observation()


@dataclass(frozen=True, slots=True)
class _Prepared:
    """What is the same for every run of these settings."""

    settings: HTTPSettings
    request: Request
    tls: TLSOptions


def _prepare(settings: HTTPSettings) -> _Prepared:
    headers = [(name, value.get_secret_value()) for name, value in settings.headers.items()]
    if settings.bearer_token:
        token = settings.bearer_token.get_secret_value()
        headers.append(("Authorization", f"Bearer {token}"))
    elif settings.username:
        password = settings.password.get_secret_value() if settings.password else ""
        pair = base64.b64encode(f"{settings.username}:{password}".encode()).decode()
        headers.append(("Authorization", f"Basic {pair}"))
    if not any(name.lower() == "accept" for name, _ in headers):
        headers.append(("Accept", "*/*"))
    request = Request(
        settings.method, parse_url(settings.url), tuple(headers), settings.body.encode()
    )
    return _Prepared(
        settings, request, TLSOptions(verify=settings.verify_tls, ca_pem=settings.ca_pem)
    )


@dataclass(slots=True)
class _Visit:
    """One run: the request as it is now, the connection it has, and what was seen so far."""

    prepared: _Prepared
    ctx: ProbeContext
    phases: dict[str, float] = field(default_factory=dict)
    started: float = field(default_factory=time.perf_counter)
    request: Request = field(init=False)
    connection: HTTPConnection | None = None
    chain: PeerChain | None = None
    ip: str = ""
    redirects: int = 0
    response: Response | None = None
    failure: Failure | None = None

    def __post_init__(self) -> None:
        self.request = self.prepared.request

    async def follow(self) -> None:
        """Exchange until the answer is no redirect that is to be followed. Raises `NetError`."""
        limit = self.prepared.settings.max_redirects
        while True:
            response = self.response = await self._exchange()
            location = response.header("location") if response.status in _REDIRECTS else None
            if location is None or limit == 0:
                return
            if self.redirects >= limit:
                raise net_error(
                    "http",
                    "too_many_redirects",
                    f"{self.prepared.request.shown} was still redirected after {limit} redirects.",
                )
            self.redirects += 1
            self._redirect(response.status, location)

    async def _exchange(self) -> Response:
        phases, deadline = self.phases, self.ctx.deadline
        connection = self.connection
        if connection is None:
            connection = self.connection = await HTTPConnection.connect(
                self.ctx.net,
                self.request.url,
                deadline=deadline,
                phases=phases,
                tls=self.prepared.tls,
                http2=self.prepared.settings.http2,
            )
            self.ip = connection.address
            self.chain = connection.chain or self.chain
        return await connection.exchange(
            self.request, deadline=deadline, phases=phases, max_body=MAX_BODY
        )

    def _redirect(self, status: int, location: str) -> None:
        before = self.request
        try:
            url = before.url.join(location)
        except ValueError as error:
            raise net_error(
                "http",
                "bad_redirect",
                f"{before.shown} redirects to an address that cannot be used: {error}",
            ) from None
        self.request = redirected(before, status, url)
        reusable = self.connection is not None and self.connection.is_reusable
        if before.url.origin != url.origin or not reusable:
            self.close()

    def close(self) -> None:
        """Let the connection go."""
        if self.connection is not None:
            self.connection.close()
            self.connection = None

    def fail(self, error: NetError) -> None:
        """Keep what went wrong, and the certificates when they are the reason."""
        self.failure = error.failure
        self.chain = error.chain or self.chain

    def observation(self) -> Observation:
        """All that was seen."""
        facts: dict[str, object] = {
            "latency_ms": round((time.perf_counter() - self.started) * 1000, 3),
            "redirects": self.redirects,
            "url.final": self.request.url.shown,
        }
        if self.ip:
            facts["ip"] = self.ip
        content: dict[str, object] = {}
        if self.response is not None and self.failure is None:
            facts |= _response_facts(self.response)
            content = {"body": _text(self.response), "headers": _header_map(self.response)}
        if self.chain is not None:
            facts |= tls_facts(self.chain, self.ctx.net.trust.chains, now=self.ctx.clock.now())
        return Observation(facts, self.phases, self.failure, (), content)


def redirected(request: Request, status: int, url: URL) -> Request:
    """The request that follows a redirect (RFC 9110 §15.4); credentials stay with their origin."""
    headers, body, method = request.headers, request.body, request.method
    becomes_get = status == 303 or (status in {301, 302} and method == "POST")
    if becomes_get and method not in {"GET", "HEAD"}:
        method, body = "GET", b""
        headers = tuple(pair for pair in headers if not pair[0].lower().startswith("content-"))
    if request.url.origin != url.origin:
        headers = tuple(pair for pair in headers if pair[0].lower() in _OPEN_HEADERS)
    return Request(method, url, headers, body)


def _response_facts(response: Response) -> dict[str, object]:
    return {
        "status": response.status,
        "http.version": float(response.http_version),
        "body.bytes": len(response.body),
        "body.truncated": response.truncated,
    }


def _header_map(response: Response) -> dict[str, str]:
    headers: dict[str, str] = {}
    for name, value in response.headers:
        key = name.lower()
        headers[key] = f"{headers[key]}, {value}" if key in headers else value
    return headers


def _text(response: Response) -> str:
    match = _CHARSET.search(response.header("content-type") or "")
    try:
        return response.body.decode(match[1] if match else "utf-8", "replace")
    except LookupError:
        return response.body.decode("utf-8", "replace")
