"""What a terminal says of published surfaces."""

from datetime import UTC, datetime, timedelta

import pytest

from lifesign.cli.surface_text import print_surface


@pytest.mark.parametrize(
    ("seen", "words"), [(9, "last seen 9m ago"), (None, "last seen too long ago to tell")]
)
def test_a_surface_that_is_seen_no_more_is_not_called_unchanged(
    capsys: pytest.CaptureFixture[str], seen: int | None, words: str
) -> None:
    now = datetime.now(UTC)
    seen_at = None if seen is None else (now - timedelta(minutes=seen)).isoformat()
    since = (now - timedelta(hours=2)).isoformat()
    place = {
        "region": "local", "audience": "", "digest": "v1:a", "since": since, "seen_at": seen_at,
        "stale": True, "baseline": "v1:a", "baseline_since": since, "pinned": False,
        "drifted": False, "unstable": False, "impact": None, "differences": [], "server": "shop 4",
        "tools": ["search"], "tool_count": 1, "resource_count": 0, "prompt_count": 0,
    }  # fmt: skip
    print_surface({"monitor_name": "shop", "places": [place], "releases": []})
    out = capsys.readouterr().out

    assert words in out
    assert "unchanged" not in out
