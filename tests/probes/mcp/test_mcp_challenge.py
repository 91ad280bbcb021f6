"""What is read out of `WWW-Authenticate`, as servers really send it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lifesign.probes.mcp.checks.challenge import MAX_CHALLENGES, Challenge, parse_challenges

PRM = "https://api.example/.well-known/oauth-protected-resource/mcp"


def read(*headers: str) -> list[tuple[str, dict[str, str], str]]:
    """The challenges as plain tuples."""
    return [(each.scheme, dict(each.params), each.token68) for each in parse_challenges(headers)]


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        (("Bearer",), [("bearer", {}, "")]),
        (("  bearer  ",), [("bearer", {}, "")]),
        ((f'Bearer resource_metadata="{PRM}"',), [("bearer", {"resource_metadata": PRM}, "")]),
        ((f"Bearer resource_metadata={PRM}",), [("bearer", {"resource_metadata": PRM}, "")]),
        (
            ('Bearer error="invalid_token", error_description="No, thanks", scope="a b"',),
            [("bearer", {"error": "invalid_token", "error_description": "No, thanks", "scope": "a b"}, "")],
        ),
        (
            ('Bearer realm="x" , Scope = "a" ,DPoP algs="ES256 PS256", Basic realm="y"',),
            [
                ("bearer", {"realm": "x", "scope": "a"}, ""),
                ("dpop", {"algs": "ES256 PS256"}, ""),
                ("basic", {"realm": "y"}, ""),
            ],
        ),
        (("Bearer realm=x", "Basic realm=y"), [("bearer", {"realm": "x"}, ""), ("basic", {"realm": "y"}, "")]),
        (("Negotiate, Bearer",), [("negotiate", {}, ""), ("bearer", {}, "")]),
        (
            ("Negotiate YII==, Bearer realm=x",),
            [("negotiate", {}, "YII=="), ("bearer", {"realm": "x"}, "")],
        ),
        ((r'Basic realm="a \"b\", c\\d"',), [("basic", {"realm": r'a "b", c\d'}, "")]),
        (('Bearer realm="never closed',), [("bearer", {"realm": "never closed"}, "")]),
        (('Bearer realm=""',), [("bearer", {"realm": ""}, "")]),
        (('Bearer scope="a", scope="b"',), [("bearer", {"scope": "a"}, "")]),
        ((',, ,Bearer realm="x",,',), [("bearer", {"realm": "x"}, "")]),
        (('realm="x", Bearer',), [("bearer", {}, "")]),
        (("",), []),
        (("???, ()", "=,="), []),
    ],
)  # fmt: skip
def test_challenges_are_read_as_they_come(headers, expected):
    assert read(*headers) == expected


def test_a_scheme_is_shown_as_it_is_registered():
    assert [each.shown_scheme for each in parse_challenges("bearer, DPOP, basic")] == [
        "Bearer",
        "DPoP",
        "Basic",
    ]


def test_the_number_of_challenges_is_bounded():
    assert (
        len(parse_challenges(", ".join(f"S{number}" for number in range(5000)))) == MAX_CHALLENGES
    )


@given(st.text(max_size=300) | st.text(alphabet='Bearer =",\\\t a1~/', max_size=80))
def test_nothing_breaks_the_reader(text):
    for each in parse_challenges(text):
        assert isinstance(each, Challenge)
        assert each.scheme == each.scheme.lower()


_NAMES = st.from_regex(r"[a-z_]{1,8}", fullmatch=True)
_VALUES = st.text(st.characters(codec="latin-1", exclude_categories=("Cc",)), max_size=20)


def _quoted(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


@given(st.lists(st.tuples(_NAMES, st.dictionaries(_NAMES, _VALUES, min_size=1)), max_size=4))
def test_what_is_written_by_the_grammar_is_read_back(challenges):
    header = ", ".join(
        f"{scheme} " + ", ".join(f"{name}={_quoted(value)}" for name, value in params.items())
        for scheme, params in challenges
    )

    assert [(each[0], each[1]) for each in read(header)] == challenges
