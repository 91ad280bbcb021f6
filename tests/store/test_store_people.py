from datetime import timedelta

import pytest

from lifesign.core.errors import ConflictError, NotFoundError, UnauthenticatedError
from lifesign.core.scope import Grant
from lifesign.store import ApiToken, Session, Store, User
from store.making import OURS, T0, THEIRS, at

IDLE = timedelta(hours=12)


def _user(user_id: str = "u1", email: str = "Ada@Example.org") -> User:
    return User(id=user_id, tenant="default", email=email, password_hash="hash", created_at=T0)


def _session(session_id: str = "s1") -> Session:
    return Session(
        id=session_id,
        tenant="default",
        user_id="u1",
        created_at=T0,
        seen_at=T0,
        idle_until=T0 + IDLE,
        expires_at=at(days=14),
        remote="::1",
    )


def _token(**changes) -> ApiToken:
    given = {"name": "ci", "prefix": "lsn_api_ab", "grant": Grant.READ, "created_at": T0}
    return ApiToken(id="t1", tenant="default", **{**given, **changes})


async def test_a_user_is_found_by_address_whatever_its_case(store: Store):
    assert await store.people.count_users() == 0

    await store.people.add_user(OURS, _user())

    assert await store.people.user_by_email("ADA@example.ORG") == _user()
    assert await store.people.get_user(OURS, "u1") == _user()
    assert await store.people.list_users(OURS) == (_user(),)
    assert await store.people.count_users() == 1
    with pytest.raises(ConflictError):
        await store.people.add_user(OURS, _user("u2", "ada@example.org"))
    with pytest.raises(NotFoundError):
        await store.people.get_user(THEIRS, "u1")


async def test_a_session_ends_idle_and_in_any_case(store: Store):
    await store.people.add_user(OURS, _user())
    await store.people.open_session(OURS, _session(), "secret")

    assert await store.people.session_by_token("secret", at(hours=11)) == (_session(), _user())
    assert await store.people.session_by_token("secret", T0 + IDLE) is None
    assert await store.people.session_by_token("other", T0) is None

    await store.people.touch_session(OURS, "s1", at(days=13.9), idle=IDLE)
    assert await store.people.session_by_token("secret", at(days=13.99)) is not None
    assert await store.people.session_by_token("secret", at(days=14)) is None


async def test_sessions_are_listed_and_revoked(store: Store):
    await store.people.add_user(OURS, _user())
    await store.people.open_session(OURS, _session(), "one")
    await store.people.open_session(OURS, _session("s2"), "two")

    await store.people.revoke_session(THEIRS, "s1")
    assert len(await store.people.list_sessions(OURS, "u1")) == 2
    await store.people.revoke_session(OURS, "s1")

    assert await store.people.list_sessions(OURS, "u1") == (_session("s2"),)
    assert await store.people.session_by_token("one", T0) is None


async def test_a_new_password_ends_the_other_sessions(store: Store):
    await store.people.add_user(OURS, _user())
    await store.people.open_session(OURS, _session(), "one")
    await store.people.open_session(OURS, _session("s2"), "two")

    await store.people.set_password(OURS, "u1", "new", keep_session="s2")

    assert [s.id for s in await store.people.list_sessions(OURS, "u1")] == ["s2"]
    assert (await store.people.get_user(OURS, "u1")).password_hash == "new"
    with pytest.raises(NotFoundError):
        await store.people.set_password(THEIRS, "u1", "stolen")


async def test_a_removed_user_is_signed_out(store: Store):
    await store.people.add_user(OURS, _user())
    await store.people.open_session(OURS, _session(), "one")

    await store.people.remove_user(OURS, "u1")

    assert await store.people.session_by_token("one", T0) is None
    with pytest.raises(NotFoundError):
        await store.people.remove_user(OURS, "u1")


async def test_a_token_is_found_by_its_secret_until_it_expires_or_is_revoked(store: Store):
    token = await store.people.add_token(OURS, _token(expires_at=at(days=1)), "secret")

    assert await store.people.token_by_secret("secret", T0) == token
    assert await store.people.token_by_secret("secret", at(days=1)) is None
    assert await store.people.token_by_secret(token.prefix, T0) is None
    await store.people.touch_token(OURS, "t1", at(minutes=1))
    (listed,) = await store.people.list_tokens(OURS)
    assert listed.last_used_at == at(minutes=1)
    assert await store.people.list_tokens(THEIRS) == ()
    with pytest.raises(NotFoundError):
        await store.people.revoke_token(THEIRS, "t1")
    await store.people.revoke_token(OURS, "t1")
    assert await store.people.token_by_secret("secret", T0) is None


async def test_a_set_up_link_works_once_and_until_it_expires(store: Store):
    async def link(secret: str) -> None:
        await store.people.add_setup_link(OURS, secret, created_at=T0, expires_at=at(minutes=15))

    await link("first")
    await link("second")

    assert not await store.people.is_setup_link("first", T0)
    assert not await store.people.is_setup_link("second", at(minutes=15))
    assert await store.people.is_setup_link("second", T0)
    await store.people.redeem_setup_link("second", T0, _user())
    with pytest.raises(UnauthenticatedError):
        await store.people.redeem_setup_link("second", T0, _user("u2", "eve@example.org"))
    assert await store.people.count_users() == 1


async def test_a_link_is_not_used_up_by_a_user_that_was_refused(store: Store):
    await store.people.add_user(OURS, _user())
    await store.people.add_setup_link(OURS, "link", created_at=T0, expires_at=at(minutes=15))

    with pytest.raises(ConflictError):
        await store.people.redeem_setup_link("link", T0, _user("u2"))

    assert await store.people.is_setup_link("link", T0)


async def test_what_is_over_is_forgotten(store: Store):
    await store.people.add_user(OURS, _user())
    await store.people.open_session(OURS, _session(), "one")

    await store.people.forget_expired(T0)
    assert len(await store.people.list_sessions(OURS, "u1")) == 1
    await store.people.forget_expired(at(days=15))

    assert await store.people.list_sessions(OURS, "u1") == ()


def test_a_user_shows_no_password_hash():
    assert "hash='" not in repr(_user())
