"""Every code has its switch, or the reason why it has none."""

import re
from fnmatch import fnmatch

from lifesign.net.failures import _REMEDIES
from lifesign.probes.mcp.codes import CODES
from lifesign.testing import ELSEWHERE, FAULTS

MCP = [f"{layer}/{code}" for layer, code in CODES]

NOT_OF_MCP = {
    "tcp/answer_timeout": "the tcp kind",
    "tcp/unexpected_answer": "the tcp kind",
    "http/too_many_redirects": "the http kind; here it is redirect_loop",
    "http/bad_redirect": "the http kind; here it is moved_redirect",
}


def is_elsewhere(code: str) -> bool:
    return any(fnmatch(code, pattern) for pattern in ELSEWHERE)


def test_every_code_of_an_mcp_server_has_a_switch_or_a_reason() -> None:
    assert [code for code in MCP if code not in FAULTS and not is_elsewhere(code)] == []


def test_every_code_of_the_network_has_a_switch_or_a_reason() -> None:
    known = FAULTS.keys() | NOT_OF_MCP.keys()

    assert [code for code in _REMEDIES if code not in known and not is_elsewhere(code)] == []


def test_nothing_has_both_a_switch_and_a_reason() -> None:
    assert [code for code in FAULTS if is_elsewhere(code)] == []


def test_every_reason_stands_for_a_code() -> None:
    codes = [*MCP, *_REMEDIES]

    assert [wild for wild in ELSEWHERE if not any(fnmatch(code, wild) for code in codes)] == []


def test_every_switch_completes_its_sentence() -> None:
    assert [found for found in FAULTS.values() if not re.fullmatch(r"[a-z].*\.", found.what)] == []
