"""What a kind is, and how the kinds are found: by scanning this package and by entry points."""

import importlib
import pkgutil
from collections.abc import Awaitable, Callable, Iterator, Mapping, MutableMapping
from contextlib import suppress
from dataclasses import dataclass, field
from importlib.metadata import entry_points

from pydantic import BaseModel

from lifesign.clock import Clock
from lifesign.core.model import Observation, Policy
from lifesign.net import Net
from lifesign.net.url import URLError, parse_host_port

ENTRY_POINT_GROUP = "lifesign.probes"


@dataclass(frozen=True, slots=True)
class ProbeContext:
    """What a probe is given besides its settings.

    `deadline` is an instant of `asyncio`'s loop clock (monotonic seconds) that the probe must not
    outlive. `memory` is kept between runs of the same monitor in this process: a cache, never a truth.
    `may_spawn` says whether whoever runs this installation lets monitors start programs on it.
    """

    net: Net
    clock: Clock
    deadline: float
    region: str = "local"
    memory: MutableMapping[str, object] = field(default_factory=dict)
    may_spawn: bool = False


ProbeFunction = Callable[..., Awaitable[Observation]]
"""`async (settings, ctx: ProbeContext) -> Observation`, where `settings` is the kind's own model."""


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of monitor, whole: from it come forms, schemas, flags, docs and redaction.

    `target(settings)` is the text that people see (no secret in it); for an active kind its host part
    is what the per-host limit counts. `implied(settings)` gives the conditions that settings stand for
    (the expected status set of http). `ladder` names the phases in the order they run. `guess(text)` turns
    pasted text into settings, or None when the text is not of this kind; kinds of higher `specificity` are
    asked first. `passive` kinds are not dialled: they are told (heartbeats).

    Kinds whose runs are costly name a `lane`: its runs are counted apart, so many at a time as there are CPU cores,
    and take no place of others. `interval_s` and `timeout_s` hold where a monitor names none, and
    `least_interval_s` is the shortest interval that it may name.

    Conditions may ask for what is declared, and for nothing else: the fields of `facts` by dotted name (a model
    with `extra="allow"`, or a mapping in it, lets any name follow), and the keys of `Observation.content` that
    `content` names: `body` (also for `json(…)`), `headers` (for `header(…)`), `json`.
    """

    name: str
    title: str
    settings: type[BaseModel]
    facts: type[BaseModel]
    run: ProbeFunction
    implied: Callable[[BaseModel], tuple[str, ...]]
    target: Callable[[BaseModel], str]
    ladder: tuple[str, ...]
    passive: bool
    policy: Policy
    interval_s: float
    guess: Callable[[str], Mapping[str, object] | None]
    specificity: int = 0
    content: tuple[str, ...] = ()
    timeout_s: float = 10.0
    least_interval_s: float = 0.0
    lane: str = ""

    @property
    def summary(self) -> str:
        """The first line of the settings model's docstring."""
        return (self.settings.__doc__ or "").strip().splitlines()[0]


class UnknownKindError(KeyError):
    """No kind of that name is registered. A `KeyError`, so that `in` and `get` of a mapping work."""

    def __str__(self) -> str:
        return str(self.args[0])


_REGISTERED = "__lifesign_kind__"


def probe(
    name: str,
    *,
    settings: type[BaseModel],
    facts: type[BaseModel],
    title: str,
    target: Callable[..., str],
    ladder: tuple[str, ...],
    implied: Callable[..., tuple[str, ...]] = lambda _settings: (),
    guess: Callable[[str], Mapping[str, object] | None] = lambda _text: None,
    passive: bool = False,
    policy: Policy | None = None,
    interval_s: float = 60.0,
    specificity: int = 0,
    content: tuple[str, ...] = (),
    timeout_s: float = 10.0,
    least_interval_s: float = 0.0,
    lane: str = "",
) -> Callable[[ProbeFunction], ProbeFunction]:
    """Register a kind; the decorated coroutine function is its probe. `Kind` says what the parts are."""

    def register(function: ProbeFunction) -> ProbeFunction:
        kind = Kind(
            name=name,
            title=title,
            settings=settings,
            facts=facts,
            run=function,
            implied=implied,
            target=target,
            ladder=ladder,
            passive=passive,
            policy=policy or Policy(),
            interval_s=interval_s,
            guess=guess,
            specificity=specificity,
            content=content,
            timeout_s=timeout_s,
            least_interval_s=least_interval_s,
            lane=lane,
        )
        setattr(function, _REGISTERED, kind)
        return function

    return register


