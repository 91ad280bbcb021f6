"""One monitor: how it is and since when, the ladder, the past, the last results, and what can be done."""

import asyncio
from datetime import datetime, timedelta

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from lifesign.core.ladder import title_of
from lifesign.core.model import Failure, Finding, State
from lifesign.core.scope import Grant, Scope
from lifesign.service.surface_views import SurfaceView
from lifesign.service.views import MonitorView, RunView
from lifesign.store.values import AlertQuery
from lifesign.web.chart import MEASURES, drawn_phases, phase_names
from lifesign.web.drawing import day_bars, describe, long_words
from lifesign.web.drift import drifted_places, first_of
from lifesign.web.frame import framed
from lifesign.web.gate import page, to
from lifesign.web.ladder import Rung, rungs, unclimbed
from lifesign.web.overview import OPEN
from lifesign.web.phrases import STATE_WORD
from lifesign.web.servers import expiry, identity, other_facts, side_checks, sign_in
from lifesign.web.site import Site

WINDOWS = {
    "24h": (timedelta(hours=24), 96, "24 hours"),
    "7d": (timedelta(days=7), 84, "7 days"),
    "30d": (timedelta(days=30), 90, "30 days"),
}
DAYS = 90
RUNS = 20
MAX_FACTS = 40


def routes(site: Site) -> list[Route]:
    """The routes of this module."""
    base = "/monitors/{slug}"
    doings = (("run", _run), ("pause", _pause), ("resume", _resume), ("remove", _remove))
    return [
        page(site, base, _monitor),
        *(
            page(site, f"{base}/{name}", doing, methods=("POST",), needs=Grant.OPERATE)
            for name, doing in doings
        ),
    ]


async def _monitor(site: Site, request: Request, scope: Scope) -> Response:
    window = request.query_params.get("window", "24h")
    window = window if window in WINDOWS else "24h"
    measure = request.query_params.get("by", "mean")
    cursor = request.query_params.get("cursor") or None
    length, points, _ = WINDOWS[window]
    now = site.clock.now()
    monitor = await site.services.monitors.get(scope, request.path_params["slug"])
    history, latency, runs, alerts, surface = await asyncio.gather(
        site.services.monitors.history(
            scope, monitor.id, since=now - length, until=now, points=points, days=DAYS
        ),
        site.services.monitors.latency(scope, monitor.id),
        site.services.monitors.runs(scope, monitor.id, limit=RUNS, cursor=cursor),
        site.services.alerts.list(scope, AlertQuery(states=OPEN, monitor_id=monitor.id, limit=5)),
        surface_of(site, scope, monitor),
    )
    context = {
        "monitor": monitor,
        "kind": site.kinds.get(monitor.kind),
        "sentence": sentence(monitor),
        "rungs": last_rungs(site, monitor),
        "alerts": alerts.items,
        "window": window,
        "windows": {name: words for name, (_, _, words) in WINDOWS.items()},
        "history": history,
        "latency": latency,
        "measure": measure if measure in MEASURES else "mean",
        "measures": MEASURES,
        "phases": phase_names(history),
        "drawn": drawn_phases(history),
        "bars": day_bars(history.days),
        "days": [(day, describe(day)) for day in reversed(history.days)],
        "long_words": long_words(history),
        "runs": runs.items,
        "next_cursor": runs.next_cursor,
        "is_later_page": cursor is not None,
        "findings": untold_findings(monitor),
        "facts": shown_facts(monitor.last_run),
        "snippets": snippets(monitor.ping_url) if monitor.ping_url else (),
        **server_context(monitor, surface, now=now),
    }
    return await framed(site, request, scope, template="monitor.html", context=context)


async def surface_of(site: Site, scope: Scope, monitor: MonitorView) -> SurfaceView | None:
    """What the target publishes, for kinds whose facts know of such a thing."""
    kind = site.kinds.get(monitor.kind)
    if kind is None or "surface" not in kind.facts.model_fields:
        return None
    return await site.services.surfaces.of(scope, monitor.id)


