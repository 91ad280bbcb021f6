"""A monitor's form as it stands: what is written in it, what is wrong with it, and the draft that it makes."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace

from lifesign.core.errors import InvalidError, LifesignError
from lifesign.core.model import Severity
from lifesign.probes.registry import Kind
from lifesign.service.drafts import PolicyDraft
from lifesign.service.views import MonitorView, Trial
from lifesign.web.fields import Field, fields_of
from lifesign.web.posted import Posted, blank_fields, read_fields
from lifesign.web.render import every

_TEXTS = ("name", "interval", "timeout", "group", "tags", "description", "runbook_url", "severity")


@dataclass(frozen=True, slots=True)
class Sheet:
    """The form as it stands: what is written in it and what is wrong with it."""

    kind: Kind | None
    target: str
    values: Mapping[str, str]
    settings: Mapping[str, object]
    posted: Posted | None = None
    error: LifesignError | None = None
    trial: Trial | None = None
    trial_error: LifesignError | None = None

    @property
    def problems(self) -> tuple[tuple[str, str], ...]:
        """The problems, as (field, reason); of texts of several lines with the line."""
        found = self.error.problems if isinstance(self.error, InvalidError) else ()
        return self.posted.placed(found) if self.posted is not None else found

    def check(self) -> None:
        """Raise InvalidError for texts that could not be read at all."""
        if self.posted is not None and self.posted.problems:
            name, reason = self.posted.problems[0]
            raise InvalidError(
                f"What is written in {name.removeprefix('settings.')} cannot be read. {reason}",
                problems=tuple(self.posted.problems),
            )


_MAY_BE_EMPTY = ("degraded_ms", "latency_factor", "drift_accept_s")


def draft_of(sheet: Sheet) -> dict[str, object]:
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


def changes_of(sheet: Sheet) -> dict[str, object]:
    """The draft of a change: what was emptied is taken back out."""
    changes = draft_of(sheet)
    changes.pop("kind", None)
    if sheet.kind is not None:
        changes["settings"] = blank_fields(sheet.kind.settings, sheet.settings)
    return changes


def defaults_of(kind: Kind) -> dict[str, str]:
    """What a new form is filled with."""
    return {
        "interval": every(kind.interval_s),
        "timeout": "10s",
        "severity": Severity.HIGH.value,
    }


def written_of(monitor: MonitorView) -> dict[str, str]:
    """What the form of a stored monitor is filled with."""
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


def policy_fields(sheet: Sheet, monitor: MonitorView | None) -> tuple[Field, ...]:
    """The fields of the policy, with lengths of time as people write them."""
    values = {
        name: every(value) if name.endswith("_s") and isinstance(value, float | int) else value
        for name, value in _policy_values(sheet, monitor).items()
    }
    fields = fields_of(PolicyDraft, values, prefix="policy", problems=sheet.problems)
    return tuple(replace(each, label=_POLICY_LABELS.get(each.name, each.label)) for each in fields)


_POLICY_LABELS = {
    "policy.recheck_s": "Look again after",
    "policy.degraded_ms": "Degraded from (milliseconds)",
    "policy.latency_factor": "Told as slow from (times the usual)",
    "policy.drift_accept_s": "A changed surface is accepted after",
}
