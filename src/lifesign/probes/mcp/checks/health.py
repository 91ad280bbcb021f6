"""Health URLs beside an MCP server: each asked in its own period, judged by status code and body.

| status code | the body says | verdict |
|---|---|---|
| expected | ok, or nothing | up |
| expected | degraded | degraded (`body_degraded`) |
| expected | down | down (`body_down`) |
| 5xx, not expected | degraded | degraded (`body_degraded`): it answers, and says what it means |
| not expected | down | down (`body_down`), for the body names the part |
| not expected | ok, or nothing | down (`status`) |

With `judge_body` off only the status code counts; with 503 among the expected codes only the body. Then come the
conditions, each with its level (`threshold`, or `stale` for an age). What all this does to the server is the weight's.
"""

import asyncio
import time
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from lifesign import __version__
from lifesign.core.jsonpath import MISSING
from lifesign.core.model import Failure, Finding, Level, Observation, State
from lifesign.net.access import Net
from lifesign.net.failures import NetError
from lifesign.net.http import HTTPConnection, Request, Response, parse_url
from lifesign.net.tls import TLSOptions
from lifesign.probes.mcp.checks.health_body import Said, read_body
from lifesign.probes.mcp.checks.health_settings import HealthURL
from lifesign.probes.mcp.checks.outcome import on_one_line
from lifesign.probes.mcp.checks.periodic import Shelf, Told, Trouble, tell, worst_first
from lifesign.probes.mcp.client.answers import Answer, Exchange
from lifesign.probes.mcp.sheet import Sheet, failed
from lifesign.probes.registry import ProbeContext

MAX_BODY = 256 * 1024
MAX_AT_ONCE = 8
"""How many health URLs of one server are asked at the same time."""
MAX_NAMED = 5

_ACCEPT = "application/health+json, application/json;q=0.9, text/plain;q=0.5, */*;q=0.1"


async def check_health(
    urls: Sequence[HealthURL], sheet: Sheet, ctx: ProbeContext
) -> Failure | None:
    """Ask those that are due, at the same time, and tell the last word of the others.

    Returns the first failure that weighs `fails`; the others become findings. Facts are `health.<name>.state`,
    `status`, `said`, `duration_ms`, `checked_at` and `components.<part>`. Redirects are answers, and no more than
    256 KiB of a body are read.
    """
    shelf = Shelf.of(ctx.memory, "health")
    shelf.forget_others([url.name for url in urls])
    now_s = ctx.clock.monotonic()
    due = [
        url
        for url in urls
        if shelf.is_due(url.name, url, every_s=url.every.total_seconds(), now_s=now_s)
    ]
    room = asyncio.Semaphore(MAX_AT_ONCE)
    async with asyncio.TaskGroup() as group:
        looks = [(url, group.create_task(_look(url, ctx, room))) for url in due]
    for url, look in looks:
        shelf.keep(url.name, url, look.result(), now_s=now_s)
    failure: Failure | None = None
    for url in urls:
        last = shelf.last(url.name, url) or Told()
        found = tell(last, sheet, prefix=f"health.{url.name}", weight=url.weight)
        failure = sheet.first(failure, found)
    return failure


async def with_health(
    urls: Sequence[HealthURL], ctx: ProbeContext, seen: Coroutine[object, object, Observation]
) -> Observation:
    """What a probe sees, with its health URLs asked meanwhile: just when a server fails, they know which part of it.

    The probe's own failure comes first; a health URL's stands beside it as a finding.
    """
    if not urls:
        return await seen
    sheet = Sheet()
    async with asyncio.TaskGroup() as group:
        asked = group.create_task(check_health(urls, sheet, ctx))
        observation = await seen
    failure = asked.result()
    if failure is not None and observation.failure is not None:
        sheet.findings.insert(0, Finding.of(failure, Level.FAIL))
    return replace(
        observation,
        facts={**observation.facts, **sheet.facts},
        failure=observation.failure or failure,
        findings=(*observation.findings, *sheet.findings),
    )


async def _look(url: HealthURL, ctx: ProbeContext, room: asyncio.Semaphore) -> Told:
    """Ask once. What the world does wrong is told, never raised."""
    async with room:
        checked_at, started = ctx.clock.now(), time.perf_counter()
        deadline = asyncio.get_running_loop().time() + url.timeout.total_seconds()
        facts: dict[str, object] = {}
        try:
            response = await _get(url, ctx.net, min(deadline, ctx.deadline))
        except NetError as error:
            troubles: tuple[Trouble, ...] = (_unreachable(url, error.failure),)
        else:
            latency_ms = (time.perf_counter() - started) * 1000
            answer = _Answered(url, response, round(latency_ms, 3), ctx.clock.now())
            facts, troubles = answer.facts(), worst_first(answer.troubles())
    duration_ms = round((time.perf_counter() - started) * 1000, 3)
    told = Told({}, troubles)
    facts = {"state": told.state.value, **facts, "duration_ms": duration_ms}
    return Told({**facts, "checked_at": checked_at.isoformat()}, troubles)


async def _get(url: HealthURL, net: Net, deadline: float) -> Response:
    target = parse_url(url.url)
    given = [(name, value.get_secret_value()) for name, value in url.headers.items()]
    named = {name.lower() for name, _ in given}
    ours = [("Accept", _ACCEPT), ("User-Agent", f"lifesign-probe/{__version__}")]
    headers = (*(pair for pair in ours if pair[0].lower() not in named), *given)
    tls = TLSOptions(verify=url.verify_tls, ca_pem=url.ca_pem)
    async with await HTTPConnection.connect(
        net, target, deadline=deadline, phases={}, tls=tls
    ) as connection:
        request = Request("GET", target, headers)
        return await connection.exchange(request, deadline=deadline, phases={}, max_body=MAX_BODY)


