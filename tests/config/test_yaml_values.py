"""YAML texts of people who are not at this machine: read with their places, written so that they read back."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lifesign.config.document import read_value, write_value
from lifesign.config.problems import ConfigError, Place

TEXTS = st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), max_size=20)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=12,
)  # fmt: skip


@given(VALUES)
def test_what_is_written_is_read_back(value):
    assert value == read_value(write_value(value), "here")[0]


@pytest.mark.parametrize(
    "text", ["1e3", "0o17", "no", "~", "12:30", "a: b", "- a", " a ", "a\nb\n", "***"]
)
def test_texts_stay_texts(text):
    assert [text] == read_value(write_value([text]), "here")[0]


def test_a_list_has_places():
    value, origins = read_value("- name: a\n  every: 5m\n", "canaries")

    assert value == [{"name": "a", "every": "5m"}]
    assert origins.of((0, "every")) == Place("canaries", 2, 3)


def test_references_stay_as_they_are_written(tmp_path, monkeypatch):
    """Whoever fills in a form must not read the files and the environment of the server."""
    secret = tmp_path / "secret"
    secret.write_text("hidden", "utf-8")
    monkeypatch.setenv("SECRET", "hidden")
    written = f"- ${{file:{secret}}}\n- ${{env:SECRET}}\n"

    assert read_value(written, "here")[0] == [f"${{file:{secret}}}", "${env:SECRET}"]


def test_a_text_that_is_no_yaml_says_where():
    with pytest.raises(ConfigError) as caught:
        read_value("- a: [1\n", "here")

    assert caught.value.findings[0].place.line == 2


def test_certificates_stand_on_lines_of_their_own():
    assert write_value({"pem": "-----BEGIN\nabc\n-----END\n"}) == (
        "pem: |\n  -----BEGIN\n  abc\n  -----END\n"
    )