def server_context(
    monitor: MonitorView, surface: SurfaceView | None, *, now: datetime
) -> dict[str, object]:
    """What only servers with a surface have; empty for every other kind."""
    facts = monitor.last_run.facts if monitor.last_run else {}
    drifted = drifted_places(surface) if surface is not None else ()
    return {
        "surface": surface,
        "drifted": [(place, first_of(place.differences)) for place in drifted],
        "identity": identity(facts),
        "sign_in": sign_in(facts),
        "expiry": expiry(facts, now=now),
        "side_checks": side_checks(monitor.last_run),
    }


def sentence(monitor: MonitorView) -> str:
    """What is the case, in one sentence."""
    if monitor.paused:
        return "Nothing is checked and nobody is told until it is resumed."
    if monitor.failure is not None and monitor.state in (State.DOWN, State.DEGRADED, State.UNKNOWN):
        return _trouble(monitor.failure)
    if monitor.suspect:
        return "The last check failed. It is being confirmed before anybody is told."
    if monitor.flapping:
        return "It keeps changing between up and down, so single changes are not told."
    if monitor.last_run is None and monitor.state is State.UNKNOWN:
        return "The first result appears here by itself."
    found = sign_in(monitor.last_run.facts) if monitor.last_run else None
    return {
        State.UP: found.meaning if found else "Everything answers and every condition holds.",
        State.MAINTENANCE: "It is checked, and nobody is told.",
        State.UNKNOWN: "There is no result that could be judged.",
    }.get(monitor.state, f"It is {STATE_WORD[monitor.state].lower()}.")


def _trouble(failure: Failure) -> str:
    what = title_of(failure.layer)
    if failure.is_ours:
        return f"Whether it works cannot be seen now, through no fault of its own: {what}."
    return f"The first thing that is wrong: {what}."


def last_rungs(site: Site, monitor: MonitorView) -> tuple[Rung, ...]:
    """The ladder of the newest run, or of the kind while there is none."""
    kind = site.kinds.get(monitor.kind)
    order = kind.ladder if kind else ()
    run = monitor.last_run
    if run is None:
        return unclimbed(order)
    return rungs(order, run.phases_ms, failure=run.failure, facts=run.facts)


def untold_findings(monitor: MonitorView) -> tuple[Finding, ...]:
    """The findings of the newest run without the one that is shown as what is wrong."""
    run = monitor.last_run
    if run is None:
        return ()
    told = {each.message for each in (monitor.failure, run.failure) if each is not None}
    return tuple(one for one in run.findings if one.message not in told)


def shown_facts(run: RunView | None) -> tuple[tuple[str, str], ...]:
    """The facts of a run as text, the first of them only: a page is not a dump."""
    if run is None:
        return ()
    shown = [(name, fact_text(value)) for name, value in other_facts(run.facts)]
    return tuple(shown[:MAX_FACTS])


def fact_text(value: object) -> str:
    """A fact as people write it: lists with commas, yes and no."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


def snippets(url: str) -> tuple[tuple[str, str], ...]:
    """How jobs of several kinds report to this address, to be copied."""
    return (
        ("Shell, after a job", f"your-job && curl -fsS -m 10 --retry 5 {url}"),
        (
            "Shell, with its exit status",
            f'your-job; curl -fsS -m 10 --retry 5 "{url}/$?"',
        ),
        ("Crontab", f"30 0 * * * your-job && curl -fsS -m 10 --retry 5 -o /dev/null {url}"),
        (
            "Python",
            f'import urllib.request\n\nurllib.request.urlopen("{url}", timeout=10)',
        ),
    )


def _back(request: Request, said: str) -> Response:
    return to(f"/monitors/{request.path_params['slug']}", said=said)


async def _id(site: Site, request: Request, scope: Scope) -> str:
    return (await site.services.monitors.get(scope, request.path_params["slug"])).id


async def _run(site: Site, request: Request, scope: Scope) -> Response:
    await site.services.monitors.run_now(scope, await _id(site, request, scope))
    return _back(request, "checking")


async def _pause(site: Site, request: Request, scope: Scope) -> Response:
    await site.services.monitors.pause(scope, await _id(site, request, scope))
    return _back(request, "paused")


async def _resume(site: Site, request: Request, scope: Scope) -> Response:
    await site.services.monitors.resume(scope, await _id(site, request, scope))
    return _back(request, "resumed")


async def _remove(site: Site, request: Request, scope: Scope) -> Response:
    await site.services.monitors.remove(scope, await _id(site, request, scope))
    return to("/", said="removed")
