"""What every kind of monitor keeps, whoever wrote it: a new kind needs no test of its own here."""

import asyncio
import types
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from typing import Union, get_args, get_origin

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, SecretStr, ValidationError

from lifesign.clock import SystemClock
from lifesign.core.condition import compile_condition
from lifesign.core.model import Observation, Reason
from lifesign.net import Net
from lifesign.probes.registry import Kind, ProbeContext, load_kinds
from net.rawserver import RawServers, name_server, raw_servers, reset
from servers.programs import bridge

KINDS = load_kinds()
ACTIVE = [kind for kind in KINDS.values() if not kind.passive]
SECRET = "hunter2-hunter2"
GENEROUS_S = 10.0
SHORT_S = 0.2

every_kind = pytest.mark.parametrize("kind", KINDS.values(), ids=lambda kind: kind.name)
every_active_kind = pytest.mark.parametrize("kind", ACTIVE, ids=lambda kind: kind.name)


def models_in(annotation: object) -> Iterator[type[BaseModel]]:
    """The models that an annotation mentions, through unions and containers."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in get_args(annotation):
        yield from models_in(argument)


def undocumented(model: type[BaseModel], prefix: str = "") -> Iterator[str]:
    """Fields without a description; a group of facts may be described by its model's docstring."""
    for name, info in model.model_fields.items():
        nested = list(models_in(info.annotation))
        in_words = info.description or (nested and nested[0].__doc__) or ""
        if not in_words.strip():
            yield f"{prefix}{name}"
        for inner in nested:
            yield from undocumented(inner, f"{prefix}{name}.")


def fact_names(model: type[BaseModel], prefix: str = "") -> Iterator[str]:
    for name, info in model.model_fields.items():
        inner = list(models_in(info.annotation))
        is_nested = inner and get_origin(info.annotation) in {None, Union, types.UnionType}
        if is_nested:
            for one in inner:
                yield from fact_names(one, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}"


def settings_for(kind: Kind, address: tuple[str, int], **more: object) -> BaseModel:
    """Settings of a kind for a local address, from what one would paste."""
    if kind.lane == "programs":
        return kind.settings.model_validate({"command": bridge(*address), **more})
    place = f"{address[0]}:{address[1]}"
    pasted = (f"http://{place}/mcp", place, f"tls://{place}", f"dns://{place}/a.example")
    guesses = [kind.guess(text) for text in pasted]
    found = next((guess for guess in guesses if guess is not None), None)
    assert found is not None, f"{kind.name} recognises none of {pasted}"
    return kind.settings.model_validate({**found, **more})


def context(limit_s: float = GENEROUS_S) -> ProbeContext:
    deadline = asyncio.get_running_loop().time() + limit_s
    return ProbeContext(Net.open(), SystemClock(), deadline, may_spawn=True)


def secret_settings(kind: Kind) -> dict[str, object]:
    """A secret in every field that can hold one."""
    filled: dict[str, object] = {}
    for name, info in kind.settings.model_fields.items():
        if SecretStr in (info.annotation, *get_args(info.annotation)):
            is_mapping = get_origin(info.annotation) is dict
            filled[name] = {"X-Key": SECRET} if is_mapping else SECRET
    return filled


async def hold(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
    await reader.read(-1)


async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"220 something else entirely\r\n")
    await reader.read(-1)


