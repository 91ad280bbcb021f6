"""What messages call an alert that is not about the monitor's own state."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from lifesign.core import wording
from lifesign.core.messages import Alert, AlertEvent
from lifesign.core.model import Monitor

AT = datetime(2026, 11, 20, 12, tzinfo=UTC)
SHOP = Monitor(id="m1", name="shop", kind="mcp", settings={})
ALERT = Alert(
    id="a1", key="drift/m1", monitor_id="m1", title="shop: a tool is gone", opened_at=AT,
    updated_at=AT,
)  # fmt: skip


def test_a_concern_is_called_by_its_topic_and_not_down():
    titles = {event: wording.title(ALERT, event=event, monitor=SHOP) for event in AlertEvent}

    assert titles == {
        AlertEvent.FIRED: "[DRIFT] shop: a tool is gone",
        AlertEvent.ESCALATED: "[WORSE] shop: a tool is gone",
        AlertEvent.ACKNOWLEDGED: "[ACKNOWLEDGED] shop, by somebody",
        AlertEvent.RESOLVED: "[RESOLVED] shop: a tool is gone",
    }


def test_the_end_of_a_concern_is_no_recovery():
    over = replace(ALERT, resolved_at=AT + timedelta(minutes=5))
    text = wording.text(
        over, event=AlertEvent.RESOLVED, monitor=SHOP, target="", ladder="", link=""
    )

    assert "Over since 2026-11-20 12:05:00 UTC after 5 min." in text
    assert "Recovered" not in text
