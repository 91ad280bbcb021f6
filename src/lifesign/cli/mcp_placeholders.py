"""The placeholders of MCP clients' files: `${env:X}`, `${X}`, `${X:-y}`, `${input:x}`, `${userHome}` and the like."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

_PLACEHOLDER = re.compile(r"\$\{\{\s*(?:secrets|inputs)\.([\w.-]+)\s*\}\}|\$\{([^{}]*)\}")
_VARIABLE = re.compile(r"(?:env:)?([A-Za-z_]\w*)(?::-(.*))?", re.DOTALL)


class UnfilledError(ValueError):
    """A placeholder that nothing fills; the text says which and what to do, as the end of a sentence."""


@dataclass(frozen=True, slots=True)
class Filler:
    """What placeholders stand for: variables, the file's own inputs with their defaults, places."""

    environ: Mapping[str, str]
    workspace: Path
    defaults: Mapping[str, str] = field(default_factory=dict)

    def fill(self, text: str) -> str:
        """The text with everything filled in. Raises UnfilledError."""
        return _PLACEHOLDER.sub(self._value, text)

    def _value(self, found: re.Match[str]) -> str:
        if found[1] is not None:
            return self._variable(found[1].rpartition(".")[2], None)
        name = found[2]
        places = {
            "workspaceFolder": str(self.workspace),
            "workspaceFolderBasename": self.workspace.name,
            "userHome": self.environ.get("HOME", ""),
            "cwd": str(Path.cwd()),
            "pathSeparator": os.sep,
            "/": os.sep,
        }
        if name in places:
            return places[name]
        if name.startswith("input:"):
            return self._input(name.removeprefix("input:"))
        if variable := _VARIABLE.fullmatch(name):
            return self._variable(variable[1], variable[2])
        raise UnfilledError(f"uses ${{{name}}}, which only its own client can fill")

    def _variable(self, name: str, default: str | None) -> str:
        value = self.environ.get(name) or default
        if value is None:
            value = self.environ.get(name)
        if value is None:
            raise UnfilledError(f"needs the variable {name}, which is not set")
        return value

    def _input(self, name: str) -> str:
        variable = "INPUT_" + re.sub(r"\W", "_", name).upper()
        value = self.environ.get(variable, self.defaults.get(name))
        if value is None:
            raise UnfilledError(f"asks a person for {name!r}: give it as the variable {variable}")
        return value
