"""A small engine over a real store, with a kind and a channel whose answers the tests decide."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

from pydantic import BaseModel

from lifesign.bus import LocalBus
from lifesign.channels.registry import ChannelContext, ChannelKind, Message, Receipt
from lifesign.clock import Clock, SystemClock
from lifesign.core.model import Failure, Monitor, Observation, Policy
from lifesign.core.scope import system_scope
from lifesign.engine.engine import Engine, EngineParts
from lifesign.engine.places import Limits
from lifesign.net import Net
from lifesign.probes.heartbeat import watch as heartbeat
from lifesign.probes.registry import Kind, Kinds, ProbeContext
from lifesign.store import Store, open_store

SCOPE = system_scope("test")
DEADLINE_S = 10.0
BROKEN = Failure("tcp", "refused", "Nothing listens on 127.0.0.1:1.")


class StageSettings(BaseModel):
    """A target on the stage."""

    host: str = "stage"


class StageFacts(BaseModel):
    """Nothing to see."""


class NoteSettings(BaseModel, extra="forbid"):
    """A channel that takes notes."""


@dataclass
class Stage:
    """What the targets do and what the channel heard."""

    act: Callable[[str], Observation] = lambda _host: Observation(facts={"latency_ms": 1.0})
    receive: Callable[[Message], Receipt] = lambda _message: Receipt(True)
    played: list[str] = field(default_factory=list)
    heard: list[Message] = field(default_factory=list)
    gate: asyncio.Event | None = None
    on_stage: int = 0
    most_on_stage: int = 0

    async def probe(self, settings: StageSettings, _ctx: ProbeContext) -> Observation:
        self.played.append(settings.host)
        self.on_stage += 1
        self.most_on_stage = max(self.most_on_stage, self.on_stage)
        try:
            if self.gate is not None:
                await self.gate.wait()
            return self.act(settings.host)
        finally:
            self.on_stage -= 1

    async def send(
        self, message: Message, _settings: NoteSettings, _ctx: ChannelContext
    ) -> Receipt:
        self.heard.append(message)
        return self.receive(message)

    def kinds(self) -> Kinds:
        stage = Kind(
            name="stage", title="Stage", settings=StageSettings, facts=StageFacts, run=self.probe,
            implied=lambda _s: (), target=lambda s: s.host, ladder=("tcp",), passive=False,
            policy=Policy(), interval_s=60.0, guess=lambda _t: None, specificity=0,
        )  # fmt: skip
        heavy = replace(stage, name="heavy", lane="heavy")
        beat: Kind = heartbeat.__lifesign_kind__  # type: ignore[attr-defined]
        return Kinds({"stage": stage, "heavy": heavy, "heartbeat": beat})

    def channel_kinds(self) -> dict[str, ChannelKind]:
        note = ChannelKind(
            name="note",
            title="Note",
            settings=NoteSettings,
            send=self.send,
            target=lambda _s: "note",
        )
        return {"note": note}


@dataclass
class Workshop:
    """A running engine."""

    engine: Engine
    store: Store
    bus: LocalBus
    stage: Stage
    stop: asyncio.Event


def monitor(id: str = "m1", *, host: str = "stage", **changes: object) -> Monitor:
    now = datetime.now(UTC)
    values: dict[str, object] = {
        "id": id, "name": id, "slug": id, "kind": "stage", "settings": {"host": host},
        "interval_s": 1.0, "timeout_s": 2.0, "created_at": now, "updated_at": now,
        "policy": Policy(confirmations=2, recoveries=1, recheck_s=0.05),
    }  # fmt: skip
    return Monitor(**{**values, **changes})


@asynccontextmanager
async def opened(path: Path) -> AsyncIterator[Store]:
    async with open_store(f"sqlite:///{path / 'lifesign.db'}") as store:
        yield store


@asynccontextmanager
async def running(
    store: Store,
    stage: Stage,
    *,
    limits: Limits | None = None,
    clock: Clock | None = None,
    away_s: float = 0.0,
) -> AsyncIterator[Workshop]:
    bus, stop = LocalBus(), asyncio.Event()
    engine = Engine(
        EngineParts(
            store=store, bus=bus, net=Net.open(), clock=clock or SystemClock(), kinds=stage.kinds(),
            channel_kinds=stage.channel_kinds(), base_url="https://life.example",
            limits=limits or Limits(), away_s=away_s,
        )
    )  # fmt: skip
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(engine.run(stop))
        await engine.ready.wait()
        try:
            yield Workshop(engine, store, bus, stage, stop)
        finally:
            stop.set()


async def until(claim: Callable[[], object], what: str) -> None:
    """Wait until a claim holds; it is looked at whenever the loop has come round."""
    async with asyncio.timeout(DEADLINE_S):
        while True:
            found = claim()
            if asyncio.iscoroutine(found):
                found = await found
            if found:
                return
            await asyncio.sleep(0.005)
    raise AssertionError(what)
