import asyncio
from datetime import timedelta

import pytest

from lifesign.clock import FakeClock
from lifesign.core.errors import (
    ConflictError,
    ForbiddenError,
    InvalidError,
    UnauthenticatedError,
)
from lifesign.core.scope import Grant
from lifesign.service.keys import is_token, new_token, prefix_of
from lifesign.service.passwords import check_password
from lifesign.service.people import SESSION_IDLE, SETUP_FOR, People
from lifesign.service.throttle import MAX_DELAY_S, SignInLimits, ThrottledError, place_of
from premises import ADMIN, OPERATOR, PASSWORD, Premises

EMAIL = "ada@example.org"


async def set_up(house: Premises) -> str:
    token = await house.services.people.setup_token(house.clock.now())
    assert token is not None
    return await house.services.people.complete_setup(token, email=EMAIL, password=PASSWORD)


async def test_setup_link_makes_the_first_admin_and_signs_in(house: Premises) -> None:
    scope = await house.services.people.session(await set_up(house))

    assert (scope.actor, scope.grant) == (EMAIL, Grant.ADMIN)
    assert await house.services.people.setup_token(house.clock.now()) is None


async def test_setup_link_works_once(house: Premises) -> None:
    token = await house.services.people.setup_token(house.clock.now())
    await house.services.people.complete_setup(str(token), email=EMAIL, password=PASSWORD)

    with pytest.raises((UnauthenticatedError, ConflictError)):
        await house.services.people.complete_setup(str(token), email="b@x.org", password=PASSWORD)


async def test_setup_link_ends_after_a_quarter_of_an_hour(house: Premises) -> None:
    token = await house.services.people.setup_token(house.clock.now())
    house.clock.advance(SETUP_FOR.total_seconds() + 1)

    with pytest.raises(UnauthenticatedError):
        await house.services.people.complete_setup(str(token), email=EMAIL, password=PASSWORD)


async def test_looking_at_the_setup_link_again_keeps_it_alive(house: Premises) -> None:
    printed = await house.services.people.setup_token(house.clock.now())
    assert await house.services.people.setup_token(house.clock.now()) == printed

    await house.services.people.complete_setup(str(printed), email=EMAIL, password=PASSWORD)


async def test_weak_password_leaves_the_setup_link_good(house: Premises) -> None:
    token = str(await house.services.people.setup_token(house.clock.now()))
    with pytest.raises(InvalidError):
        await house.services.people.complete_setup(token, email=EMAIL, password="short")

    await house.services.people.complete_setup(token, email=EMAIL, password=PASSWORD)


@pytest.mark.parametrize(
    "password",
    ["elevenchars", "passwordpassword", "Password 1234", "aaaaaaaaaaaaaa", "abcabcabcabc", EMAIL],
)
def test_guessable_password_is_refused(password: str) -> None:
    with pytest.raises(InvalidError):
        check_password(password, email=EMAIL)


async def test_unknown_user_and_wrong_password_get_the_same_answer(house: Premises) -> None:
    await set_up(house)
    said = []
    for email in (EMAIL, "nobody@example.org"):
        with pytest.raises(UnauthenticatedError) as caught:
            await house.services.people.log_in(email, "not it, not it", remote="192.0.2.1")
        said.append(str(caught.value))

    assert said[0] == said[1]


async def test_guessing_at_an_account_locks_out_the_guesser_and_nobody_else(
    house: Premises,
) -> None:
    await set_up(house)
    for _ in range(5):
        with pytest.raises(UnauthenticatedError):
            await house.services.people.log_in(EMAIL, "wrong wrong", remote="192.0.2.1")
    with pytest.raises(ThrottledError):
        await house.services.people.log_in(EMAIL, PASSWORD, remote="192.0.2.1")

    assert await house.services.people.log_in(EMAIL, PASSWORD, remote="192.0.2.99")
    house.clock.advance(31)
    assert await house.services.people.log_in(EMAIL, PASSWORD, remote="192.0.2.1")


@pytest.mark.slow
@pytest.mark.parametrize("account", [EMAIL, "nobody@example.org"])
async def test_guesses_from_many_addresses_make_an_account_slow_but_never_closed(
    house: Premises, account: str
) -> None:
    await set_up(house)
    waits: list[float] = []

    async def wait(seconds: float) -> None:
        waits.append(seconds)

    people = People(store=house.store, clock=house.clock, wait=wait)
    for attempt in range(14):
        with pytest.raises(UnauthenticatedError):
            await people.log_in(account, "wrong wrong", remote=f"192.0.2.{attempt}")

    assert waits == pytest.approx([0.1, 0.2, 0.3])
    assert await people.log_in(EMAIL, PASSWORD, remote="192.0.2.99")


