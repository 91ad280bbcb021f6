"""A monitor made ready to run, and all that the engine keeps in memory about what it watches."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from pydantic import BaseModel, ValidationError

from lifesign.core.condition import Condition, compile_condition
from lifesign.core.errors import InvalidError
from lifesign.core.messages import Alert, Channel, Route
from lifesign.core.model import Monitor, MonitorState
from lifesign.core.schedule import phase_s
from lifesign.engine.access import Sight
from lifesign.engine.surfaces import SurfaceMemory
from lifesign.engine.unusable import UnusableError, refusal_of
from lifesign.probes.once import authority
from lifesign.probes.registry import Kind


@dataclass(slots=True, eq=False)
class Watched:
    """One monitor with its settings parsed and its conditions compiled, once.

    `ticket` is raised whenever the plan changes, which makes older entries of the heap void.
    `memory` is the probe's cache between runs.
    """

    monitor: Monitor
    kind: Kind
    settings: BaseModel
    conditions: tuple[Condition, ...]
    authority: str
    phase: float
    ticket: int = 0
    busy: bool = False
    memory: dict[str, object] = field(default_factory=dict)

    def forget_surface(self) -> None:
        """Make the probe hand over its document once more: what it keeps as `surface` or `<kind>.surface` goes."""
        for key in [key for key in self.memory if key.rpartition(".")[2] == "surface"]:
            del self.memory[key]


class Compiler:
    """Makes monitors ready; equal condition texts share one compiled condition."""

    def __init__(self, kinds: Mapping[str, Kind]) -> None:
        self._kinds = kinds
        self._compiled: dict[str, Condition] = {}

    def ready(self, monitor: Monitor) -> Watched:
        """Parse and compile. Raises UnusableError for what another version stored."""
        try:
            return self._ready(monitor)
        except ValidationError as error:
            raise UnusableError(refusal_of(error, self._kinds[monitor.kind].settings)) from None
        except (ValueError, LookupError, InvalidError) as error:
            raise UnusableError(str(error)) from error

    def _ready(self, monitor: Monitor) -> Watched:
        kind = self._kinds[monitor.kind]
        settings = kind.settings.model_validate(monitor.settings)
        texts = (*kind.implied(settings), *monitor.conditions)
        return Watched(
            monitor=monitor,
            kind=kind,
            settings=settings,
            conditions=tuple([self._condition(text) for text in texts]),
            authority="" if kind.passive else authority(kind, settings),
            phase=phase_s(monitor.id, monitor.interval_s),
        )

    def _condition(self, text: str) -> Condition:
        found = self._compiled.get(text)
        if found is None:
            found = self._compiled[text] = compile_condition(text)
        return found


@dataclass(slots=True)
class Memory:
    """What the engine holds of the store: one writer, so what is here is what is there."""

    watched: dict[str, Watched] = field(default_factory=dict)
    states: dict[str, MonitorState] = field(default_factory=dict)
    alerts: dict[str, Alert] = field(default_factory=dict)
    """Open alerts by key."""
    routes: dict[str, Route] = field(default_factory=dict)
    channels: dict[str, Channel] = field(default_factory=dict)
    surfaces: SurfaceMemory = field(default_factory=SurfaceMemory)
    access: dict[Sight, int] = field(default_factory=dict)
    """How often in a row a concern of access was seen: it has to be confirmed, as a failure has."""