async def slam(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read(1)
    reset(writer)


async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while True:
        head = await reader.readuntil(b"\r\n\r\n")
        assert head
        writer.write(b"HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\n\r\nnope")


SCRIPTS = {"silence": hold, "garbage": greet, "reset": slam, "not found": refuse}


@pytest.fixture
async def stack() -> AsyncIterator[AsyncExitStack]:
    async with AsyncExitStack() as entered:
        yield entered


async def target(stack: AsyncExitStack, script: str) -> tuple[tuple[str, int], RawServers]:
    """A TCP server with that script; over UDP, the same port keeps silent."""
    servers = await stack.enter_async_context(raw_servers())
    address = ("127.0.0.1", await servers.start(SCRIPTS[script]))
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(asyncio.DatagramProtocol, local_addr=address)
    stack.callback(transport.close)
    return address, servers


@every_kind
def test_settings_and_facts_are_documented(kind: Kind) -> None:
    assert list(undocumented(kind.settings)) == []
    assert list(undocumented(kind.facts)) == []
    assert kind.summary.endswith(".")
    assert kind.title
    assert kind.ladder or kind.passive


@every_kind
def test_unknown_settings_are_refused(kind: Kind) -> None:
    assert kind.settings.model_config.get("extra") == "forbid"
    assert kind.settings.model_json_schema()["additionalProperties"] is False


@every_active_kind
def test_implied_conditions_ask_for_declared_facts(kind: Kind) -> None:
    declared = set(fact_names(kind.facts))
    asked = {
        compile_condition(text).subject
        for text in kind.implied(settings_for(kind, ("127.0.0.1", 443)))
    }

    assert asked - declared == set()


@every_kind
@given(
    text=st.one_of(st.text(max_size=80), st.from_regex(r"\w+://[\w.:\[\]/?=-]*", fullmatch=True))
)
def test_any_pasted_text_is_recognised_or_not(kind: Kind, text: str) -> None:
    guessed = kind.guess(text)

    if guessed is not None:
        assert kind.target(kind.settings.model_validate(dict(guessed)))


@every_active_kind
@pytest.mark.parametrize("script", SCRIPTS)
async def test_only_declared_facts_and_phases_are_reported(
    kind: Kind, script: str, stack: AsyncExitStack
) -> None:
    address, _ = await target(stack, script)

    seen = await kind.run(settings_for(kind, address), context(SHORT_S))

    assert isinstance(seen, Observation)
    assert set(seen.facts) - set(fact_names(kind.facts)) == set()
    assert set(seen.content) - set(kind.content) == set()
    assert set(seen.phases_ms) - set(kind.ladder) == set()
    if seen.failure is not None:
        assert seen.failure.layer != "internal"
        assert seen.failure.message.endswith(".")
        assert seen.failure.remedy


@every_active_kind
async def test_a_refusal_is_an_observation(kind: Kind) -> None:
    seen = await kind.run(settings_for(kind, ("127.0.0.1", 1)), context(SHORT_S))

    assert seen.failure is not None
    assert seen.failure.layer != "internal"


@every_active_kind
async def test_silence_costs_the_deadline_and_no_more(kind: Kind, stack: AsyncExitStack) -> None:
    address, _ = await target(stack, "silence")
    loop = asyncio.get_running_loop()
    began = loop.time()

    seen = await kind.run(settings_for(kind, address), context(SHORT_S))

    assert loop.time() - began < SHORT_S + 0.4
    if seen.failure is not None:
        assert seen.failure.reason is Reason.TIMEOUT


@every_active_kind
async def test_cancelling_takes_effect_at_once(kind: Kind, stack: AsyncExitStack) -> None:
    """Also nothing stays open: the server sees every connection end."""
    address, servers = await target(stack, "silence")
    task = asyncio.ensure_future(kind.run(settings_for(kind, address), context(60)))
    for _ in range(20):
        await asyncio.sleep(0)
    task.cancel()

    async with asyncio.timeout(GENEROUS_S):
        await asyncio.wait({task})
        await servers.idle.wait()

    assert task.cancelled() or task.result()


@every_active_kind
@pytest.mark.parametrize("script", SCRIPTS)
async def test_no_secret_is_told(kind: Kind, script: str, stack: AsyncExitStack) -> None:
    address, _ = await target(stack, script)
    settings = settings_for(kind, address, **secret_settings(kind))

    seen = await kind.run(settings, context(SHORT_S))

    told = repr((seen.facts, seen.phases_ms, seen.failure, seen.findings, kind.target(settings)))
    assert SECRET not in told
    assert SECRET not in repr(settings)
    assert all(SECRET not in text for text in kind.implied(settings))


@every_active_kind
async def test_a_name_server_that_keeps_silent_blocks_nobody(kind: Kind) -> None:
    if kind.lane == "programs":
        pytest.skip("a program asks for names itself")
    async with name_server(lambda *_: None) as (server, _):
        settings = settings_for(kind, ("name.example", 443)) if kind.name != "dns" else None
        if settings is None:
            settings = settings_for(kind, server)
        deadline = asyncio.get_running_loop().time() + SHORT_S
        net = Net.open(nameservers=[server])

        seen = await kind.run(settings, ProbeContext(net, SystemClock(), deadline))

    assert seen.failure is not None
    assert (seen.failure.layer, seen.failure.code) == ("dns", "dns_timeout")


@every_kind
def test_what_is_wrong_with_settings_is_told_without_their_values(kind: Kind) -> None:
    with pytest.raises(ValidationError) as caught:
        kind.settings.model_validate({"left_by_an_older_version": SECRET})

    assert SECRET not in str(caught.value)
