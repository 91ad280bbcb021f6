"""`lifesign monitor` says what is wrong with a command line before it asks any daemon."""

import io
import sys

import pytest


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["rm", "shop"], "--yes"),
        (["add", "127.0.0.1:9", "--interval", "5"], "--interval"),
        (["add", "127.0.0.1:9", "--timeout", "5"], "--timeout"),
    ],
)
def test_wrong_usage_is_exit_code_64(lifesign, tmp_path, monkeypatch, args, words):
    monkeypatch.setattr(sys, "stdin", io.StringIO())
    told = lifesign("monitor", *args, "--data", tmp_path)

    assert (told.code, told.out) == (64, "")
    assert words in told.err
