"""How a server deals with clients that show no credential, and where it stands with ours.

A server that refuses strangers properly is healthy: 401, a challenge that can be read, metadata that leads to a
sign-in. The credentialed probe has eight steps: (1) the network and (2) TLS; (3) a stranger is refused properly and
(4) finds out how to sign in; with the credential (5) the handshake, (6) the tools, (7) the canary calls and (8) the
published surface are as they should be. Steps 3 and 4 are taken once an hour, and at every probe while they fail.
"""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

from lifesign.core.model import Failure, Finding, Level
from lifesign.net.failures import NetError
from lifesign.net.http import URL
from lifesign.net.tls import TLSOptions
from lifesign.probes.mcp.checks.challenge import Challenge, parse_challenges
from lifesign.probes.mcp.checks.discovery import discover
from lifesign.probes.mcp.client.answers import Answer, Exchange, judge_answer
from lifesign.probes.mcp.client.aside import Aside
from lifesign.probes.mcp.client.credentials import HANG_UPS
from lifesign.probes.mcp.client.oauth import NAMED_METADATA
from lifesign.probes.mcp.client.wire import Result, RPCError
from lifesign.probes.mcp.sheet import Sheet, failed, found
from lifesign.probes.registry import ProbeContext

GOOD_FOR_S = 3600.0
WARNED_FOR_S = 300.0
"""How long a look at the refusal and the metadata is believed: sound, or with something that strict clients mind."""

CERTAIN_AFTER = 5
"""So many looks in a row that are not sound are taken at once, that an alert is confirmed by real ones."""

SHARE = 0.8
"""The part of the time that is left which the metadata may take: nothing else is asked after a refusal."""

_MEMORY = "mcp.auth.look"
_MAX_SCOPES = 50
_OAUTH_SCHEMES = ("bearer", "dpop")
_CLOSED = frozenset({"required", "bare_401", "challenge_invalid", "jsonrpc_32001"})


class Refusal(StrEnum):
    """How a stranger is dealt with."""

    PROPER = "proper"
    IMPROPER = "improper"
    ADMITTED = "admitted"
    UNSEEN = "unseen"
    """Nothing can be said: the network, an outage or a filter stood in the way."""


class Standing(StrEnum):
    """Where a server stands in matters of sign-in: the fact `auth.state`."""

    OPEN = "open"
    REQUIRED = "required"
    HEALTHY = "healthy"
    WALLED = "walled"
    BROKEN = "broken"


@dataclass(frozen=True, slots=True)
class _Look:
    """One look at a refusal. It holds for the same refusal, for a while."""

    at_s: float
    refused_with: str
    refusal: Refusal
    facts: Mapping[str, object] = field(default_factory=dict)
    findings: tuple[Finding, ...] = ()
    failure: Failure | None = None
    unsound_looks: int = 0

    @property
    def is_sound(self) -> bool:
        """Whether there is nothing that needs to be mended."""
        return self.failure is None and all(each.level is Level.INFO for each in self.findings)

    def holds(self, now_s: float) -> bool:
        """Whether there is no need to look again yet."""
        if self.failure is not None or self.refusal is Refusal.UNSEEN:
            return False
        if self.is_sound:
            return now_s - self.at_s < GOOD_FOR_S
        return self.unsound_looks >= CERTAIN_AFTER and now_s - self.at_s < WARNED_FOR_S

    def after(self, before: object) -> "_Look":
        """The same, with the looks before it that were not sound either counted."""
        count = before.unsound_looks if isinstance(before, _Look) else 0
        return replace(self, unsound_looks=0 if self.is_sound else count + 1)

    def tell(self, sheet: Sheet) -> None:
        """Write facts and findings onto the sheet."""
        sheet.facts.update(self.facts)
        sheet.findings += [each for each in self.findings if each not in sheet.findings]


def standing(
    *, has_credential: bool, refusal: Refusal, failure: Failure | None, has_drifted: bool = False
) -> Standing:
    """The state by the rules of the eight steps; `failure` is what ended the probe, or the refusal's own defect.

    1. What breaks below HTTP, and a credential that is our own trouble, is *broken*.
    2. Without a credential: refused properly is *required*; improperly, *broken*; open behind a wall, *walled*.
    3. With one: a stranger who is refused improperly, drift, or a token that wants renewal is *broken*; what fails
       otherwise behind a good refusal is *walled*; a server that needed no credential is *open*.
    """
    if failure is not None and failure.layer in {"dns", "tcp", "tls", "egress", "credential", "internal"}:  # fmt: skip
        return Standing.BROKEN
    if not has_credential:
        return _standing_of_stranger(refusal, failure)
    if refusal is Refusal.IMPROPER or has_drifted:
        return Standing.BROKEN
    if failure is not None:
        needs_renewal = (failure.layer, failure.code) == ("auth", "token_rejected")
        is_elsewhere = refusal is Refusal.UNSEEN and failure.layer != "auth"
        return Standing.BROKEN if needs_renewal or is_elsewhere else Standing.WALLED
    return Standing.OPEN if refusal is Refusal.ADMITTED else Standing.HEALTHY


