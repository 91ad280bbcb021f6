"""Who is asking, for which tenant, and what they may do."""

from dataclasses import dataclass
from enum import StrEnum

from lifesign.core.model import DEFAULT_TENANT


class Grant(StrEnum):
    """What a token or session may do; each includes the ones before it."""

    READ = "read"
    OPERATE = "operate"
    ADMIN = "admin"


_RANK = {Grant.READ: 0, Grant.OPERATE: 1, Grant.ADMIN: 2}


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """One caller's reach. Every query on tenant data takes one; `actor` is told in audits and alerts."""

    actor: str
    grant: Grant
    tenant: str = DEFAULT_TENANT

    def allows(self, needed: Grant) -> bool:
        """Whether this caller may do what asks for `needed`."""
        return _RANK[self.grant] >= _RANK[needed]


def system_scope(actor: str, tenant: str = DEFAULT_TENANT) -> Scope:
    """The scope of Lifesign's own parts (engine, configuration file)."""
    return Scope(actor=actor, grant=Grant.ADMIN, tenant=tenant)
