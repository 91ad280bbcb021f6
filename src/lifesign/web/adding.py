"""Adding and changing monitors: one box for anything, a trial with its ladder, then the form behind it."""

import asyncio
from collections.abc import Mapping
from dataclasses import asdict, dataclass

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from lifesign.core.errors import InvalidError, LifesignError
from lifesign.core.model import Owner, Severity
from lifesign.core.scope import Grant, Scope
from lifesign.probes.registry import Kind
from lifesign.service.drafts import PolicyDraft
from lifesign.service.views import MonitorView, Trial
from lifesign.web.fields import fields_of
from lifesign.web.frame import framed
from lifesign.web.gate import page, to
from lifesign.web.ladder import rungs, unclimbed
from lifesign.web.posted import blank_fields, read_fields
from lifesign.web.render import every
from lifesign.web.site import Site

MAX_TARGET = 4096
TRIAL_PATIENCE_S = 15.0
"""A trial answers within its own timeout; this only bounds what a page waits for at all."""

_TEXTS = ("name", "interval", "timeout", "group", "tags", "description", "runbook_url", "severity")


@dataclass(frozen=True, slots=True)
class Sheet:
    """The form as it stands: what is written in it and what is wrong with it."""

    kind: Kind | None
    target: str
    values: Mapping[str, str]
    settings: Mapping[str, object]
    error: LifesignError | None = None
    trial: Trial | None = None
    trial_error: LifesignError | None = None

    @property
    def problems(self) -> tuple[tuple[str, str], ...]:
        """The problems, as (field, reason)."""
        return self.error.problems if isinstance(self.error, InvalidError) else ()


