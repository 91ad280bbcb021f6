"""Secrets at rest: AES-256-GCM around whole settings, bound to the one row they belong to.

A sealed value is `0x01 | key id (8 bytes) | nonce (12) | ciphertext and tag`. The additional data is
`tenant|table|column|row`, so that a value copied into another row, table or tenant does not open.
"""

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from lifesign.core.errors import LifesignError

_VERSION = b"\x01"
_KEY_BYTES = 32
_ID_BYTES = 8
_NONCE_BYTES = 12  # what NIST SP 800-38D §5.2.1.1 asks of GCM
_HEAD = len(_VERSION) + _ID_BYTES + _NONCE_BYTES
KEY_FILE = "secret.key"


class VaultError(LifesignError):
    """A stored secret cannot be opened, or the key cannot be used."""

    code = "vault"


class Vault:
    """Seals with the newest key and opens with any key it holds, so that keys can be changed."""

    def __init__(self, key: bytes, *, older: tuple[bytes, ...] = ()) -> None:
        """Take 32-byte keys; the first seals."""
        if any(len(each) != _KEY_BYTES for each in (key, *older)):
            raise VaultError(
                f"An encryption key is not {_KEY_BYTES} bytes long.",
                remedy="Use the key file that Lifesign made, or set a secret key of 32 characters or more.",
            )
        self._newest = _key_id(key)
        self._ciphers: Mapping[bytes, AESGCM] = {
            _key_id(each): AESGCM(each) for each in (key, *older)
        }

    @classmethod
    def from_secret(cls, secret: str) -> "Vault":
        """A vault for a given secret text of at least 32 characters (HKDF-SHA256; it is no password)."""
        kdf = HKDF(algorithm=SHA256(), length=_KEY_BYTES, salt=None, info=b"lifesign vault v1")
        return cls(kdf.derive(secret.encode()))

    @classmethod
    def from_file(cls, path: Path) -> "Vault":
        """The vault of a key file, which is made (mode 0600) when it does not exist."""
        if not path.exists():
            _write_key(path)
        return cls(path.read_bytes())

    def seal(self, plain: bytes, *, tenant: str, table: str, column: str, row: str) -> bytes:
        """The encrypted form of `plain` for this one place."""
        nonce = os.urandom(_NONCE_BYTES)
        place = _place(tenant, table, column, row)
        body = self._ciphers[self._newest].encrypt(nonce, plain, place)
        return _VERSION + self._newest + nonce + body

    def open(self, sealed: bytes, *, tenant: str, table: str, column: str, row: str) -> bytes:
        """What was sealed for this place; raises VaultError when key, place or bytes do not fit."""
        cipher = self._ciphers.get(sealed[1 : 1 + _ID_BYTES])
        where = f"{table}.{column} of {row}"
        if cipher is None:
            raise VaultError(
                f"The secrets in {where} were encrypted with another key.",
                remedy="Start with the secret key or key file that this database was written with.",
            )
        nonce, body = sealed[1 + _ID_BYTES : _HEAD], sealed[_HEAD:]
        try:
            return cipher.decrypt(nonce, body, _place(tenant, table, column, row))
        except InvalidTag:
            raise VaultError(
                f"The secrets in {where} did not open: they were changed or moved from another row.",
                remedy="Restore the row from a backup, or enter its settings again.",
            ) from None


def is_sealed(stored: bytes) -> bool:
    """Whether a stored value is encrypted (settings in clear are JSON and begin with a brace)."""
    return stored[:1] == _VERSION


def _key_id(key: bytes) -> bytes:
    return hashlib.sha256(b"lifesign key id" + key).digest()[:_ID_BYTES]


def _place(tenant: str, table: str, column: str, row: str) -> bytes:
    return f"{tenant}|{table}|{column}|{row}".encode()


def _write_key(path: Path) -> None:
    """Make the key file whole or not at all: a torn key would lock every secret for good."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        os.write(descriptor, os.urandom(_KEY_BYTES))
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    try:
        os.link(draft, path)  # fails where another process was first: then its key is the key
    except FileExistsError:
        return
    finally:
        draft.unlink()
