"""The tenant filter proved by reading the source: no query on tenants' data without a scope."""

import ast
from pathlib import Path

import lifesign.store
from lifesign.store.tables import metadata

PACKAGE = Path(lifesign.store.__file__).parent

SYSTEM = {
    # The engine reads and writes for every tenant.
    "MonitorRepository.all_active",
    "MonitorRepository.all_states",
    "BatchWriter.commit",
    "Rollups.roll_up",
    "Pruning.prune",
    "AlertRepository.open_alerts",
    "ChannelRepository.all_channels",
    "ChannelRepository.all_routes",
    "SurfaceRepository.all_drifts",
    "SurfaceRepository.all_releases",
    "PingRepository.append",
    "PingRepository.journals",
    # The notifier delivers for every tenant.
    "OutboxRepository.claim",
    "OutboxRepository.release_claims",
    "OutboxRepository.settle",
    "OutboxRepository.drop",
    "OutboxRepository.pending_count",
    "OutboxRepository.oldest_due",
    "OutboxRepository.next_due",
    # The feed has one row of ids over all tenants.
    "EventRepository.newest_id",
    "EventRepository.oldest_id",
    # A secret or an address tells which tenant it belongs to.
    "PeopleRepository.count_users",
    "PeopleRepository.user_by_email",
    "PeopleRepository.session_by_token",
    "PeopleRepository.token_by_secret",
    "PeopleRepository.is_setup_link",
    "PeopleRepository.redeem_setup_link",
    "PeopleRepository.forget_expired",
}

Function = ast.FunctionDef | ast.AsyncFunctionDef


def _classes() -> list[ast.ClassDef]:
    trees = [ast.parse(path.read_text()) for path in PACKAGE.glob("*.py")]
    return [
        node
        for tree in trees
        for node in tree.body
        if isinstance(node, ast.ClassDef)
        and any(isinstance(base, ast.Name) and base.id == "Repository" for base in node.bases)
    ]


def _methods() -> dict[str, Function]:
    return {
        f"{owner.name}.{node.name}": node
        for owner in _classes()
        for node in owner.body
        if isinstance(node, Function) and not node.name.startswith("_")
    }


def _first_parameter(function: Function) -> str:
    names = [argument.arg for argument in function.args.args]
    return names[1] if len(names) > 1 else ""


def _functions_with_scope() -> list[Function]:
    trees = [ast.parse(path.read_text()) for path in PACKAGE.glob("*.py")]
    return [
        node
        for tree in trees
        for node in ast.walk(tree)
        if isinstance(node, Function) and "scope" in [argument.arg for argument in node.args.args]
    ]


def _uses_scope(function: Function) -> bool:
    return any(
        isinstance(node, ast.Name) and node.id == "scope"
        for statement in function.body
        for node in ast.walk(statement)
    )


def _tables_asked(function: Function) -> set[str]:
    """The tables of tenants that a function selects from, changes or deletes from by name."""
    tenants = {table.name for table in metadata.sorted_tables if "tenant" in table.c}
    names = {"hourly": "runs_hourly", "daily": "runs_daily"}
    return {
        names.get(node.attr, node.attr)
        for node in ast.walk(function)
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and node.value.id == "t"
        and names.get(node.attr, node.attr) in tenants
    }


def test_every_public_method_takes_a_scope_or_is_a_named_system_read():
    without = {name for name, node in _methods().items() if _first_parameter(node) != "scope"}

    assert without == SYSTEM


def test_system_reads_say_so():
    methods = _methods()
    silent = {
        name
        for name in SYSTEM
        if not any(word in ast.get_docstring(methods[name]) for word in ("system", "tenant"))
    }

    # These say it in the docstring of their class.
    assert silent <= {"Rollups.roll_up", "Pruning.prune"} | {
        name for name in SYSTEM if name.startswith(("OutboxRepository", "PeopleRepository"))
    }


def test_a_scope_that_is_taken_is_used():
    idle = {node.name for node in _functions_with_scope() if not _uses_scope(node)}

    assert idle == set()


def test_a_function_with_a_scope_filters_by_it():
    """Whoever takes a scope and names a tenant's table says `within(scope, …)` or stores `scope.tenant`."""

    def filters(function: Function) -> bool:
        text = ast.unparse(function)
        return "within(scope" in text or "scope.tenant" in text or "tenant=scope" in text

    bare = {
        node.name
        for node in _functions_with_scope()
        if _tables_asked(node) and not filters(node) and not _passes_scope_on(node)
    }

    assert bare == set()


def _passes_scope_on(function: Function) -> bool:
    """Whether a scope goes into another function of this package that takes one."""
    return any(
        isinstance(node, ast.Call)
        and any(isinstance(argument, ast.Name) and argument.id == "scope" for argument in node.args)
        for node in ast.walk(function)
    )


def test_sql_lives_in_the_store_only():
    outside = {
        str(path.relative_to(PACKAGE.parent))
        for path in PACKAGE.parent.rglob("*.py")
        if not path.is_relative_to(PACKAGE)
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Import | ast.ImportFrom)
        and any(name.split(".")[0] in {"sqlalchemy", "sqlite3"} for name in _imported(node))
    }

    assert outside == set()


def _imported(node: ast.Import | ast.ImportFrom) -> list[str]:
    if isinstance(node, ast.ImportFrom):
        return [node.module or ""]
    return [alias.name for alias in node.names]
