"""Equal JSON has one text, whatever form it was sent in."""

import json
import math
import unicodedata

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from lifesign.core.drift.canonical import MAX_DEPTH, CanonicalError, TooDeepError, canonical

words = st.text(
    st.characters(codec="utf-8", exclude_characters="\x00") | st.sampled_from("éöﬁÅ가😀�"),
    max_size=6,
)
numbers = (
    st.integers(-(2**53) + 1, 2**53 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.sampled_from([1e21, 1e22, 1e16, 123456789012345680.0, 1e-6, 1e-7, 5e-324, 0.1, -0.0])
)
values = st.recursive(
    st.booleans() | numbers | words,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(words, inner, max_size=4),
    max_leaves=20,
)


def renormalised(value: object, form: str) -> object:
    """The value with every string and key in a Unicode form, its keys in reverse, whole numbers as doubles."""
    match value:
        case dict():
            return {
                unicodedata.normalize(form, key): renormalised(each, form)  # type: ignore[arg-type]
                for key, each in reversed(value.items())
            }
        case list():
            return [renormalised(each, form) for each in value]
        case str():
            return unicodedata.normalize(form, value)  # type: ignore[arg-type]
        case bool():
            return value
        case int() if abs(value) < 2**53:
            return float(value)
    return value


def keys_collide(value: object) -> bool:
    if isinstance(value, dict):
        distinct = {unicodedata.normalize("NFC", key) for key in value}
        return len(distinct) < len(value) or any(keys_collide(each) for each in value.values())
    return isinstance(value, list) and any(keys_collide(each) for each in value)


@given(values)
def test_the_text_is_that_of_rfc_8785(value: object) -> None:
    """What is in NFC already is written as the reference implementation writes it."""
    composed = renormalised(value, "NFC")

    assert rfc8785.dumps(composed) == canonical(composed)  # type: ignore[arg-type]


@given(values.filter(lambda value: not keys_collide(value)))
def test_key_order_number_form_and_unicode_form_never_matter(value: object) -> None:
    expected = canonical(value)

    assert canonical(renormalised(value, "NFD")) == expected
    assert canonical(renormalised(value, "NFC")) == expected
    assert canonical(json.loads(expected)) == expected


@pytest.mark.parametrize("form", ["1", "1.0", "1e0", "10e-1", "100E-2"])
def test_forms_of_one_number_are_one(form: str) -> None:
    assert canonical(json.loads(form)) == b"1"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (2**53 + 1, b"9007199254740992"),
        (2**60, b"1152921504606847000"),
        (10**22, b"1e+22"),
        ([10**400, math.inf, -math.inf, math.nan], b"[null,null,null,null]"),
        ({"maximum": math.inf, "a": None, "b": [None]}, b'{"b":[null]}'),
        ("\ud800x", '"�x"'.encode()),
    ],
)
def test_what_rfc_8785_refuses_is_written_all_the_same(value: object, expected: bytes) -> None:
    assert expected == canonical(value)


def test_keys_that_become_one_end_the_same_in_any_order() -> None:
    composed, decomposed = "\u00e9", "e\u0301"

    one = canonical({composed: 1, decomposed: 2})

    assert one == canonical({decomposed: 2, composed: 1})
    assert one == '{"é":1}'.encode()


def test_keys_that_normalise_to_ascii_are_sorted_by_what_they_become() -> None:
    assert canonical({"\u212a": 1, "L": 2}) == canonical({"K": 1, "L": 2})


def test_keys_are_sorted_by_utf16_units() -> None:
    """RFC 8785 section 3.2.3: U+1F600 (a surrogate pair) sorts before U+FB00."""
    assert canonical({"\ufb00": 1, "\U0001f600": 2}) == '{"😀":2,"ﬀ":1}'.encode()


@pytest.mark.parametrize("kind", ["list", "dict"])
def test_nesting_is_bounded(kind: str) -> None:
    def nested(levels: int) -> object:
        value: object = 1
        for _ in range(levels):
            value = [value] if kind == "list" else {"a": value}
        return value

    assert canonical(nested(MAX_DEPTH)).count(b"[" if kind == "list" else b"{") == MAX_DEPTH
    for levels in (MAX_DEPTH + 1, 100_000):
        with pytest.raises(TooDeepError, match="500 levels"):
            canonical(nested(levels))


def test_a_caller_near_the_end_of_the_stack_gets_our_error_too() -> None:
    def descend(levels: int, value: object) -> bytes:
        return canonical(value) if not levels else descend(levels - 1, value)

    value: object = 1
    for _ in range(MAX_DEPTH):
        value = [value]

    with pytest.raises(TooDeepError):
        descend(700, value)


@pytest.mark.parametrize("value", [b"bytes", {1: 2}, object(), {"a": {1}}])
def test_what_is_no_json_is_refused(value: object) -> None:
    with pytest.raises(CanonicalError):
        canonical(value)
