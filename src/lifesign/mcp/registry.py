"""What a tool is, and how the tools are found: by scanning the package `lifesign.mcp.tools`."""

import importlib
import inspect
import pkgutil
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from types import ModuleType

from pydantic import BaseModel

import lifesign.mcp.tools as tools_package
from lifesign.clock import Clock
from lifesign.core.scope import Grant, Scope
from lifesign.service.services import Services


@dataclass(frozen=True, slots=True)
class Call:
    """What a tool is given besides its arguments: the operations, who asks for them, and the hour."""

    services: Services
    scope: Scope
    clock: Clock


ToolFunction = Callable[..., Awaitable[BaseModel]]
"""`async (call: Call, argument…) -> Result`; arguments are annotated, the docstring is for the model."""


@dataclass(frozen=True, slots=True)
class ToolSpec:
    """One tool, whole: from it come the schemas, the hints and the row in the documentation.

    `grant` is what the caller's token must allow. `destructive` and `idempotent` are the hints of
    the protocol for tools that change something.
    """

    name: str
    title: str
    grant: Grant
    destructive: bool
    idempotent: bool
    run: ToolFunction

    @property
    def read_only(self) -> bool:
        """Whether it changes nothing."""
        return self.grant is Grant.READ

    @property
    def description(self) -> str:
        """The docstring: what the model reads to choose the tool."""
        return inspect.cleandoc(self.run.__doc__ or "")


_REGISTERED = "__lifesign_tool__"


def tool(
    *, title: str, grant: Grant = Grant.READ, destructive: bool = False, idempotent: bool = True
) -> Callable[[ToolFunction], ToolFunction]:
    """Register a tool under the function's own name."""

    def register(function: ToolFunction) -> ToolFunction:
        spec = ToolSpec(
            name=getattr(function, "__name__", ""),
            title=title,
            grant=grant,
            destructive=destructive,
            idempotent=idempotent,
            run=function,
        )
        setattr(function, _REGISTERED, spec)
        return function

    return register


def load_tools() -> tuple[ToolSpec, ...]:
    """Import every module of the package and collect what they registered, by name."""
    found: dict[str, ToolSpec] = {}
    for module in pkgutil.iter_modules(tools_package.__path__):
        for spec in _tools_of(importlib.import_module(f"{tools_package.__name__}.{module.name}")):
            found[spec.name] = spec
    return tuple(found[name] for name in sorted(found))


def _tools_of(module: ModuleType) -> list[ToolSpec]:
    specs = (getattr(value, _REGISTERED, None) for value in vars(module).values())
    return [spec for spec in specs if isinstance(spec, ToolSpec)]