def _standing_of_stranger(refusal: Refusal, failure: Failure | None) -> Standing:
    if failure is not None and (failure.layer, failure.code) == ("auth", "tools_walled"):
        return Standing.WALLED
    if refusal is Refusal.PROPER and failure is None:
        return Standing.REQUIRED
    if refusal is Refusal.IMPROPER or failure is not None:
        return Standing.BROKEN
    return Standing.OPEN


async def examine_refusal(
    answer: Answer, *, url: URL, sheet: Sheet, ctx: ProbeContext, tls: TLSOptions
) -> Failure | None:
    """Judge the 401 or 403 that a client without a credential got; None when it is a proper refusal.

    Facts, findings and `auth.state` go onto the sheet.
    """
    look = await _kept_or_new(answer, url=url, ctx=ctx, tls=tls)
    look.tell(sheet)
    state = standing(has_credential=False, refusal=look.refusal, failure=look.failure)
    sheet.facts["auth.state"] = state.value
    if look.failure is None and not look.findings:
        message = f"{url.shown} asks clients to sign in, and tells them how."
        sheet.find(Level.INFO, "auth", "required", message)
    return look.failure


async def examine_with_credential(
    knock: Callable[[], Awaitable[Answer]],
    *,
    url: URL,
    sheet: Sheet,
    ctx: ProbeContext,
    tls: TLSOptions,
) -> Refusal:
    """Steps 3 and 4 of the credentialed probe, when they are due; their last word else.

    `knock` asks as a stranger on a connection of its own; `tls` has our certificate. Whatever is wrong is a finding: who has the credential is
    served. Network trouble says nothing here, for the credentialed part of the probe tells it.
    """
    kept = ctx.memory.get(_MEMORY)
    if isinstance(kept, _Look) and kept.holds(ctx.clock.monotonic()):
        kept.tell(sheet)
        return kept.refusal
    try:
        answer = await knock()
    except NetError as error:
        look = _look_at_hang_up(error, ctx, has_certificate=tls.client_cert_pem is not None)
    else:
        look = await _look_as_stranger(answer, url=url, ctx=ctx, tls=tls)
    if look.refusal is not Refusal.UNSEEN:
        ctx.memory[_MEMORY] = look.after(kept)
    look.tell(sheet)
    return look.refusal


def name_wall(failure: Failure, *, is_greeted: bool, has_credential: bool) -> Failure:
    """A refusal of everything behind an open handshake has a name of its own."""
    if has_credential or not is_greeted or failure.layer != "auth" or failure.code not in _CLOSED:
        return failure
    message = f"The handshake is open to anybody, and behind it: {failure.message}"
    return failed("auth", "tools_walled", message, evidence=failure.evidence)


async def _kept_or_new(answer: Answer, *, url: URL, ctx: ProbeContext, tls: TLSOptions) -> _Look:
    kept = ctx.memory.get(_MEMORY)
    is_same = isinstance(kept, _Look) and kept.refused_with == _refused_with(answer, url)
    if isinstance(kept, _Look) and is_same and kept.holds(ctx.clock.monotonic()):
        return kept
    look = await _look(answer, url=url, ctx=ctx, tls=tls)
    ctx.memory[_MEMORY] = look.after(kept)
    return look


async def _look(answer: Answer, *, url: URL, ctx: ProbeContext, tls: TLSOptions) -> _Look:
    """What a client that got this 401 or 403 can do next."""
    at_s, refused_with = ctx.clock.monotonic(), _refused_with(answer, url)
    if answer.status != 401:
        failure = judge_answer(_exchange(url), answer)
        return _Look(at_s, refused_with, Refusal.IMPROPER, failure=failure)
    challenges = parse_challenges(answer.headers.get("www-authenticate", ""))
    oauth = next((each for each in challenges if each.scheme in _OAUTH_SCHEMES), None)
    named = oauth.params.get("resource_metadata", "") if oauth else ""
    ctx.memory[NAMED_METADATA] = named
    now = asyncio.get_running_loop().time()
    seen = await discover(
        Aside(ctx.net, url, tls), named=named, deadline=now + (ctx.deadline - now) * SHARE
    )
    facts = {**seen.facts, **_facts_of(challenges, oauth)}
    wall = None if oauth else _wall(answer, challenges, url)
    if wall is None:
        refusal = Refusal.IMPROPER if seen.failure else Refusal.PROPER
        return _Look(at_s, refused_with, refusal, facts, tuple(seen.findings), seen.failure)
    if seen.has_metadata and seen.failure is None:
        # Clients that look at the well-known addresses by themselves get in; older ones do not.
        warning = Finding.of(wall, Level.WARN)
        findings = (warning, *seen.findings)
        return _Look(at_s, refused_with, Refusal.PROPER, facts, findings)
    return _Look(at_s, refused_with, Refusal.IMPROPER, facts, failure=wall)