class Kinds(Mapping[str, Kind]):
    """The kinds that this process knows, by name."""

    def __init__(self, kinds: Mapping[str, Kind]) -> None:
        self._kinds = dict(sorted(kinds.items()))

    def __getitem__(self, name: str) -> Kind:
        try:
            return self._kinds[name]
        except KeyError:
            known = ", ".join(self._kinds)
            raise UnknownKindError(f"There is no kind {name!r}. Known kinds: {known}.") from None

    def __iter__(self) -> Iterator[str]:
        return iter(self._kinds)

    def __len__(self) -> int:
        return len(self._kinds)


def guess_kind(kinds: Mapping[str, Kind], text: str) -> tuple[Kind, dict[str, object]] | None:
    """The kind, and its settings, that pasted text most likely means; None when no kind knows it.

    The most specific kind is asked first (an MCP endpoint is a web address too), then by name.
    """
    pasted = text.strip()
    for kind in sorted(kinds.values(), key=lambda kind: (-kind.specificity, kind.name)):
        settings = kind.guess(pasted) if pasted else None
        if settings is not None:
            return kind, dict(settings)
    return None


def why_unrecognised(text: str) -> str:
    """Why no kind takes this text, as a clause and without the credentials that may stand in it."""
    pasted = text.strip()
    authority = pasted.partition("://")[2] or pasted
    if "@" in authority.partition("/")[0]:
        return (
            "was given with a user name or password before the host: leave them out of the address and put them into "
            "the settings (`username`, `password` or `bearer_token`), where they are kept secret"
        )
    host = authority.partition("/")[0]
    try:
        # Only a host that is written ambiguously has its own reason: it is refused whatever the kind.
        parse_host_port(host, default_port=1)
    except URLError as error:
        if error.remedy:
            return f"cannot be used: {error.message.removesuffix('.')}. {error.remedy.removesuffix('.')}"
    return "is nothing that a kind recognises: write a URL, host:port, or give a kind"


def settings_from(kind: Kind, text: str) -> dict[str, object]:
    """The settings that `text` means for a kind that was named, so that only the kind's own model may refuse it.

    Where the kind's guess says no, the text is its url, its host with or without a port, its name or its command: a bare
    `example.org` says nothing about what it is for, and is plain once somebody says that it is for dns.
    """
    pasted, known = text.strip(), kind.settings.model_fields
    guessed = kind.guess(pasted)
    if guessed is not None:
        return dict(guessed)
    if "host" in known:
        with suppress(URLError):
            host, port = parse_host_port(pasted)
            return {"host": host, "port": port}
    names = ("url", "host", "name", "command")
    return next(({name: pasted} for name in names if name in known), {})


def load_kinds() -> Kinds:
    """Import every module of this package and every entry point, and collect what they registered."""
    import lifesign.probes as package  # noqa: PLC0415 - the package is being scanned, not used

    found: dict[str, Kind] = {}
    for module in pkgutil.iter_modules(package.__path__):
        if module.name != "registry":
            found |= _kinds_of(importlib.import_module(f"{package.__name__}.{module.name}"))
    for entry in entry_points(group=ENTRY_POINT_GROUP):
        found |= _kinds_of(entry.load())
    return Kinds(found)


def _kinds_of(module: object) -> dict[str, Kind]:
    kinds = (getattr(value, _REGISTERED, None) for value in vars(module).values())
    return {kind.name: kind for kind in kinds if isinstance(kind, Kind)}
