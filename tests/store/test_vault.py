import stat
from pathlib import Path

import pytest

from lifesign.core.messages import Channel
from lifesign.store import Vault, VaultError, open_store
from store.making import OURS, a_monitor

PLACE = {"tenant": "default", "table": "channels", "column": "settings", "row": "c1"}
SECRET = "correct horse battery staple, and more"


def test_what_is_sealed_opens_in_its_place_only():
    vault = Vault.from_secret(SECRET)
    sealed = vault.seal(b"token", **PLACE)

    assert vault.open(sealed, **PLACE) == b"token"
    assert b"token" not in sealed
    assert vault.seal(b"token", **PLACE) != sealed
    for part in PLACE:
        with pytest.raises(VaultError):
            vault.open(sealed, **{**PLACE, part: "elsewhere"})


def test_changed_bytes_and_foreign_keys_do_not_open():
    vault = Vault.from_secret(SECRET)
    sealed = vault.seal(b"token", **PLACE)

    with pytest.raises(VaultError, match="changed or moved"):
        vault.open(sealed[:-1] + bytes([sealed[-1] ^ 1]), **PLACE)
    with pytest.raises(VaultError, match="another key"):
        Vault.from_secret(SECRET + "!").open(sealed, **PLACE)


def test_an_older_key_still_opens():
    old, new = b"o" * 32, b"n" * 32
    sealed = Vault(old).seal(b"token", **PLACE)

    assert Vault(new, older=(old,)).open(sealed, **PLACE) == b"token"


def test_a_key_file_is_made_once_and_for_its_owner_only(tmp_path: Path):
    path = tmp_path / "data" / "secret.key"

    sealed = Vault.from_file(path).seal(b"token", **PLACE)

    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert Vault.from_file(path).open(sealed, **PLACE) == b"token"
    assert list(path.parent.iterdir()) == [path]


def test_a_torn_key_file_is_named(tmp_path: Path):
    path = tmp_path / "secret.key"
    path.write_bytes(b"short")

    with pytest.raises(VaultError, match="32 bytes"):
        Vault.from_file(path)


async def test_settings_are_encrypted_on_the_disk(tmp_path: Path):
    path = tmp_path / "lifesign.db"
    channel = Channel(id="c1", name="ops", kind="webhook", settings={"secret": "hunter2hunter2"})
    vault = Vault.from_secret(SECRET)
    async with open_store(f"sqlite:///{path}", vault) as store:
        await store.channels.add(OURS, channel)
        await store.monitors.add(OURS, a_monitor(settings={"password": "hunter2hunter2"}))
        assert (await store.channels.get(OURS, "c1")).settings == channel.settings
        assert (await store.monitors.get(OURS, "m1")).settings["password"] == "hunter2hunter2"

    written = b"".join(file.read_bytes() for file in tmp_path.iterdir())  # noqa: ASYNC240 - a test may
    assert b"hunter2" not in written
    async with open_store(f"sqlite:///{path}") as store:
        with pytest.raises(VaultError, match="no key was given"):
            await store.channels.get(OURS, "c1")
