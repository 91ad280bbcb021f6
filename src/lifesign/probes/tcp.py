"""TCP: a port that accepts, and, when asked to, what it says."""

import time
from collections.abc import Mapping

from pydantic import BaseModel, ConfigDict, Field

from lifesign.core.model import Observation
from lifesign.net import NetError
from lifesign.net.chain import PeerChain
from lifesign.net.facts import TLSFacts, tls_facts
from lifesign.net.failures import net_error, span
from lifesign.net.settings import AuthorityPEM, Host, ServerName, VerifyTLS
from lifesign.net.stream import Stream
from lifesign.net.tls import TLSOptions
from lifesign.net.url import URLError, parse_host_port
from lifesign.probes.registry import ProbeContext, probe

MAX_ANSWER = 64 * 1024
_ESCAPES = (("\\r", "\r"), ("\\n", "\n"), ("\\t", "\t"), ("\\0", "\0"))


class TCPSettings(BaseModel):
    """Connects to a port, and may send a text and expect an answer."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    host: Host
    port: int = Field(ge=1, le=65535, title="Port", description="TCP port.")
    send: str = Field(
        default="",
        max_length=10_000,
        title="Send",
        description="Text to send once connected; \\r \\n \\t \\0 are understood. It is not kept secret.",
    )
    expect: str = Field(
        default="",
        max_length=1_000,
        title="Expect",
        description="Text that the answer must contain within its first 64 kB; escapes as in Send.",
    )
    tls: bool = Field(
        default=False, title="TLS", description="Shake hands before anything is sent."
    )
    server_name: ServerName = None
    verify_tls: VerifyTLS = True
    ca_pem: AuthorityPEM = None


class AnswerFacts(BaseModel):
    """What conditions may ask of the answer besides its text (`body`)."""

    bytes: int = Field(description="How many bytes were read until the expected text was found.")


class TCPFacts(BaseModel):
    """What conditions may ask of a TCP probe, besides `body`, the text of the answer."""

    ip: str = Field(description="Address that was connected to.")
    latency_ms: float = Field(description="Milliseconds from the start to the end.")
    answer: AnswerFacts = Field(description="The answer, when one was expected.")
    tls: TLSFacts = Field(description="TLS, when it is on.")


def _target(settings: TCPSettings) -> str:
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    return f"{host}:{settings.port}"


def _guess(text: str) -> Mapping[str, object] | None:
    """`tcp://host:port` or `host:port`."""
    try:
        host, port = parse_host_port(text.strip().removeprefix("tcp://").removesuffix("/"))
    except URLError:
        return None
    return {"host": host, "port": port}


class _Answer:
    """Collects what comes until the expected text is in it."""

    def __init__(self, stream: Stream, expected: bytes) -> None:
        self._stream = stream
        self._expected = expected
        self.data = bytearray()
        self.first_byte_at = 0.0
        self.ended = False

    @property
    def is_found(self) -> bool:
        return self._expected in self.data

    def feed(self, data: bytes, /) -> None:
        self.first_byte_at = self.first_byte_at or time.perf_counter()
        self.data += data[: MAX_ANSWER - len(self.data)]
        if self.is_found or len(self.data) >= MAX_ANSWER:
            self.ended = True
            self._stream.wake()

    def eof(self, error: OSError | None, /) -> None:  # noqa: ARG002 - the stream remembers the error
        self.ended = True

    async def read(self) -> OSError | None:
        """Wait for the text, the end or the deadline; returns what ended it too early."""
        try:
            while not self.ended:
                await self._stream.wait()
        except OSError as error:
            return error
        return None


@probe(
    "tcp",
    settings=TCPSettings,
    facts=TCPFacts,
    title="TCP port",
    target=_target,
    ladder=("dns", "tcp", "tls", "first_byte"),
    guess=_guess,
    content=("body",),
)
async def probe_tcp(settings: TCPSettings, ctx: ProbeContext) -> Observation:
    """Connect; then, if settings ask for it, send and look for the expected text."""
    phases: dict[str, float] = {}
    facts: dict[str, object] = {}
    content: dict[str, object] = {}
    failure, chain = None, None
    started = time.perf_counter()
    try:
        chain = await _visit(settings, ctx, phases=phases, facts=facts, content=content)
    except NetError as error:
        failure, chain = error.failure, error.chain
    facts["latency_ms"] = round((time.perf_counter() - started) * 1000, 3)
    facts |= tls_facts(chain, ctx.net.trust.chains, now=ctx.clock.now())
    return Observation(facts, phases, failure, (), content)


async def _visit(
    settings: TCPSettings,
    ctx: ProbeContext,
    *,
    phases: dict[str, float],
    facts: dict[str, object],
    content: dict[str, object],
) -> PeerChain | None:
    options = TLSOptions(settings.server_name, verify=settings.verify_tls, ca_pem=settings.ca_pem)
    stream = await ctx.net.dial(
        settings.host,
        settings.port,
        tls=options if settings.tls else None,
        deadline=ctx.deadline,
        phases=phases,
    )
    try:
        facts["ip"] = stream.address
        if settings.send:
            stream.write(_bytes(settings.send))
        if settings.expect:
            answer = await _converse(settings, stream, phases=phases)
            facts["answer.bytes"] = len(answer)
            content["body"] = answer.decode("utf-8", "replace")
        return ctx.net.peer_chain(stream)
    finally:
        stream.close()


async def _converse(settings: TCPSettings, stream: Stream, *, phases: dict[str, float]) -> bytes:
    began = time.perf_counter()
    answer = _Answer(stream, _bytes(settings.expect))
    stream.attach(answer)
    error = await answer.read()
    took = span(time.perf_counter() - began)
    if answer.first_byte_at:
        phases["first_byte"] = (answer.first_byte_at - began) * 1000
    if answer.is_found:
        return bytes(answer.data)
    target = _target(settings)
    if isinstance(error, TimeoutError) and not answer.data:
        raise net_error(
            "tcp", "answer_timeout", f"{target} accepted but sent nothing within {took}."
        )
    if isinstance(error, ConnectionError):
        raise net_error("tcp", "reset", f"{target} reset the connection after {took}.")
    seen = f"{len(answer.data)} bytes within {took} that do not contain the expected text"
    raise net_error("tcp", "unexpected_answer", f"{target} sent {seen}.")


def _bytes(text: str) -> bytes:
    for written, meant in _ESCAPES:
        text = text.replace(written, meant)
    return text.encode()
