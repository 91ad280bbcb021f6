"""The sessions that a server opened for one visit: whichever they are, they are ended when it is over."""

from dataclasses import dataclass, field

from lifesign.probes.mcp.client.line import Message

MAX_CHARS = 4096
MOST = 5
"""How many sessions of one visit are ended; a server that opens more for it is beyond our help."""

_SHORT = 4
"""A shorter id is not searched for in evidence: it would blot out ordinary words."""


@dataclass(slots=True)
class Sessions:
    """What was opened for us, from the first sight of it and whatever became of the answer that it came with.

    `joined` is the session that later messages carry. `offered` came with other questions than `initialize`: some
    servers open a session for whatever comes without one, and refuse the question all the same.
    """

    joined: str = ""
    opened: dict[str, None] = field(default_factory=dict)
    offered: dict[str, None] = field(default_factory=dict)

    def note(self, message: Message, header: str) -> None:
        """Take the header `Mcp-Session-Id` of an answer to a message."""
        session = session_of(header)
        if self.joined or not session:
            return
        known = self.opened if message.method == "initialize" else self.offered
        if len(known) < MOST:
            known[session] = None

    def join(self, session: str) -> None:
        """Carry a session on every later message, and end it at last."""
        self.joined = session
        if session:
            self.opened[session] = None

    def early(self) -> tuple[tuple[str, str], ...]:
        """The header of the newest session that was opened, for what must be asked before its greeting is complete."""
        return tuple([("Mcp-Session-Id", session) for session in list(self.opened)[-1:]])

    def start_over(self) -> None:
        """The question was refused: what was offered with it is nothing but a burden to the server."""
        self.joined = ""
        self.opened |= self.offered
        self.offered = {}

    def to_end(self) -> list[str]:
        """Every session that is to be ended now, each told once."""
        ending = list(self.opened)
        self.opened = {}
        return ending

    def secrets(self) -> tuple[str, ...]:
        """The ids that no evidence may show: whoever knows one can speak in its session."""
        known = {self.joined: None, **self.opened, **self.offered}
        return tuple([each for each in known if len(each) >= _SHORT])


def session_of(header: str) -> str:
    """The session id, if it is one: visible ASCII, as the transport's specification demands."""
    is_visible = all("!" <= character <= "~" for character in header)
    return header if is_visible and len(header) <= MAX_CHARS else ""
