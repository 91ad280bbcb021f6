"""What a load test counts, and the limits it is held against."""

import pytest

from lifesign.cli.load_tally import MAX_CLASSES, Tally, hold, limits_of
from lifesign.core.errors import InvalidError
from lifesign.core.model import Failure


def counted(*times_ms: float, failed: int = 0) -> Tally:
    tally = Tally()
    for took in times_ms:
        tally.succeed(took)
    for _ in range(failed):
        tally.fail(Failure("tcp", "refused", "No."))
    return tally


def test_quantiles_are_close_and_never_above_the_maximum() -> None:
    told = counted(*(float(number) for number in range(1, 10_001))).latencies()

    assert told["p50"] == pytest.approx(5000, rel=0.016)
    assert told["p95"] == pytest.approx(9500, rel=0.016)
    assert told["p99"] == pytest.approx(9900, rel=0.016)
    assert told["max"] == 10_000
    assert all(
        value is not None and 6.8 < value <= 7.0 for value in counted(7.0).latencies().values()
    )


def test_nothing_has_no_latency_and_no_rate_of_errors() -> None:
    assert Tally().latencies() == {"p50": None, "p95": None, "p99": None, "max": None}
    assert Tally().error_rate == 0.0


def test_classes_are_bounded_and_all_are_counted() -> None:
    tally = Tally()
    for number in range(MAX_CLASSES + 50):
        tally.fail(Failure("http", f"code_{number}", "No."))
        tally.fail(Failure("tcp", "refused", f"Number {number}."))

    assert len(tally.troubles) == MAX_CLASSES
    assert tally.failed == 2 * (MAX_CLASSES + 50)
    assert tally.troubles["tcp", "refused"].count == MAX_CLASSES + 50
    assert tally.troubles["tcp", "refused"].first.message == "Number 0."


@pytest.mark.parametrize(
    ("limit", "tally", "rate", "is_kept"),
    [
        ("p95>500ms", counted(100.0), 1.0, True),
        ("p95 > 50ms", counted(100.0), 1.0, False),
        ("max>0.1s", counted(100.0), 1.0, True),
        ("p50>1s", Tally(), 0.0, False),
        ("rate<10", counted(1.0), 10.0, True),
        ("rate<10", counted(1.0), 9.9, False),
    ],
)
def test_limits(limit: str, tally: Tally, rate: float, *, is_kept: bool) -> None:
    assert hold(limits_of([limit], "100%"), tally, rate)[0].is_kept is is_kept


@pytest.mark.parametrize(
    ("share", "failed", "is_kept"),
    [("0%", 0, True), ("0%", 1, False), ("50%", 1, True), ("49.9%", 1, False), ("100%", 1, True)],
)
def test_the_share_of_errors(share: str, failed: int, *, is_kept: bool) -> None:
    (held,) = hold(limits_of([], share), counted(1.0, failed=failed), 1.0)

    assert held.is_kept is is_kept


def test_nothing_measured_is_no_pass() -> None:
    assert [each.is_kept for each in hold(limits_of([], "0%"), Tally(), 0.0)] == [False]


@pytest.mark.parametrize(
    "text", ["", "p95", "p95<1s", "p95>fast", "rate>1", "errors>1%", "p95>1s;p99>2s"]
)
def test_what_is_no_limit_is_refused(text: str) -> None:
    with pytest.raises(InvalidError, match="--fail-on"):
        limits_of([text], "0%")


@pytest.mark.parametrize("share", ["", "1", "-1%", "100.1%", "one%"])
def test_what_is_no_share_is_refused(share: str) -> None:
    with pytest.raises(InvalidError, match="--max-error-rate"):
        limits_of([], share)
