"""What conditions may ask of each kind, and what they are told otherwise."""

import pytest
from pydantic import BaseModel, ConfigDict

from lifesign.core.model import Observation
from lifesign.probes.registry import Kind, load_kinds, probe
from lifesign.probes.subjects import subjects_of

KINDS = load_kinds()


class LooseFacts(BaseModel):
    labels: dict[str, str]
    newest: int | None = None


class OpenFacts(BaseModel):
    model_config = ConfigDict(extra="allow")


def kind_of(facts: type[BaseModel]) -> Kind:
    async def run(_settings: BaseModel, _context: object) -> Observation:
        return Observation()

    register = probe("own", settings=BaseModel, facts=facts, title="Own", target=str, ladder=())
    return register(run).__lifesign_kind__


@pytest.mark.parametrize(
    ("kind", "subject"),
    [
        ("http", "status"),
        ("http", "tls.days_left"),
        ("http", "tls.sans"),
        ("http", "body"),
        ("http", "body.bytes"),
        ("http", 'header("etag")'),
        ("http", 'json("$.a")'),
        ("tcp", "body"),
        ("tcp", 'json("$.a")'),
        ("dns", "answers"),
        ("heartbeat", "exit_status"),
        ("mcp", "tools.names"),
    ],
)
def test_what_a_kind_declares_may_be_asked_for(kind: str, subject: str) -> None:
    assert subjects_of(KINDS[kind]).problem(subject) == ""


@pytest.mark.parametrize(
    ("kind", "subject", "reason"),
    [
        ("http", "statuss", "there is no fact 'statuss'. Did you mean 'status'?"),
        ("http", "tls.daysleft", "there is no fact 'tls.daysleft'. Did you mean 'tls.days_left'?"),
        ("http", "tls", "there is no fact 'tls'"),
        ("http", "headers", "there is no fact 'headers'. Did you mean 'header(\"…\")'?"),
        ("dns", "body", "there is no fact 'body'; known are rcode, answers, answer_count"),
        ("mcp", 'json("$.a")', "json(…) needs body, which this kind does not keep"),
        ("tcp", 'header("a")', "header(…) needs headers, which this kind does not keep"),
    ],
)
def test_what_a_kind_never_tells_is_refused_with_a_hint(
    kind: str, subject: str, reason: str
) -> None:
    assert subjects_of(KINDS[kind]).problem(subject).startswith(reason)


@pytest.mark.parametrize("subject", ["labels.zone", "newest"])
def test_any_name_may_follow_a_mapping(subject: str) -> None:
    subjects = subjects_of(kind_of(LooseFacts))

    assert subjects.problem(subject) == ""
    assert subjects.problem("zone") != ""


def test_a_model_that_allows_more_knows_every_name() -> None:
    assert subjects_of(kind_of(OpenFacts)).problem("whatever.it.is") == ""
