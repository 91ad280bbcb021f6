"""A missing outside part is named with the way to get it, and fails in continuous integration."""

import pytest

import outside

pytest_plugins = ["pytester"]


def test_a_missing_part_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outside, "SYSTEM_PATH", "")

    assert outside.missing(("nginx",)) == [
        "nginx is not installed; get it with: apt install nginx-light"
    ]


@pytest.mark.parametrize(("ci", "outcome"), [("", "skipped"), ("true", "failed")])
def test_only_continuous_integration_insists(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, ci: str, outcome: str
) -> None:
    monkeypatch.setenv("CI", ci)
    gone = outside.Part(lambda: None, "apt install unicorn")
    monkeypatch.setitem(outside.PARTS, "unicorn", gone)
    pytester.makeconftest((outside.ROOT / "tests/conftest.py").read_text("utf-8"))
    pytester.makepyfile(
        "import pytest\n@pytest.mark.needs('unicorn')\ndef test_it(): raise AssertionError\n"
    )

    result = pytester.runpytest("-p", "no:cacheprovider", "-p", "no:asyncio", "-rA")

    key = "errors" if outcome == "failed" else outcome
    assert result.parseoutcomes() == {key: 1}
    result.stdout.fnmatch_lines(["*get it with: apt install unicorn*"])
