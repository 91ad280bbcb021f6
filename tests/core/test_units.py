"""Durations and sizes as people write them."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lifesign.core.units import (
    MAX_DURATION,
    format_duration,
    format_size,
    parse_duration,
    parse_size,
)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("30s", 30),
        ("5m", 300),
        ("1h30m", 5400),
        ("1h 30m", 5400),
        ("2d", 172_800),
        ("1w", 604_800),
        ("250ms", 0.25),
        ("1.5s", 1.5),
        (" 10s ", 10),
        ("0", 0),
        ("0s", 0),
    ],
)
def test_durations_that_people_write(text: str, seconds: float) -> None:
    assert timedelta(seconds=seconds) == parse_duration(text)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("30", "has no unit: write 30s"),
        ("1.5", "has no unit"),
        ("", "is not a duration"),
        ("s", "is not a duration"),
        ("-5s", "is not a duration"),
        ("5 minutes", "is not a duration"),
        ("1h 5", "is not a duration"),
        ("٣s", "is not a duration"),
        ("30m1h", "largest first"),
        ("1s1s", "each unit once"),
        ("200000w", "a hundred years"),
        ("9" * 400 + "d", "a hundred years"),
    ],
)
def test_durations_that_are_refused_say_why(text: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        parse_duration(text)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0s"), (30, "30s"), (90, "1m30s"), (5400, "1h30m"), (86_400, "1d"), (0.25, "250ms")],
)
def test_durations_are_written_in_whole_units(seconds: float, text: str) -> None:
    assert text == format_duration(timedelta(seconds=seconds))


def test_a_negative_duration_cannot_be_written() -> None:
    with pytest.raises(ValueError, match="never negative"):
        format_duration(timedelta(seconds=-1))


@given(st.integers(min_value=0, max_value=MAX_DURATION // timedelta(milliseconds=1)))
def test_a_written_duration_reads_back_the_same(milliseconds: int) -> None:
    duration = timedelta(milliseconds=milliseconds)

    assert duration == parse_duration(format_duration(duration))


@given(st.text(max_size=12))
def test_any_text_is_a_duration_or_a_value_error(text: str) -> None:
    try:
        duration = parse_duration(text)
    except ValueError:
        return

    assert timedelta() <= duration <= MAX_DURATION


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("0B", 0),
        ("512B", 512),
        ("64KiB", 65_536),
        ("1 MiB", 1_048_576),
        ("1.5kB", 1500),
        ("2GB", 2 * 10**9),
    ],
)
def test_sizes_that_people_write(text: str, size: int) -> None:
    assert size == parse_size(text)


@pytest.mark.parametrize("text", ["10", "", "MiB", "-1B", "1.5B", "1kiB", "3 bytes"])
def test_sizes_that_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a"):
        parse_size(text)


@given(st.integers(min_value=0, max_value=1 << 50))
def test_a_written_size_reads_back_the_same(size: int) -> None:
    assert size == parse_size(format_size(size))
