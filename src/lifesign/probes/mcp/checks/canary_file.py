"""Canaries in a YAML file: the same model as in a monitor's settings, with the place of everything that is wrong.

canaries:
- name: search
steps:
- tool: search_documents
arguments: {query: lifesign}
expect: ['json("$.total") > 0']
"""

from collections.abc import Mapping
from types import MappingProxyType

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from lifesign.config.document import read_text
from lifesign.config.problems import ConfigError, problems_in
from lifesign.probes.mcp.checks.canary_settings import Canary

MAX_CANARIES = 50
_NO_VARIABLES: Mapping[str, str] = MappingProxyType({})


class CanaryFile(BaseModel):
    """A file of canaries."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    canaries: tuple[Canary, ...] = Field(min_length=1, max_length=MAX_CANARIES)

    @model_validator(mode="after")
    def _check_names(self) -> "CanaryFile":
        require_own_names(self.canaries)
        return self


def require_own_names(canaries: tuple[Canary, ...]) -> None:
    """Raise ValueError when two canaries have one name."""
    names = [canary.name for canary in canaries]
    repeated = next((name for name in names if names.count(name) > 1), None)
    if repeated is not None:
        raise ValueError(f"two canaries are called {repeated!r}; give each its own name")


def read_canaries(
    text: str, *, source: str = "canaries", environ: Mapping[str, str] = _NO_VARIABLES
) -> tuple[Canary, ...]:
    """The canaries of a YAML text; `source` is its name in messages, `environ` fills `${env:NAME}`.

    Raises `ConfigError`, which names line and column of each problem.
    """
    values, origins = read_text(text, source, environ)
    try:
        return CanaryFile.model_validate(values).canaries
    except ValidationError as error:
        raise ConfigError(problems_in(error, CanaryFile, origins)) from None