def test_wait_is_bounded_and_fades() -> None:
    clock = FakeClock()
    limits = SignInLimits(clock)
    waits = [limits.enter(EMAIL, f"192.0.{n}.1") for n in range(200)]
    clock.advance(3600)

    assert max(waits) == MAX_DELAY_S
    assert limits.enter(EMAIL, "198.51.100.1") == 0


@pytest.mark.parametrize(
    ("remote", "place"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("", ""),
        ("unix:", "unix:"),
    ],
)
def test_attempts_are_counted_by_what_one_machine_may_use(remote: str, place: str) -> None:
    assert place_of(remote) == place


@pytest.mark.slow
async def test_guessing_is_stopped_per_address_whatever_the_account(house: Premises) -> None:
    for attempt in range(20):
        with pytest.raises(UnauthenticatedError):
            await house.services.people.log_in(f"u{attempt}@x.org", "wrong", remote="192.0.2.1")
    with pytest.raises(ThrottledError):
        await house.services.people.log_in("another@x.org", "wrong", remote="192.0.2.1")


async def test_guesses_at_the_same_time_are_counted_too(house: Premises) -> None:
    await set_up(house)
    guesses = [
        house.services.people.log_in(EMAIL, "wrong wrong", remote="192.0.2.1") for _ in range(9)
    ]
    answers = await asyncio.gather(*guesses, return_exceptions=True)

    assert sum(isinstance(answer, UnauthenticatedError) for answer in answers) == 5
    assert sum(isinstance(answer, ThrottledError) for answer in answers) == 4


async def test_signing_in_rightly_costs_no_attempt(house: Premises) -> None:
    await set_up(house)
    for _ in range(21):
        assert await house.services.people.log_in(EMAIL, PASSWORD, remote="192.0.2.1")


async def test_session_ends_when_idle_and_lives_when_used(house: Premises) -> None:
    token = await set_up(house)
    for _ in range(3):
        house.clock.advance(SESSION_IDLE.total_seconds() * 0.9)
        await house.services.people.session(token)
    house.clock.advance(SESSION_IDLE.total_seconds() + 1)

    with pytest.raises(UnauthenticatedError):
        await house.services.people.session(token)


async def test_log_out_ends_the_session_for_good(house: Premises) -> None:
    token = await set_up(house)
    await house.services.people.log_out(token)
    await house.services.people.log_out(token)

    with pytest.raises(UnauthenticatedError):
        await house.services.people.session(token)


async def test_token_is_shown_once_and_opens_with_its_grant(house: Premises) -> None:
    people = house.services.people
    made = await people.create_token(
        ADMIN, name="ci", grant=Grant.OPERATE, expires_in=timedelta(days=1)
    )
    scope = await people.authenticate_token(made.secret)

    assert (scope.grant, scope.actor) == (Grant.OPERATE, "token ci")
    assert made.secret.startswith(made.prefix)
    assert [each.secret for each in await people.tokens(ADMIN)] == [""]


async def test_expired_and_revoked_tokens_are_refused(house: Premises) -> None:
    people = house.services.people
    short = await people.create_token(
        ADMIN, name="a", grant=Grant.READ, expires_in=timedelta(seconds=5)
    )
    gone = await people.create_token(ADMIN, name="b", grant=Grant.READ, expires_in=None)
    await people.revoke_token(ADMIN, gone.id)
    house.clock.advance(6)

    for secret in (short.secret, gone.secret):
        with pytest.raises(UnauthenticatedError):
            await people.authenticate_token(secret)


async def test_only_admins_make_tokens(house: Premises) -> None:
    with pytest.raises(ForbiddenError):
        await house.services.people.create_token(
            OPERATOR, name="x", grant=Grant.ADMIN, expires_in=None
        )


def test_checksum_tells_a_mistyped_token_without_a_database() -> None:
    token = new_token("service")
    other = "A" if token[15] != "A" else "B"

    assert is_token(token)
    assert len(token) == len("lsn_service_") + 36
    assert not is_token(token[:15] + other + token[16:])
    assert not is_token(token + "A")
    assert prefix_of(token) == token[: len("lsn_service_") + 8]