async def _look_as_stranger(
    answer: Answer, *, url: URL, ctx: ProbeContext, tls: TLSOptions
) -> _Look:
    at_s, refused_with = ctx.clock.monotonic(), _refused_with(answer, url)
    if answer.status == 401:
        look = await _look(answer, url=url, ctx=ctx, tls=tls)
        if (defect := look.failure) is None:
            return look
        warning = Finding.of(defect, Level.WARN)
        return _Look(at_s, refused_with, look.refusal, look.facts, (warning, *look.findings))
    refusal, code, what = _judge_stranger(answer)
    findings: tuple[Finding, ...] = ()
    if code:
        message = f"Asked without the credential of this monitor, {url.shown} {what}."
        findings = (found(Level.WARN, "auth", code, message),)
    return _Look(at_s, refused_with, refusal, findings=findings)


def _look_at_hang_up(error: NetError, ctx: ProbeContext, *, has_certificate: bool) -> _Look:
    """A server that asks for certificates refuses strangers below HTTP, and that is as it should be."""
    is_refused = has_certificate and (error.failure.layer, error.failure.code) in HANG_UPS
    refusal = Refusal.PROPER if is_refused else Refusal.UNSEEN
    return _Look(ctx.clock.monotonic(), "certificate", refusal)


def _judge_stranger(answer: Answer) -> tuple[Refusal, str, str]:
    """How a stranger was dealt with other than by 401; code and words are empty when nothing can be said."""
    reply = answer.reply
    is_filter = "cf-mitigated" in answer.headers or (answer.status == 403 and answer.is_html)
    if answer.status == 429 or answer.status >= 500 or is_filter:
        return Refusal.UNSEEN, "", ""
    if answer.is_success and isinstance(reply, Result):
        return Refusal.ADMITTED, "open_to_all", "answers all the same"
    if answer.is_success and isinstance(reply, RPCError):
        code = "jsonrpc_32001" if reply.number == -32001 else "refused_oddly"
        what = f"refuses with the JSON-RPC error {reply.number} instead of HTTP 401 and a challenge"
        return Refusal.IMPROPER, code, what
    what = f"refuses with HTTP {answer.status} instead of 401 and a challenge"
    return Refusal.IMPROPER, "refused_oddly", what


def _wall(answer: Answer, challenges: tuple[Challenge, ...], url: URL) -> Failure:
    """The defect of a 401 that no client can act on."""
    exchange, header = _exchange(url), answer.headers.get("www-authenticate", "").strip()
    if not header:
        what = "was refused (HTTP 401) without saying how to log in"
        return exchange.failure("auth", "bare_401", what, answer=answer)
    if not challenges:
        what = "was refused (HTTP 401) with a challenge that cannot be read"
    else:
        schemes = ", ".join(each.shown_scheme[:30] for each in challenges[:5])
        what = f"was refused (HTTP 401) with the scheme {schemes}, which no MCP client answers by itself"
    return exchange.failure("auth", "challenge_invalid", what, answer=answer)


def _facts_of(challenges: tuple[Challenge, ...], oauth: Challenge | None) -> dict[str, object]:
    """The scopes of the challenge count more than those of the metadata: they are what is asked for now."""
    first = oauth or (challenges[0] if challenges else None)
    facts: dict[str, object] = {}
    if first is not None:
        facts["auth.scheme"] = first.shown_scheme[:30]
    scopes = oauth.params.get("scope", "").split() if oauth else []
    if scopes:
        facts["auth.scopes"] = [scope[:100] for scope in scopes[:_MAX_SCOPES]]
    return facts


def _exchange(url: URL) -> Exchange:
    return Exchange("initialize", "initialize", url.shown)


def _refused_with(answer: Answer, url: URL) -> str:
    """What tells two refusals apart, short whatever a server sends."""
    said = f"{answer.status} {url} {answer.headers.get('www-authenticate', '')}"
    return hashlib.blake2b(said.encode(errors="replace"), digest_size=16).hexdigest()
