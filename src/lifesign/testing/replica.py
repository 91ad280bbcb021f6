"""One running copy of a faithful server behind its endpoint: sessions, streams and replies."""

import secrets
from dataclasses import dataclass, field, replace
from urllib.parse import parse_qs, urlsplit

from lifesign.testing.answers import STREAM, Answer, Call, Feed, as_json, event
from lifesign.testing.dialogue import Dialogue
from lifesign.testing.endpoint import Framing, era_of, framed, refused_at_the_door
from lifesign.testing.offer import opened
from lifesign.testing.protocol import INVALID_REQUEST, SUBSCRIPTION_KEY, Era, Transport
from lifesign.testing.ways import Ways

_LISTENED = {
    "toolsListChanged": "notifications/tools/list_changed",
    "resourcesListChanged": "notifications/resources/list_changed",
    "promptsListChanged": "notifications/prompts/list_changed",
}


@dataclass
class Sessions:
    """The sessions that are open, by id; each has the stream that it opened, if it did."""

    first: str
    opened: int = 0
    feeds: dict[str, Feed | None] = field(default_factory=dict)

    def open(self, feed: Feed | None = None) -> str:
        """A new session's id; the first is the one that was asked for."""
        self.opened += 1
        name = self.first if self.opened == 1 else f"{self.first}-{secrets.token_hex(8)}"
        self.feeds[name] = feed
        return name


@dataclass
class Replica:
    """A faithful server. `listeners` are the open streams of subscriptions."""

    ways: Ways
    dialogue: Dialogue
    sessions: Sessions
    listeners: list[Feed] = field(default_factory=list)

    def answer(self, call: Call, framing: Framing) -> Answer:
        """The faithful answer to a call to the endpoint."""
        if self.ways.transport is Transport.SSE:
            return self._answer_beside_stream(call)
        era = era_of(call, self.ways.era)
        if (
            refused := refused_at_the_door(call, era, self.ways.era, self.ways.version)
        ) is not None:
            return refused
        if era is not Era.MODERN:
            return self._answer_in_session(call, framing)
        return self._listen(call) if call.step == "listen" else self._reply(call, era, framing)

    def _answer_in_session(self, call: Call, framing: Framing) -> Answer:
        if call.step == "initialize":
            answer = self._reply(call, Era.LEGACY, framing)
            named = {"Mcp-Session-Id": self.sessions.open()} if self.ways.session else {}
            return replace(answer, headers=dict(answer.headers) | named)
        if (lost := self._session_problem(call)) is not None:
            return lost
        if call.method == "DELETE":
            self.sessions.feeds.pop(call.headers.get("mcp-session-id", ""), None)
            return Answer(200 if self.sessions.opened else 405)
        return (
            self._stream(call) if call.method == "GET" else self._reply(call, Era.LEGACY, framing)
        )

    def _reply(self, call: Call, era: Era, framing: Framing) -> Answer:
        return framed(self.dialogue.answer(call.json, era), framing)

    def _session_problem(self, call: Call) -> Answer | None:
        """400 without a session and 404 with one that is not known.

        Where another answer is given to `initialize`, sessions are asked for only once this server has opened one.
        """
        sessions, ways = self.sessions, self.ways
        named = call.headers.get("mcp-session-id")
        opens = not {"initialize", "every"} & ways.answers.keys()
        is_asked = ways.session and (opens or sessions.opened or not ways.shares_sessions)
        if not is_asked or named in sessions.feeds:
            return None
        if named is None:
            return _no_session(call, 400, "Bad Request: Missing session ID")
        return _no_session(call, 404, "Session not found")

    def _stream(self, call: Call) -> Answer:
        """The GET stream of a session."""
        named = call.headers.get("mcp-session-id", "")
        if named not in self.sessions.feeds or STREAM not in call.headers.get("accept", ""):
            return Answer(405, {"Allow": "POST"})
        feed = self.sessions.feeds[named] = Feed(keepalive=self.ways.keepalive)
        return _opened(feed)

    def _listen(self, call: Call) -> Answer:
        """A subscription of the modern era: what was agreed on comes first."""
        message = call.json
        asked = opened(opened(message.get("params")).get("notifications"))
        agreed = {key: True for key in _LISTENED if asked.get(key) is True}
        meta = {SUBSCRIPTION_KEY: message["id"]}
        first = {
            "jsonrpc": "2.0",
            "method": "notifications/subscriptions/acknowledged",
            "params": {"notifications": agreed, "_meta": meta},
        }
        feed = Feed(keepalive=self.ways.keepalive, subscription=(message["id"], tuple(agreed)))
        feed.ended = lambda: self.listeners.remove(feed)
        self.listeners.append(feed)
        return _opened(feed, event(first))

    def _answer_beside_stream(self, call: Call) -> Answer:
        """HTTP+SSE: a GET opens the stream and names the address for messages; replies come on the stream."""
        if call.method == "GET":
            feed = Feed(keepalive=self.ways.keepalive)
            session = self.sessions.open(feed)
            feed.ended = lambda: self.sessions.feeds.pop(session, None)
            address = f"/message?sessionId={session}"
            return _opened(feed, f"event: endpoint\ndata: {address}\n\n".encode())
        if call.method != "POST" or not call.path.startswith("/message"):
            return Answer(405, {"Allow": "GET"})
        if self.feed_of(call) is None:
            return Answer(404, {"Content-Type": "text/plain"}, b"Session not found")
        return self._reply(call, Era.LEGACY, Framing())

    def feed_of(self, call: Call) -> Feed | None:
        """The stream that replies to a message go to."""
        named = parse_qs(urlsplit(call.path).query).get("sessionId", [""])[0]
        return self.sessions.feeds.get(named)

    def tell_of_change(self) -> None:
        """Say on every open stream that the lists have changed."""
        for feed in self.sessions.feeds.values():
            if feed is not None:
                for method in _LISTENED.values():
                    feed.queue.put_nowait(event({"jsonrpc": "2.0", "method": method}))
        for listener in self.listeners:
            asked, agreed = listener.subscription
            for key in agreed:
                params = {"_meta": {SUBSCRIPTION_KEY: asked}}
                message = {"jsonrpc": "2.0", "method": _LISTENED[key], "params": params}
                listener.queue.put_nowait(event(message))


def _opened(feed: Feed, first: bytes = b"") -> Answer:
    """An open stream; without anything to say first, it says that it is there if it ever will."""
    first = first or (b": open\n\n" if feed.keepalive is not None else b"")
    headers = {"Content-Type": STREAM, "Cache-Control": "no-cache", "X-Accel-Buffering": "no"}
    return Answer(headers=headers, chunks=(first,) if first else (), feed=feed)


def _no_session(call: Call, status: int, words: str) -> Answer:
    wrong = {"code": INVALID_REQUEST, "message": words}
    return as_json({"jsonrpc": "2.0", "id": call.json.get("id"), "error": wrong}, status)
