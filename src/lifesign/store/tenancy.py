"""The tenant filter, in one place: a row belongs to the caller's tenant or it does not exist."""

from sqlalchemy import ColumnElement, Table

from lifesign.core.scope import Scope


def within(scope: Scope, table: Table) -> ColumnElement[bool]:
    """Only rows of the caller's tenant."""
    column: ColumnElement[str] = table.c.tenant
    return column == scope.tenant
