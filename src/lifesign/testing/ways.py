"""How a server behaves, as one value: what it is asked to be, or what a fault makes of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

from lifesign.testing.answers import PLACES, Say
from lifesign.testing.endpoint import Framing
from lifesign.testing.everything import EVERYTHING
from lifesign.testing.gate import Gate
from lifesign.testing.offer import JSONObject, Offer, Tool, as_tools
from lifesign.testing.protocol import STEPS, Era, Transport

SESSION = "session-4711"

JSON_FRAMING = Framing()

ANSWERED = frozenset({*STEPS.values(), *PLACES, "notice", "stream", "delete", "every"})
"""The steps that an answer can be given to."""


class Arrival(StrEnum):
    """What happens to a new connection before HTTP begins."""

    SERVE = "serve"
    REFUSE = "refuse"
    RESET = "reset"
    PLAIN_TEXT = "plain text where TLS is due"
    SILENT_TLS = "silence where TLS is due"


@dataclass(frozen=True)
class Ways:
    """Everything that can be told to a server; the default is a faithful one of the handshake era.

    capabilities: what is declared; None for what the offer has.
    answers: what is said to a step instead of the faithful reply; the step `every` is each call to the endpoint.
    session: the id of the first session; empty for a server without sessions.
    replicas: how many copies share the address. Requests are dealt to them in turn, or connections if `is_sticky`; they
    know each other's sessions only if `shares_sessions`.
    keepalive: after so many seconds of silence an open stream says that it is still there; None for never.
    """

    era: Era = Era.LEGACY
    transport: Transport = Transport.HTTP
    offer: Offer = EVERYTHING
    version: str | None = None
    capabilities: Mapping[str, object] | None = None
    page_size: int = 100
    session: str = SESSION
    framing: Framing = JSON_FRAMING
    gate: Gate | None = None
    replicas: int = 1
    shares_sessions: bool = True
    is_sticky: bool = False
    keepalive: float | None = 15.0
    arrival: Arrival = Arrival.SERVE
    answers: Mapping[str, Say] = field(default_factory=dict)

    def told(
        self,
        *,
        tools: Sequence[JSONObject | Tool] | None = None,
        is_sse: bool | None = None,
        **told: Any,
    ) -> "Ways":
        """These ways, changed: by a setting of this class, by `tools` or `is_sse`, and by answers to steps.

        Raises `TypeError` for a word that is neither.
        """
        known = {name: value for name, value in told.items() if name in self.__dataclass_fields__}
        answers = {name: value for name, value in told.items() if name not in known}
        if unknown := answers.keys() - ANSWERED:
            steps = ", ".join(sorted(ANSWERED))
            raise TypeError(
                f"{sorted(unknown)} is no setting of Ways and none of the steps {steps}"
            )
        if "offer" in known:
            known.setdefault("capabilities", None)
        changed = replace(self, **known)
        if tools is not None:
            changed = replace(changed, offer=replace(changed.offer, tools=as_tools(tools)))
        if is_sse is not None:
            changed = replace(changed, framing=replace(changed.framing, is_sse=is_sse))
        return replace(changed, answers=dict(changed.answers) | answers)
