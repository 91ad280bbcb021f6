"""What stays the same from run to run of one monitor, and the lines it is dialled over."""

from collections.abc import Iterable, MutableMapping
from dataclasses import dataclass, replace

from lifesign import __version__
from lifesign.net import Net
from lifesign.net.http import parse_url
from lifesign.probes.mcp.client.credentials import Credentials, Headers, is_credential
from lifesign.probes.mcp.client.eras import Wanted
from lifesign.probes.mcp.client.http import Endpoint, HTTPLine
from lifesign.probes.mcp.client.legacy import LegacyLine
from lifesign.probes.mcp.client.wire import Era
from lifesign.probes.mcp.settings import MCPSettings

_SHORT = 4
"""A secret shorter than this is not searched for in evidence: it would blot out ordinary words."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What stays the same from run to run of one monitor, made once."""

    settings: MCPSettings
    endpoint: Endpoint
    credentials: Credentials
    wanted: Wanted

    @classmethod
    def of(cls, settings: MCPSettings) -> "Plan":
        """Read the settings; the given headers replace ours of the same name, but for those the protocol needs."""
        credentials = Credentials.of(settings)
        harmless = [
            (name, value.get_secret_value())
            for name, value in settings.headers.items()
            if not is_credential(name)
        ]
        named = {name.lower() for name, _ in harmless}
        ours = [
            ("Content-Type", "application/json"),
            ("Accept", "application/json, text/event-stream"),
            ("User-Agent", f"lifesign-probe/{__version__}"),
        ]
        kept = [header for header in ours if header[0].lower() not in named]
        endpoint = Endpoint(parse_url(settings.url), (*kept, *harmless), credentials.tls)
        era = None if settings.era == "auto" else Era(settings.era)
        transport = "" if settings.transport == "auto" else settings.transport
        wanted = Wanted(era, transport, settings.protocol_version or "")
        return cls(settings, endpoint, credentials, wanted)

    def with_credential(self, headers: Headers) -> Endpoint:
        """The endpoint with what lets us in, which no evidence may show."""
        if not self.credentials.is_set:
            return self.endpoint
        return replace(
            self.endpoint,
            headers=self.endpoint.headers + headers,
            secrets=_searchable(value for _, value in headers),
            has_credential=True,
        )


def _searchable(values: Iterable[str]) -> tuple[str, ...]:
    """Whole values and their last words (the token behind its scheme), longest first."""
    words = {part for value in values for part in (value, value.partition(" ")[2])}
    return tuple(sorted((word for word in words if len(word) >= _SHORT), key=len, reverse=True))


class HTTPLines:
    """Dials one endpoint, by the transport that is asked for."""

    def __init__(
        self, net: Net, endpoint: Endpoint, *, deadline: float, phases: MutableMapping[str, float]
    ) -> None:
        self._net = net
        self.endpoint = endpoint
        self.phases = phases
        self.current: HTTPLine | LegacyLine = HTTPLine(
            net, endpoint, deadline=deadline, phases=phases
        )
        self._before: list[HTTPLine | LegacyLine] = []

    @property
    def deadline(self) -> float:
        """When talking ends, on the loop clock. It may be moved while a line is in use: a question has less than all."""
        return self.current.deadline

    @deadline.setter
    def deadline(self, deadline: float) -> None:
        self.current.deadline = deadline

    def dial(self, transport: str) -> HTTPLine | LegacyLine:
        """A line over `transport`. Streamable HTTP goes on with the connection it has; else the one before is hung up."""
        if transport == "http" and isinstance(self.current, HTTPLine):
            self.current.start_over(self.deadline)
            return self.current
        deadline = self.deadline
        self.current.close()
        self._before.append(self.current)
        make = LegacyLine if transport == "sse" else HTTPLine
        self.current = make(self._net, self.endpoint, deadline=deadline, phases=self.phases)
        return self.current

    async def leave(self, deadline: float) -> None:
        """Say goodbye on every line that was dialled, and hang up."""
        try:
            for line in (*self._before, self.current):
                await line.leave(deadline)
        finally:
            for line in (*self._before, self.current):
                line.close()
