"""What a health URL's body says: the word for the whole, and the words for its parts. Pure.

Read are a bare word (`Healthy`), `{"status": …}`, also nested (`{"status": {"status": …}}`) or as a boolean `ok` or
`healthy`, and the parts of: Spring Boot (`components`), ASP.NET (`entries`, `results`), health+json
(`checks`, https://datatracker.ietf.org/doc/html/draft-inadarei-api-health-check) and the usual hand-made maps and
lists (`dependencies`, `services`, `integrations`, `details`).
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

import msgspec

from lifesign.core.jsonpath import MISSING
from lifesign.core.model import State

MAX_PARTS = 50
MAX_WORD = 40

_OK = ("ok", "okay", "healthy", "pass", "passing", "passed", "up", "live", "alive", "ready", "green", "operational", "success")  # fmt: skip
_DEGRADED = ("degraded", "warn", "warning", "yellow", "amber", "partial", "impaired")
_DOWN = ("down", "fail", "failed", "failing", "failure", "error", "unhealthy", "critical", "red", "out_of_service", "unavailable", "dead")  # fmt: skip
_STATES: Mapping[str, State] = MappingProxyType(
    dict.fromkeys(_OK, State.UP)
    | dict.fromkeys(_DEGRADED, State.DEGRADED)
    | dict.fromkeys(_DOWN, State.DOWN)
)
_WHOLE = ("status", "state", "health", "ok", "healthy")
_PARTS = ("components", "entries", "checks", "results", "dependencies", "services", "integrations", "details")  # fmt: skip
_NAMES = ("name", "component", "componentName", "id", "service")
_BADNESS = {State.UP: 0, State.UNKNOWN: 1, State.DEGRADED: 2, State.DOWN: 3}
_UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


@dataclass(frozen=True, slots=True)
class Said:
    """What a body says. `state` is unknown when it says nothing that is understood; `word` is how it says it."""

    state: State = State.UNKNOWN
    word: str = ""
    parts: Mapping[str, State] = field(default_factory=dict)
    document: object = MISSING

    @property
    def ill(self) -> tuple[str, ...]:
        """The parts that are down or degraded, worst first."""
        ill = [name for name, state in self.parts.items() if _BADNESS[state] > 1]
        return tuple(sorted(ill, key=lambda name: -_BADNESS[self.parts[name]]))


def read_body(body: bytes) -> Said:
    """Read a whole body. Never raises: what is not understood says nothing."""
    text = body.strip()
    if text[:1] not in (b"{", b"[", b'"'):
        bare = text.decode("utf-8", "replace") if len(text) <= MAX_WORD else ""
        return Said(_state(bare), bare if _state(bare) is not State.UNKNOWN else "")
    try:
        document = msgspec.json.decode(text)
    except _UNREADABLE:
        return Said()
    if not isinstance(document, dict):
        return Said(_state(document), _word(document), document=document)
    parts = dict(_first(_parts(document), MAX_PARTS))
    word = _whole(document)
    state = _state(word)
    if word is None and parts:
        # Nobody says how the whole is: it is as its worst part.
        state = max(parts.values(), key=_BADNESS.__getitem__)
    return Said(state, _word(word), parts, document)


def _first(pairs: Iterator[tuple[str, State]], count: int) -> Iterator[tuple[str, State]]:
    for _, pair in zip(range(count), pairs, strict=False):
        yield pair


def _whole(document: Mapping[str, object]) -> object:
    """The value that stands for the whole, or None. A number (Spring's error pages have one) is no word."""
    for name in _WHOLE:
        value = document.get(name)
        if isinstance(value, Mapping):
            value = next((value[inner] for inner in _WHOLE if inner in value), None)
        if isinstance(value, str | bool):
            return value
    return None


def _parts(
    document: Mapping[str, object], prefix: str = "", depth: int = 0
) -> Iterator[tuple[str, State]]:
    for name in _PARTS:
        listed = document.get(name)
        if isinstance(listed, Mapping):
            pairs = [(str(key), value) for key, value in listed.items()]
        elif isinstance(listed, list):
            pairs = [(_name(item), item) for item in listed]
        else:
            continue
        for key, value in pairs:
            yield from _part(f"{prefix}{_plain(key)}", value, depth)


def _part(name: str, value: object, depth: int) -> Iterator[tuple[str, State]]:
    """One part: a word, a boolean, an object with its status, or (health+json) a list of such objects."""
    if isinstance(value, list):
        states = [_state(_whole(item)) for item in value if isinstance(item, Mapping)]
        if states:
            yield name, max(states, key=_BADNESS.__getitem__)
    elif isinstance(value, Mapping):
        said = _whole(value)
        if said is not None:
            yield name, _state(said)
        if depth < 2:
            yield from _parts(value, f"{name}.", depth + 1)
    elif isinstance(value, bool) or (isinstance(value, str) and _state(value) is not State.UNKNOWN):
        yield name, _state(value)


def _name(item: object) -> str:
    if not isinstance(item, Mapping):
        return ""
    return next((str(item[key]) for key in _NAMES if isinstance(item.get(key), str)), "")


def _plain(name: str) -> str:
    """A name that a condition can spell: `cassandra:responseTime` becomes `cassandra_responseTime`."""
    return re.sub(r"\W+", "_", name).strip("_")[:MAX_WORD] or "part"


def _state(said: object) -> State:
    if isinstance(said, bool):
        return State.UP if said else State.DOWN
    if not isinstance(said, str):
        return State.UNKNOWN
    word = re.sub(r"[\s-]+", "_", said.strip().strip(".!").lower())
    return _STATES.get(word, State.UNKNOWN)


def _word(said: object) -> str:
    if isinstance(said, bool):
        return "true" if said else "false"
    return said.strip()[:MAX_WORD] if isinstance(said, str) else ""
