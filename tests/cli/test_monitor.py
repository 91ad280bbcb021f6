"""`lifesign monitor` against a real daemon."""

import pytest

from lifesign.cli.monitor import parse_settings
from lifesign.cli.monitor_text import percent
from lifesign.core.errors import InvalidError

pytestmark = pytest.mark.slow


def test_a_monitor_is_added_listed_run_paused_and_removed(lifesign, daemon):
    where = ("--data", daemon.data)
    added = lifesign(
        "monitor", "add", f"{daemon.url}/healthz", "--name", "Self", "--interval", "1h",
        "--expect", "status == 200", "--tag", "own", "--set", "method=HEAD", "--json", *where,
    )  # fmt: skip
    assert added.code == 0, added.err
    slug = added.json["slug"]

    ran = lifesign("monitor", "run", slug, "--json", *where)
    listed = lifesign("monitor", "ls", "--tag", "own", "--json", *where)
    paused = lifesign("monitor", "pause", slug, "--json", *where)
    refused = lifesign("monitor", "run", slug, *where)
    resumed = lifesign("monitor", "resume", slug, "--json", *where)
    shown = lifesign("monitor", "show", slug, *where)
    removed = lifesign("monitor", "rm", slug, "--yes", *where)
    gone = lifesign("monitor", "show", slug, *where)

    assert added.json["settings"]["method"] == "HEAD"
    assert added.json["interval_s"] == 3600
    assert (ran.code, ran.json["state"]) == (0, "up")
    assert [row["name"] for row in listed.json] == ["Self"]
    assert paused.json["state"] == "paused"
    assert (refused.code, "monitor resume" in refused.err) == (5, True)
    assert not resumed.json["paused"]
    assert "Self" in shown.out
    assert removed.code == 0
    assert (gone.code, gone.out) == (4, "")


def test_a_run_that_is_not_up_says_why_and_exits_2(lifesign, daemon):
    where = ("--data", daemon.data)
    lifesign("monitor", "add", "127.0.0.1:9", "--kind", "tcp", "--name", "Dead end", *where)
    ran = lifesign("monitor", "run", "dead-end", *where)

    assert ran.code == 2
    assert "tcp / refused" in ran.out
    assert "Checking Dead end" in ran.err


def test_a_job_is_named_by_what_is_given_and_gets_an_address(lifesign, daemon):
    added = lifesign(
        "monitor", "add", "Backup", "--kind", "heartbeat", "--json", "--data", daemon.data
    )

    assert added.json["name"] == "Backup"
    assert "/ping/" in added.json["ping_url"]


def test_a_listing_for_people_has_shapes_words_and_no_colour(lifesign, daemon):
    lifesign("monitor", "add", "127.0.0.1:9", "--kind", "tcp", "--paused", "--data", daemon.data)
    listed = lifesign("monitor", "ls", "--state", "paused", "--data", daemon.data)

    assert "‖ paused" in listed.out
    assert "\x1b" not in listed.out


def test_what_is_wrong_with_a_draft_is_said_by_field(lifesign, daemon):
    added = lifesign(
        "monitor", "add", "http://127.0.0.1/", "--set", "metod=HEAD", "--data", daemon.data
    )

    assert added.code == 64
    assert "settings.metod" in added.err
    assert "method" in added.err


def test_an_unknown_sort_is_a_usage_error(lifesign, tmp_path):
    assert lifesign("monitor", "ls", "--sort", "age", "--data", tmp_path).code == 64


def test_settings_are_json_text_or_a_file(tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("hunter2\n")
    settings = parse_settings(
        ["port=443", "verify=false", "auth.username=ada", f"auth.password=@{secret}", "send=a=b"]
    )

    assert settings == {
        "port": 443,
        "verify": False,
        "auth": {"username": "ada", "password": "hunter2"},
        "send": "a=b",
    }


@pytest.mark.parametrize("pairs", [["port"], ["=1"], ["a=1", "a.b=2"], ["a=@/does/not/exist"]])
def test_settings_that_make_no_sense_are_refused(pairs):
    with pytest.raises(InvalidError):
        parse_settings(pairs)


def test_only_a_whole_day_is_a_hundred_percent():
    assert [percent(f) for f in (1.0, 0.999999, 0.5, None)] == ["100%", "99.99%", "50.00%", "-"]