def _unreachable(url: HealthURL, failure: Failure) -> Trouble:
    """No answer at all: the layer that broke is in the words, and its own remedy is the better one."""
    what = f"Health URL `{url.name}` gave no answer ({failure.layer}/{failure.code}): {failure.message}"
    told = failed(
        "health_url", "unreachable", what, evidence=failure.evidence, remedy=failure.remedy
    )
    return Trouble(Level.FAIL, told)


@dataclass(slots=True)
class _Answered:
    """One answer, and what is to be said of it."""

    url: HealthURL
    response: Response
    latency_ms: float
    now: datetime
    said: Said = field(default_factory=Said)

    def __post_init__(self) -> None:
        if not self.response.truncated:
            self.said = read_body(self.response.body)

    def facts(self) -> dict[str, object]:
        """What is told of it, by the end of the facts' names."""
        facts: dict[str, object] = {"status": self.response.status, "said": self.said.word}
        parts = {f"components.{name}": state.value for name, state in self.said.parts.items()}
        return facts | parts

    def troubles(self) -> list[Trouble]:
        """Everything that is wrong with it."""
        found = [self._verdict(), self._aside(), *self._conditions()]
        return [trouble for trouble in found if trouble is not None]

    def _verdict(self) -> Trouble | None:
        """The table of this module."""
        status = self.response.status
        is_expected = self.url.expects(status)
        state = self.said.state if self.url.judge_body else State.UNKNOWN
        word = (
            f"says `{on_one_line(self.said.word)}`"
            if self.said.word
            else "has parts that are not well"
        )
        if state is State.DOWN:
            return self._trouble(Level.FAIL, "body_down", f"{word} (HTTP {status}){self._ill()}")
        if state is State.DEGRADED and (is_expected or status >= 500):
            what = f"{word} (HTTP {status}){self._ill()}"
            return self._trouble(Level.WARN, "body_degraded", what)
        if is_expected:
            return None
        where = " and redirects, which is not followed" if 300 <= status < 400 else ""
        what = f"answers with HTTP {status} instead of {self.url.expect_status}{where}{self._ill()}"
        return self._trouble(Level.FAIL, "status", what)

    def _ill(self) -> str:
        ill = self.said.ill
        if not ill:
            return ""
        shown = ", ".join(f"`{name}` is {self.said.parts[name]}" for name in ill[:MAX_NAMED])
        more = f" and {len(ill) - MAX_NAMED} more" if len(ill) > MAX_NAMED else ""
        return f": {shown}{more}"

    def _aside(self) -> Trouble | None:
        """What is worth knowing although the answer counts as well."""
        if self.response.truncated:
            return self._trouble(
                Level.INFO, "status", "has a body beyond 256 KiB, which is not judged"
            )
        if not self.url.judge_body or not self.url.expects(self.response.status):
            return None
        if self.said.state is State.UP and self.said.ill:
            what = f"says `{on_one_line(self.said.word)}` as a whole{self._ill()}"
            return self._trouble(Level.INFO, "body_degraded", what)
        is_page = (self.response.header("content-type") or "").lower().startswith("text/html")
        if is_page and self.said.state is State.UNKNOWN and not self.url.conditions:
            what = "answers with a web page that says nothing of health; a catch-all page looks like this"
            return self._trouble(Level.INFO, "status", what)
        return None

    def _conditions(self) -> list[Trouble]:
        seen = self._seen() if self.url.conditions else Observation()
        troubles: list[Trouble] = []
        for condition in self.url.compiled():
            check = condition.hold(seen, self.now)
            if not check.holds:
                code = "stale" if condition.asks_age else "threshold"
                what = f"should hold `{check.text}`, and found was {on_one_line(check.found)}"
                troubles.append(self._trouble(check.level, code, what))
        return troubles

    def _seen(self) -> Observation:
        headers: dict[str, str] = {}
        for name, value in self.response.headers:
            key = name.lower()
            headers[key] = f"{headers[key]}, {value}" if key in headers else value
        content: dict[str, object] = {
            "headers": headers,
            "body": self.response.body.decode("utf-8", "replace"),
        }
        if self.said.document is not MISSING:
            content["json"] = self.said.document
        facts = {
            "status": self.response.status,
            "latency_ms": self.latency_ms,
            "said": self.said.word,
        }
        return Observation(facts, content=content)

    def _trouble(self, level: Level, code: str, what: str) -> Trouble:
        message = f"Health URL `{self.url.name}` ({parse_url(self.url.url).shown}) {what}."
        exchange = Exchange("health_url", "GET", "", secrets=_secrets(self.url))
        kind = {"content-type": self.response.header("content-type") or ""}
        evidence = exchange.evidence(Answer(self.response.status, kind, self.response.body))
        return Trouble(level, failed("health_url", code, message, evidence=evidence))


def _secrets(url: HealthURL) -> tuple[str, ...]:
    """The values of the headers, also without the scheme before them (`Bearer …`)."""
    values = {value.get_secret_value() for value in url.headers.values()}
    values |= {value.partition(" ")[2] for value in values}
    return tuple(sorted((value for value in values if len(value) > 3), key=len, reverse=True))
