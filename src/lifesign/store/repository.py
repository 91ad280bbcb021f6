"""What every repository holds: the database and the vault for settings."""

from collections.abc import Mapping
from typing import cast

import msgspec

from lifesign.store.database import Database
from lifesign.store.vault import Vault, VaultError, is_sealed


class Repository:
    """One noun's queries. All of them are methods here or in a subclass: SQL lives nowhere else."""

    def __init__(self, database: Database, vault: Vault | None = None) -> None:
        self._database = database
        self._vault = vault

    def _seal(self, settings: Mapping[str, object], *, tenant: str, table: str, row: str) -> bytes:
        """Settings as stored: encrypted whole where there is a vault."""
        plain = msgspec.json.encode(settings)
        if self._vault is None:
            return plain
        return self._vault.seal(plain, tenant=tenant, table=table, column="settings", row=row)

    def _open(self, stored: bytes, *, tenant: str, table: str, row: str) -> Mapping[str, object]:
        """Settings in clear; raises VaultError when they cannot be opened."""
        if is_sealed(stored):
            if self._vault is None:
                raise VaultError(
                    f"The settings in {table} {row} are encrypted and no key was given.",
                    remedy="Start with the key file or secret key that this database was written with.",
                )
            stored = self._vault.open(
                stored, tenant=tenant, table=table, column="settings", row=row
            )
        return cast("dict[str, object]", msgspec.json.decode(stored))
