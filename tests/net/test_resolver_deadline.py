"""The resolver against name servers that answer, lie, cut, refuse and keep silent."""

import asyncio
from pathlib import Path

import dns.flags
import dns.message
import dns.rdatatype
import pytest

from lifesign.core.model import Reason
from lifesign.net import NetError
from lifesign.net.hosts import SystemNames, read_system_names
from lifesign.net.resolve import Resolver
from net.rawserver import name_server, records

GENEROUS_S = 10.0


def resolver(*servers: tuple[str, int], search: tuple[str, ...] = (), **hosts) -> Resolver:
    return Resolver(SystemNames(servers, search, 1, hosts))


def deadline(seconds: float = GENEROUS_S) -> float:
    return asyncio.get_running_loop().time() + seconds


def both(question: dns.message.Message, _tcp: bool) -> bytes:
    asked = question.question[0]
    if asked.rdtype == dns.rdatatype.AAAA:
        return records(question, f"{asked.name} 60 IN AAAA 2001:db8::1")
    return records(
        question,
        f"{asked.name} 60 IN CNAME real.example.",
        "real.example. 60 IN A 192.0.2.1",
        "real.example. 60 IN A 192.0.2.2",
    )


async def test_both_families_in_turn() -> None:
    async with name_server(both) as (server, _):
        found = await resolver(server).resolve("web.example", deadline=deadline())

    assert found == ("2001:db8::1", "192.0.2.1", "192.0.2.2")


@pytest.mark.parametrize("host", ["localhost", "a.localhost", "127.0.0.1", "::1", "nas"])
async def test_what_is_known_is_not_asked(host: str) -> None:
    async with name_server(both) as (server, log):
        found = await resolver(server, nas=("192.168.1.9",)).resolve(host, deadline=deadline())

    assert found
    assert log.asked == []


@pytest.mark.parametrize(
    ("rcode", "code"), [(3, "nxdomain"), (2, "servfail"), (5, "refused"), (0, "no_address")]
)
async def test_each_refusal_has_its_name(rcode: int, code: str) -> None:
    async with name_server(lambda q, _: records(q, rcode=rcode)) as (server, _):
        with pytest.raises(NetError) as caught:
            await resolver(server).resolve("gone.example", deadline=deadline())
    failure = caught.value.failure

    assert (failure.layer, failure.code) == ("dns", code)
    assert failure.remedy


async def test_silence_ends_at_the_deadline() -> None:
    async with name_server(lambda *_: None) as (server, _):
        with pytest.raises(NetError) as caught:
            await resolver(server).resolve("slow.example", deadline=deadline(0.1))

    assert caught.value.failure.code == "dns_timeout"
    assert caught.value.failure.reason is Reason.TIMEOUT


async def test_many_dead_look_ups_do_not_block_a_live_one() -> None:
    async with (
        name_server(lambda *_: None) as (dead, _),
        name_server(both) as (live, _log),
        asyncio.TaskGroup() as group,
    ):
        stuck = [
            group.create_task(resolver(dead).resolve(f"{n}.example", deadline=deadline(60)))
            for n in range(50)
        ]
        async with asyncio.timeout(GENEROUS_S):
            found = await resolver(live).resolve("web.example", deadline=deadline())
        assert not any(task.done() for task in stuck)
        for task in stuck:
            task.cancel()

    assert found


async def test_a_dead_server_is_passed_over() -> None:
    refusing = lambda q, _: records(q, rcode=5)  # noqa: E731
    async with name_server(refusing) as (bad, _), name_server(both) as (good, _log):
        found = await resolver(bad, good).resolve("web.example", deadline=deadline())

    assert found


async def test_a_cut_answer_is_asked_for_over_tcp() -> None:
    def cut(question: dns.message.Message, over_tcp: bool) -> bytes:
        return both(question, True) if over_tcp else records(question, flags=dns.flags.TC)

    async with name_server(cut) as (server, _):
        found = await resolver(server).resolve("web.example", deadline=deadline())

    assert "192.0.2.2" in found


async def test_an_answer_to_another_question_is_not_believed() -> None:
    def lie(question: dns.message.Message, _tcp: bool) -> bytes:
        other = dns.message.make_query("other.example", "A")
        other.id = question.id
        return records(other, "other.example. 60 IN A 6.6.6.6")

    async with name_server(lie) as (server, _):
        with pytest.raises(NetError):
            await resolver(server).resolve("web.example", deadline=deadline(0.3))


async def test_search_domains_are_tried() -> None:
    def only_in_house(question: dns.message.Message, tcp: bool) -> bytes:
        inside = question.question[0].name.to_text() == "nas.home.example."
        return both(question, tcp) if inside else records(question, rcode=3)

    async with name_server(only_in_house) as (server, log):
        found = await resolver(server, search=("home.example",)).resolve("nas", deadline=deadline())

    assert found
    assert log.asked[0].startswith("nas.home.example.")


async def test_any_text_is_a_failure_and_not_a_crash() -> None:
    async with name_server(both) as (server, _):
        with pytest.raises(NetError):
            await resolver(server).resolve("a" * 64 + ".example", deadline=deadline())


def test_the_system_files_are_read(tmp_path: Path) -> None:
    (tmp_path / "resolv.conf").write_text(
        "# comment\nnameserver 192.0.2.53\nnameserver fe80::1%eth0\nsearch Home.Example corp.\noptions ndots:2 rotate\n"
    )
    (tmp_path / "hosts").write_text("127.0.0.1 localhost\n192.0.2.7 NAS nas.home # box\n::7 nas\n")

    names = read_system_names(resolv_conf=tmp_path / "resolv.conf", hosts=tmp_path / "hosts")

    assert names.nameservers == (("192.0.2.53", 53), ("fe80::1", 53))
    assert (names.search, names.ndots) == (("home.example", "corp"), 2)
    assert names.hosts["nas"] == ("192.0.2.7", "::7")


def test_missing_files_mean_the_local_name_server(tmp_path: Path) -> None:
    names = read_system_names(resolv_conf=tmp_path / "no", hosts=tmp_path / "no")

    assert names.nameservers == (("127.0.0.1", 53),)
