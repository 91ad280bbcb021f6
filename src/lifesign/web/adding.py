"""Adding and changing monitors: one box for anything, a trial with its ladder, then the form behind it."""

import asyncio
from dataclasses import replace

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from lifesign.core.errors import InvalidError, LifesignError
from lifesign.core.model import Owner, Severity
from lifesign.core.scope import Grant, Scope
from lifesign.probes.registry import Kind
from lifesign.service.views import MonitorView
from lifesign.web.fields import fields_of, laid_out
from lifesign.web.frame import framed
from lifesign.web.gate import page, to
from lifesign.web.ladder import rungs, unclimbed
from lifesign.web.posted import read_form
from lifesign.web.servers import sign_in
from lifesign.web.sheet import (
    Sheet,
    changes_of,
    defaults_of,
    draft_of,
    policy_fields,
    written_of,
)
from lifesign.web.site import Site

MAX_TARGET = 4096
TRIAL_PATIENCE_S = 15.0
"""A trial answers within its own timeout; this only bounds what a page waits for at all."""


def routes(site: Site) -> list[Route]:
    """The routes of this module."""
    operate = Grant.OPERATE
    return [
        page(site, "/add", _show_add, needs=operate),
        page(site, "/add", _add, methods=("POST",), needs=operate),
        page(site, "/add/trial", _trial, methods=("POST",), needs=operate),
        page(site, "/monitors/{slug}/edit", _show_edit, needs=operate),
        page(site, "/monitors/{slug}/edit", _edit, methods=("POST",), needs=operate),
        page(site, "/monitors/{slug}/trial", _edit_trial, methods=("POST",), needs=operate),
    ]


async def _show_add(site: Site, request: Request, scope: Scope) -> Response:
    target = request.query_params.get("target", "").strip()[:MAX_TARGET]
    wanted = request.query_params.get("kind", "")
    return await _sheet_page(site, request, scope, sheet=opened(site, target=target, kind=wanted))


def opened(site: Site, *, target: str, kind: str = "") -> Sheet:
    """The form for pasted text: the kind and the settings that it most likely means."""
    if kind in site.kinds:
        chosen = site.kinds[kind]
        guessed = chosen.guess(target) if target else None
        return Sheet(chosen, target, defaults_of(chosen), guessed or {})
    found = site.services.trials.guess(target) if target else None
    if found is None:
        return Sheet(None, target, {}, {})
    chosen = site.kinds[found[0]]
    return Sheet(chosen, target, defaults_of(chosen), found[1])


async def _add(site: Site, request: Request, scope: Scope) -> Response:
    sheet = await _posted(site, request)
    form = await request.form()
    if sheet.kind is None or form.get("intent") == "kind":
        fresh = opened(site, target=sheet.target, kind=str(form.get("kind", "")))
        return await _sheet_page(site, request, scope, sheet=fresh)
    if form.get("intent") == "try":
        tried = await _tried(site, scope, sheet)
        return await _sheet_page(site, request, scope, sheet=tried)
    try:
        sheet.check()
        monitor = await site.services.monitors.add(scope, draft_of(sheet), owner=Owner.WEB)
    except InvalidError as error:
        return await _sheet_page(site, request, scope, sheet=replace(sheet, error=error))
    return to(f"/monitors/{monitor.slug}", said="added")


async def _trial(site: Site, request: Request, scope: Scope) -> Response:
    """The result of one probe, nothing saved: a fragment that the form shows in place."""
    sheet = await _posted(site, request)
    if sheet.kind is None:
        raise InvalidError(
            "Nothing was tried: it is not clear what this is.", remedy="Choose a kind."
        )
    return _trial_part(site, await _tried(site, scope, sheet))


async def _edit_trial(site: Site, request: Request, scope: Scope) -> Response:
    """The same for a monitor that is being changed: what is shown as `***` is taken from what is stored."""
    monitor = await site.services.monitors.get(scope, request.path_params["slug"])
    kind = site.kinds.get(monitor.kind)
    sheet = await _posted(site, request, kind=kind)
    return _trial_part(site, await _tried(site, scope, sheet, id=monitor.id))


