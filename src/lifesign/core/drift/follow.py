"""What looking again and again at a surface does to what is remembered of it. Pure: values in, values out.

One look, in order:
1. the same as last time, and nothing changed lately: the very same `Drift`, so that a steady server costs no write;
2. the look joins the window of recent looks, which opens at a change and closes after ten equal looks in a row;
3. the window says whether the list is unstable; while it is, nothing is confirmed and the baseline never moves;
4. a digest that two consecutive looks saw is confirmed; one that a single look saw is a candidate and wants a recheck.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import pairwise

from lifesign.core.alerting import Concern
from lifesign.core.drift.tampering import SUSPICIOUS
from lifesign.core.drift.values import Change, Drift, Impact, Release
from lifesign.core.model import Failure, Reason, Severity, Surface

TOPIC = "drift"
WINDOW = 10
"""How many looks back flips are counted, and how many equal looks in a row make a list steady again."""

_FLIPS = 3
_DIGESTS = 3
_NAMED = 3
_TITLE_CHARS = 120
_COMPARE = (
    "Compare the two surfaces. If the change is meant, accept the new baseline (or announce releases beforehand); "
    "if not, look at what was deployed, and by whom."
)
_SETTLE = (
    "Look for replicas or regions that run different versions behind one address, and for tools that are registered "
    "late, at random or by feature flag."
)


@dataclass(frozen=True, slots=True)
class Look:
    """What one look did.

    `confirmed` is (digest before, digest after) when a second consecutive look saw the same new digest. `recheck` asks
    for a second look soon. `drift` is the same object as before when there is nothing to write.
    """

    drift: Drift
    confirmed: tuple[str, str] | None
    recheck: bool
    became_unstable: bool = False
    became_stable: bool = False


def begin(surface: Surface, *, monitor_id: str, tenant: str, region: str, at: datetime) -> Drift:
    """What is remembered after the first look: what it saw is the baseline."""
    return Drift(
        monitor_id=monitor_id,
        tenant=tenant,
        region=region,
        audience=surface.audience,
        baseline=surface.digest,
        baseline_since=at,
        current=surface.digest,
        current_since=at,
    )


def look(drift: Drift, digest: str, *, at: datetime) -> Look:
    """Follow one look that saw `digest`. The same digests in the same order always end the same."""
    last = drift.candidate or drift.current
    if not drift.recent and digest == last:
        return Look(drift, None, recheck=False)
    recent = (*(drift.recent or (last,)), digest)[-WINDOW:]
    steady = 0 if digest != last else drift.steady + 1
    seen = replace(drift, recent=recent, steady=steady)
    if len(recent) == WINDOW and len(set(recent)) == 1:
        return _settle(replace(seen, recent=(), steady=0), digest, at=at)
    if drift.unstable or _is_unstable(recent):
        waiting = replace(seen, unstable=True, candidate=_unless(digest, drift.current))
        return Look(waiting, None, recheck=False, became_unstable=not drift.unstable)
    if digest == drift.current:
        return Look(replace(seen, candidate=""), None, recheck=False)
    if digest == drift.candidate:
        return _confirm(seen, digest, at=at)
    return Look(replace(seen, candidate=digest), None, recheck=True)


def _is_unstable(recent: Sequence[str]) -> bool:
    """Whether the list swings: no two of the last four looks in a row agree, or it flips among a few digests."""
    flips = [before != after for before, after in pairwise(recent)]
    never_twice = len(flips) >= _FLIPS and all(flips[-_FLIPS:])
    return never_twice or (sum(flips) >= _FLIPS and len(set(recent)) <= _DIGESTS)


def _settle(seen: Drift, digest: str, *, at: datetime) -> Look:
    """The end of the window: ten equal looks. What an unstable list settled on is confirmed only now."""
    settled = replace(seen, unstable=False, candidate="")
    if digest == seen.current:
        return Look(settled, None, recheck=False, became_stable=seen.unstable)
    return replace(_confirm(settled, digest, at=at), became_stable=seen.unstable)


def _confirm(seen: Drift, digest: str, *, at: datetime) -> Look:
    after = replace(seen, current=digest, current_since=at, candidate="")
    return Look(after, (seen.current, digest), recheck=False)


def _unless(digest: str, current: str) -> str:
    return "" if digest == current else digest


def accept(drift: Drift, digest: str, *, at: datetime, pinned: bool) -> Drift:
    """Make `digest` the baseline. `pinned` keeps time alone from ever moving it again.

    The digest need not have been seen yet: a release that is prepared may be pinned before it is deployed.
    """
    if digest == drift.baseline:
        return drift if pinned == drift.pinned else replace(drift, pinned=pinned)
    return replace(drift, baseline=digest, baseline_since=at, pinned=pinned)


def accepted_by(
    drift: Drift, *, at: datetime, accept_after_s: float | None, releases: Sequence[Release]
) -> str:
    """Who accepts the present drift: `release <note or id>`, `auto`, or nobody ("").

    A release accepts what was confirmed within its window; one that names the very digest also accepts it later,
    while the window is open. Time accepts after `accept_after_s` seconds (None: never), but no pinned baseline.
    """
    if drift.unstable or not drift.is_drifted:
        return ""
    for release in releases:
        if _covers(release, drift, at=at):
            return f"release {release.note or release.id}"
    if drift.pinned or accept_after_s is None:
        return ""
    return "auto" if (at - drift.current_since).total_seconds() >= accept_after_s else ""


LATE_NEWS = timedelta(minutes=10)
"""A change that is made at the end of a window is seen, and seen again, a little after it."""


def _covers(release: Release, drift: Drift, *, at: datetime) -> bool:
    if (release.monitor_id, release.tenant) != (drift.monitor_id, drift.tenant):
        return False
    if release.digest and release.digest != drift.current:
        return False
    if release.starts_at <= drift.current_since <= release.ends_at + LATE_NEWS:
        return True
    return bool(release.digest) and release.starts_at <= at <= release.ends_at


def concern_of(drift: Drift, changes: Sequence[Change], *, severity: Severity) -> Concern | None:
    """What people are told about it, never above the monitor's own severity; None when nobody has to be.

    `changes` are those between the baseline and what is current, worst first, as `compare` gives them.
    """
    worst = min(changes, key=_loudness, default=None) if drift.is_drifted else None
    wanted = _severity_of(worst) if worst is not None else None
    if worst is not None and wanted is not None:
        title = f"published surface changed: {worst.message.rstrip('.')[:_TITLE_CHARS]}"
        message = _sentence(worst, changes)
        return _concern(worst.code, min(wanted, severity, key=_rank), title, message, _COMPARE)
    if not drift.unstable:
        return None
    kinds = len({*drift.recent, drift.current})
    message = f"The published surface swings between {kinds} versions from look to look, so no version of it is confirmed."
    title = "published surface is unstable"
    return _concern(
        "unstable_list", min(Severity.LOW, severity, key=_rank), title, message, _SETTLE
    )


def _loudness(change: Change) -> tuple[int, int]:
    """Sorts by how loud a change is told: suspicious text goes before other changes of its impact."""
    return -change.impact.rank, int(change.code not in SUSPICIOUS)


def _severity_of(change: Change) -> Severity | None:
    if change.impact is Impact.BREAKING:
        return Severity.HIGH
    if change.impact is Impact.HINT or change.code in SUSPICIOUS:
        return Severity.MEDIUM
    return None


def _sentence(worst: Change, changes: Sequence[Change]) -> str:
    """The worst change in words, and each text that looks like tampering: a louder change must not hide it."""
    others = [change for change in changes if change is not worst]
    named = [change.message for change in others if change.code in SUSPICIOUS][:_NAMED]
    unnamed = len(others) - len(named)
    told = [worst.message, *named, *([f"Other changes: {unnamed}."] if unnamed else [])]
    return f"The published surface differs from the accepted one. {' '.join(told)}"


def _rank(severity: Severity) -> int:
    return severity.rank


def _concern(code: str, severity: Severity, title: str, message: str, remedy: str) -> Concern:
    failure = Failure(TOPIC, code, message, Reason.SCHEMA_DRIFT, remedy)
    return Concern(TOPIC, severity, title, failure)
