"""When the end of a monitor's own credential is told, and how loudly."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lifesign.core.alerting import follow_concern
from lifesign.core.concerns import credential_concern
from lifesign.core.messages import AlertEvent
from lifesign.core.model import Monitor, Severity

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)


def monitor(severity: Severity = Severity.HIGH) -> Monitor:
    return Monitor(id="m", name="Tools", kind="mcp", settings={}, severity=severity)


def facts(end: datetime, source: str = "jwt") -> dict[str, object]:
    return {"credential.expires_at": end.isoformat(), "credential.source": source}


@pytest.mark.parametrize(
    ("left_h", "severity"),
    [
        (73, None),
        (72, Severity.LOW),
        (24.1, Severity.LOW),
        (24, Severity.MEDIUM),
        (0.1, Severity.MEDIUM),
        (0, Severity.HIGH),
        (-500, Severity.HIGH),
    ],
)
def test_it_is_told_at_72_24_and_0_hours(left_h, severity):
    found = credential_concern(facts(NOW + timedelta(hours=left_h)), monitor=monitor(), now=NOW)

    assert (found.severity if found else None) is severity


def test_it_never_matters_more_than_its_monitor():
    found = credential_concern(facts(NOW), monitor=monitor(Severity.NOTICE), now=NOW)

    assert found is not None
    assert found.severity is Severity.NOTICE


def test_the_texts_say_when_and_whence():
    soon = credential_concern(facts(NOW + timedelta(hours=5)), monitor=monitor(), now=NOW)
    late = credential_concern(facts(NOW, "entered"), monitor=monitor(), now=NOW)

    assert soon is not None
    assert late is not None
    assert soon.title == "its credential expires on 2026-11-20 17:00 UTC"
    assert late.title == "its credential expired on 2026-11-20 12:00 UTC"
    assert soon.failure.message.endswith("17:00 UTC: the token says so itself.")
    assert late.failure.message.endswith("12:00 UTC: it was entered in the monitor.")
    assert soon.failure.is_ours
    assert (soon.failure.code, late.failure.code) == ("expiring", "expired")


@pytest.mark.parametrize("end", [None, "", "soon", 5, "2026-11-20T12:00:00"])
def test_what_is_not_known_is_no_concern(end):
    assert credential_concern({"credential.expires_at": end}, monitor=monitor(), now=NOW) is None


def test_a_credential_that_runs_out_is_told_three_times_and_resolved_by_a_new_one():
    end, alert, events = NOW + timedelta(hours=100), None, []
    for hour in range(104):
        now = NOW + timedelta(hours=hour)
        concern = credential_concern(facts(end), monitor=monitor(), now=now)
        change = follow_concern(alert, monitor=monitor(), concern=concern, at=now, new_id="a")
        if change is not None:
            alert = change.alert
            events.append((hour, change.event))
    change = follow_concern(alert, monitor=monitor(), concern=None, at=now, new_id="a")

    assert events == [(28, AlertEvent.FIRED), (76, AlertEvent.ESCALATED), (100, AlertEvent.ESCALATED)]  # fmt: skip
    assert change is not None
    assert change.event is AlertEvent.RESOLVED


_HOURS = st.floats(-1000, 1000)


@given(_HOURS, _HOURS)
def test_the_texts_stay_while_the_severity_does(left_h, later_h):
    end = NOW + timedelta(hours=left_h)
    first = credential_concern(facts(end), monitor=monitor(), now=NOW)
    later = credential_concern(facts(end), monitor=monitor(), now=NOW + timedelta(hours=later_h))

    if first is not None and later is not None and first.severity is later.severity:
        assert first == later