def _trial_part(site: Site, sheet: Sheet) -> Response:
    context = _trial_context(sheet) | {"now": site.clock.now(), "may_operate": True}
    return site.renderer.page("parts/trial.html", context)


async def _show_edit(site: Site, request: Request, scope: Scope) -> Response:
    monitor = await site.services.monitors.get(scope, request.path_params["slug"])
    sheet = Sheet(
        site.kinds.get(monitor.kind), monitor.target, written_of(monitor), monitor.settings
    )
    return await _sheet_page(site, request, scope, sheet=sheet, monitor=monitor)


async def _edit(site: Site, request: Request, scope: Scope) -> Response:
    monitor = await site.services.monitors.get(scope, request.path_params["slug"])
    form = await request.form()
    kind = site.kinds.get(monitor.kind)
    sheet = await _posted(site, request, kind=kind)
    version = str(form.get("version", ""))
    if form.get("intent") == "try":
        tried = await _tried(site, scope, sheet, id=monitor.id)
        return await _sheet_page(site, request, scope, sheet=tried, monitor=monitor)
    try:
        sheet.check()
        changes = changes_of(sheet)
        changed = await site.services.monitors.update(
            scope,
            monitor.id,
            changes,
            owner=Owner.WEB,
            expected_version=int(version) if version.isdigit() else None,
        )
    except InvalidError as error:
        sheet = replace(sheet, error=error)
        return await _sheet_page(site, request, scope, sheet=sheet, monitor=monitor)
    return to(f"/monitors/{changed.slug}", said="saved")


async def _posted(site: Site, request: Request, *, kind: Kind | None = None) -> Sheet:
    form = {name: str(value) for name, value in (await request.form()).items()}
    target = form.get("target", "").strip()[:MAX_TARGET]
    chosen = kind or site.kinds.get(form.get("kind", ""))
    if chosen is None:
        return Sheet(None, target, form, {})
    posted = read_form(chosen.settings, form)
    return Sheet(chosen, target, form, posted.settings, posted=posted)


async def _tried(site: Site, scope: Scope, sheet: Sheet, *, id: str = "") -> Sheet:
    draft = changes_of(sheet) if id else draft_of(sheet)
    draft.pop("name", None)
    try:
        sheet.check()
        async with asyncio.timeout(TRIAL_PATIENCE_S):
            trial = await site.services.trials.run(scope, draft, id=id)
    except InvalidError as error:
        return replace(sheet, error=error)
    except TimeoutError:
        late = LifesignError(
            f"The trial of {sheet.target} gave no result within {TRIAL_PATIENCE_S:.0f} s.",
            remedy="Saving is still possible; the first real check tells more.",
        )
        return replace(sheet, trial_error=late)
    return replace(sheet, trial=trial)


def _trial_context(sheet: Sheet) -> dict[str, object]:
    trial, kind = sheet.trial, sheet.kind
    order = kind.ladder if kind else ()
    return {
        "trial": trial,
        "trial_sign_in": sign_in(trial.facts) if trial else None,
        "trial_error": sheet.error or sheet.trial_error,
        "rungs": rungs(order, trial.phases_ms, failure=trial.failure, facts=trial.facts)
        if trial
        else (),
    }


async def _sheet_page(
    site: Site,
    request: Request,
    scope: Scope,
    *,
    sheet: Sheet,
    monitor: MonitorView | None = None,
) -> Response:
    kind = sheet.kind
    fields = fields_of(kind.settings, sheet.settings, problems=sheet.problems) if kind else ()
    trial_path = f"/monitors/{monitor.slug}/trial" if monitor is not None else "/add/trial"
    context = {
        **_trial_context(sheet),
        "sheet": sheet,
        "kind": kind,
        "kinds": list(site.kinds.values()),
        "layout": laid_out(fields),
        "trial_path": trial_path,
        "waiting_rungs": unclimbed(kind.ladder) if kind else (),
        "policy_fields": policy_fields(sheet, monitor),
        "monitor": monitor,
        "severities": tuple(Severity),
        "problem_of": dict(
            reversed([(place.partition("[")[0], why) for place, why in sheet.problems])
        ),
    }
    template = "edit.html" if monitor is not None else "add.html"
    status = sheet.error.status if sheet.error else 200
    return await framed(site, request, scope, template=template, context=context, status=status)
