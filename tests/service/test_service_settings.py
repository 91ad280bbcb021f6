"""Stars that come back: which stored secret they stand for."""

from lifesign.service.settings import with_kept_secrets

STORED = {
    "health": [
        {"name": "a", "url": "https://a.example", "headers": {"X-Key": "of-a"}},
        {"name": "b", "url": "https://b.example", "headers": {"X-Key": "of-b"}},
    ],
    "plain": ["one", "two"],
}


def test_secrets_of_named_items_follow_their_names_and_not_their_places() -> None:
    given = {
        "health": [
            {"name": "b", "url": "https://b.example", "headers": {"X-Key": "***"}},
            {"name": "new", "headers": {"X-Key": "***"}},
            {"name": "a", "headers": {"X-Key": "***"}},
        ]
    }

    b, new, a = with_kept_secrets(given, STORED)["health"]  # type: ignore[attr-defined,misc]

    assert b["headers"] == {"X-Key": "of-b"}
    assert new["headers"] == {"X-Key": "***"}
    assert a["headers"] == {"X-Key": "of-a"}


def test_items_without_a_name_are_known_by_their_place() -> None:
    assert with_kept_secrets({"plain": ["***", "x", "***"]}, STORED)["plain"] == ["one", "x", "***"]
