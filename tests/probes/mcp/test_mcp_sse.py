"""The event reader: whatever the cut of the bytes and the kind of line ending, the events are the same."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lifesign.probes.mcp.client.sse import EventReader, ServerEvent

texts = st.text(
    st.characters(blacklist_characters="\r\n", blacklist_categories=["Cs"]), max_size=30
)
events = st.lists(
    st.tuples(st.lists(texts, min_size=1, max_size=4), st.sampled_from(["message", "endpoint"])),
    max_size=6,
)


def render(stream, ending: str) -> bytes:
    lines = []
    for data, name in stream:
        lines += [":keep-alive", f"event: {name}", "id: 7", *(f"data: {line}" for line in data), ""]
    return "".join(line + ending for line in lines).encode()


@given(events, st.sampled_from(["\n", "\r", "\r\n"]), st.booleans(), st.data())
def test_any_cut_gives_the_same_events(stream, ending, has_bom, data):
    raw = (b"\xef\xbb\xbf" if has_bom else b"") + render(stream, ending)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(raw)), max_size=8)))
    reader = EventReader()

    found = []
    for start, end in zip([0, *cuts], [*cuts, len(raw)], strict=True):
        found += reader.feed(raw[start:end])

    assert found == [ServerEvent(name, "\n".join(lines).encode()) for lines, name in stream]
    assert reader.comments == len(stream)
    assert not (stream and reader.is_mid_event)


@given(st.lists(st.binary(max_size=40), max_size=10))
def test_no_bytes_break_it(chunks):
    reader = EventReader()
    for chunk in chunks:
        reader.feed(chunk)


def test_a_priming_event_has_empty_data():
    assert EventReader().feed(b"id: 1\ndata: \n\n") == [ServerEvent("message", b"")]


def test_an_event_without_data_is_not_dispatched():
    assert EventReader().feed(b"event: ping\nid: 1\n\n") == []


def test_only_one_space_is_dropped_after_the_colon():
    assert EventReader().feed(b"data:  x\ndata:y\n\n") == [ServerEvent("message", b" x\ny")]


def test_a_line_without_field_name_is_counted_as_stray():
    reader = EventReader()
    reader.feed(b'{"jsonrpc":"2.0"}\n\n')

    assert reader.strays == 1


@pytest.mark.parametrize("tail", [b"data: x", b"data: x\n", b"da"])
def test_an_event_that_is_not_closed_is_seen(tail):
    reader = EventReader()

    assert reader.feed(b"data: a\n\n" + tail) == [ServerEvent("message", b"a")]
    assert reader.is_mid_event


def test_a_long_line_in_small_chunks_is_put_together():
    body = msgspec.json.encode({"text": "x" * 50_000})
    reader = EventReader()
    raw = b"data: " + body + b"\n\n"

    found = [event for at in range(0, len(raw), 7) for event in reader.feed(raw[at : at + 7])]

    assert [body] == [event.data for event in found]