def routes(site: Site) -> list[Route]:
    """The routes of this module."""
    operate = Grant.OPERATE
    return [
        page(site, "/add", _show_add, needs=operate),
        page(site, "/add", _add, methods=("POST",), needs=operate),
        page(site, "/add/trial", _trial, methods=("POST",), needs=operate),
        page(site, "/monitors/{slug}/edit", _show_edit, needs=operate),
        page(site, "/monitors/{slug}/edit", _edit, methods=("POST",), needs=operate),
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
        return Sheet(chosen, target, _defaults(chosen), guessed or {})
    found = site.services.trials.guess(target) if target else None
    if found is None:
        return Sheet(None, target, {}, {})
    chosen = site.kinds[found[0]]
    return Sheet(chosen, target, _defaults(chosen), found[1])


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
        monitor = await site.services.monitors.add(scope, _draft(sheet), owner=Owner.WEB)
    except InvalidError as error:
        return await _sheet_page(site, request, scope, sheet=_with_error(sheet, error))
    return to(f"/monitors/{monitor.slug}", said="added")


async def _trial(site: Site, request: Request, scope: Scope) -> Response:
    """The result of one probe, nothing saved: a fragment that the form shows in place."""
    sheet = await _posted(site, request)
    if sheet.kind is None:
        raise InvalidError(
            "Nothing was tried: it is not clear what this is.", remedy="Choose a kind."
        )
    sheet = await _tried(site, scope, sheet)
    context = _trial_context(sheet) | {"now": site.clock.now()}
    return site.renderer.page("parts/trial.html", context)


async def _show_edit(site: Site, request: Request, scope: Scope) -> Response:
    monitor = await site.services.monitors.get(scope, request.path_params["slug"])
    sheet = Sheet(site.kinds.get(monitor.kind), monitor.target, _written(monitor), monitor.settings)
    return await _sheet_page(site, request, scope, sheet=sheet, monitor=monitor)


async def _edit(site: Site, request: Request, scope: Scope) -> Response:
    monitor = await site.services.monitors.get(scope, request.path_params["slug"])
    form = await request.form()
    kind = site.kinds.get(monitor.kind)
    sheet = await _posted(site, request, kind=kind)
    version = str(form.get("version", ""))
    changes = _draft(sheet)
    changes.pop("kind", None)
    if kind is not None:
        changes["settings"] = blank_fields(kind.settings, sheet.settings)
    try:
        changed = await site.services.monitors.update(
            scope,
            monitor.id,
            changes,
            owner=Owner.WEB,
            expected_version=int(version) if version.isdigit() else None,
        )
    except InvalidError as error:
        sheet = _with_error(sheet, error)
        return await _sheet_page(site, request, scope, sheet=sheet, monitor=monitor)
    return to(f"/monitors/{changed.slug}", said="saved")


async def _posted(site: Site, request: Request, *, kind: Kind | None = None) -> Sheet:
    form = {name: str(value) for name, value in (await request.form()).items()}
    target = form.get("target", "").strip()[:MAX_TARGET]
    chosen = kind or site.kinds.get(form.get("kind", ""))
    if chosen is None:
        return Sheet(None, target, form, {})
    return Sheet(chosen, target, form, read_fields(chosen.settings, form))


async def _tried(site: Site, scope: Scope, sheet: Sheet) -> Sheet:
    draft = _draft(sheet)
    draft.pop("name", None)
    try:
        async with asyncio.timeout(TRIAL_PATIENCE_S):
            trial = await site.services.trials.run(scope, draft)
    except InvalidError as error:
        return _with_error(sheet, error)
    except TimeoutError:
        late = LifesignError(
            f"The trial of {sheet.target} gave no result within {TRIAL_PATIENCE_S:.0f} s.",
            remedy="Saving is still possible; the first real check tells more.",
        )
        return _sheet_with(sheet, trial_error=late)
    return _sheet_with(sheet, trial=trial)


_MAY_BE_EMPTY = ("degraded_ms", "latency_factor", "drift_accept_s")


def _draft(sheet: Sheet) -> dict[str, object]:
    """The draft that the service reads; empty fields are left out where a default stands for them."""
    values = sheet.values
    draft: dict[str, object] = {"settings": dict(sheet.settings)}
    if sheet.kind is not None:
        draft["kind"] = sheet.kind.name
    for name in _TEXTS:
        text = values.get(name, "").strip()
        if name in values and (text or name not in ("interval", "timeout", "severity", "name")):
            draft[name] = text
    policy = read_fields(PolicyDraft, values, prefix="policy")
    if policy:
        # An empty field of the form takes these back out; the others always hold a number.
        emptied = [name for name in _MAY_BE_EMPTY if f"policy.{name}" in values]
        draft["policy"] = dict.fromkeys(emptied) | policy
    if "conditions" in values:
        draft["conditions"] = values["conditions"]
    return draft


def _defaults(kind: Kind) -> dict[str, str]:
    return {
        "interval": every(kind.interval_s),
        "timeout": "10s",
        "severity": Severity.HIGH.value,
    }


def _written(monitor: MonitorView) -> dict[str, str]:
    return {
        "name": monitor.name,
        "interval": every(monitor.interval_s),
        "timeout": every(monitor.timeout_s),
        "group": monitor.group,
        "tags": ", ".join(monitor.tags),
        "description": monitor.description,
        "runbook_url": monitor.runbook_url,
        "severity": monitor.severity.value,
        "conditions": "\n".join(monitor.conditions),
    }


def _policy_values(sheet: Sheet, monitor: MonitorView | None) -> Mapping[str, object]:
    written = read_fields(PolicyDraft, sheet.values, prefix="policy")
    if written:
        return written
    if monitor is not None:
        return asdict(monitor.policy)
    return asdict(sheet.kind.policy) if sheet.kind else {}


def _with_error(sheet: Sheet, error: InvalidError) -> Sheet:
    return Sheet(sheet.kind, sheet.target, sheet.values, sheet.settings, error=error)


def _sheet_with(
    sheet: Sheet, *, trial: Trial | None = None, trial_error: LifesignError | None = None
) -> Sheet:
    return Sheet(
        sheet.kind,
        sheet.target,
        sheet.values,
        sheet.settings,
        trial=trial,
        trial_error=trial_error,
    )


def _trial_context(sheet: Sheet) -> dict[str, object]:
    trial, kind = sheet.trial, sheet.kind
    order = kind.ladder if kind else ()
    return {
        "trial": trial,
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
    context = {
        **_trial_context(sheet),
        "sheet": sheet,
        "kind": kind,
        "kinds": list(site.kinds.values()),
        "fields": fields,
        "waiting_rungs": unclimbed(kind.ladder) if kind else (),
        "policy_fields": fields_of(
            PolicyDraft, _policy_values(sheet, monitor), prefix="policy", problems=sheet.problems
        ),
        "monitor": monitor,
        "severities": tuple(Severity),
        "problem_of": dict(
            reversed([(place.partition("[")[0], why) for place, why in sheet.problems])
        ),
    }
    template = "edit.html" if monitor is not None else "add.html"
    status = sheet.error.status if sheet.error else 200
    return await framed(site, request, scope, template=template, context=context, status=status)
