"""Header blocks remembered, and forgotten when the table changes."""

from contextlib import suppress

import hpack
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from miniet.wire import CallStarted, Limits
from miniet.wire.errors import CallRefusedError, PeerError, StreamError
from miniet.wire.headers import HeaderReader, trailers
from tests.support.http2 import END_HEADERS, END_STREAM, HEADERS, frame
from tests.support.wire_clients import CALL, RawClient

NAMES = st.sampled_from(["x-a", "x-b", "token", "x-deadline"])
VALUES = st.sampled_from(["1S", "20S", "1m", "y" * 50])


@settings(deadline=None)
@given(
    calls=st.lists(
        st.lists(st.tuples(NAMES, VALUES), max_size=3), min_size=1, max_size=30
    ),
    table_bytes=st.sampled_from([0, 100, 250, 4096]),
)
def test_calls_are_read_as_without_a_memory(
    calls: list[list[tuple[str, str]]], table_bytes: int
) -> None:
    """A small table makes entries come and go, so that equal bytes change meaning."""
    encoder, client = hpack.Encoder(), RawClient()
    encoder.header_table_size = table_bytes
    for number, more in enumerate(calls):
        single = dict(more)
        block = encoder.encode([*CALL, *single.items()])
        stream_id = 2 * number + 1
        events = client.send(frame(HEADERS, END_HEADERS | END_STREAM, stream_id, block))
        started = events[0]
        assert isinstance(started, CallStarted)
        assert started.call.path == "/etcdserverpb.KV/Put"
        assert started.call.metadata == dict((*CALL[4:], *single.items()))
        client.connection.end(stream_id)


def test_block_that_was_seen_is_not_decoded_again() -> None:
    encoder, reader = hpack.Encoder(), HeaderReader(65_536)
    first = reader.read_call(1, encoder.encode(CALL))
    again = encoder.encode(CALL)
    second = reader.read_call(3, again)
    assert first == second
    assert reader.read_call(5, bytes(again)) is second
    reader.read_call(7, encoder.encode([*CALL, ("x-new", "entry")]))
    # The table has moved on: the same bytes now mean something else.
    with pytest.raises((StreamError, PeerError, CallRefusedError)):
        reader.read_call(9, again)


@pytest.mark.parametrize("first", ["behind the end", "trailers", "too many calls"])
def test_headers_that_nobody_wants_still_count_for_the_table(first: str) -> None:
    encoder, client = hpack.Encoder(), RawClient(Limits(concurrent_streams_max=1))
    ended = END_HEADERS | (0 if first == "trailers" else END_STREAM)
    client.send(frame(HEADERS, ended, 1, encoder.encode(CALL)))
    # A further call, or more headers of the first.
    stream_id, more = (3, CALL) if first == "too many calls" else (1, ())
    unwanted = encoder.encode([*more, ("x-new", "entry")])
    client.send(frame(HEADERS, END_HEADERS | END_STREAM, stream_id, unwanted))
    client.connection.end(1)
    known = encoder.encode([*CALL, ("x-new", "entry")])
    [started, _] = client.send(frame(HEADERS, END_HEADERS | END_STREAM, 5, known))
    assert isinstance(started, CallStarted)
    assert started.call.metadata["x-new"] == "entry"


def test_blocks_are_remembered_up_to_a_bound() -> None:
    reader = HeaderReader(65_536)
    encoder = hpack.Encoder()
    reader.read_call(1, encoder.encode(CALL))
    for number in range(1000):
        # Sensitive values are not put into the table.
        block = encoder.encode(
            [*CALL, hpack.NeverIndexedHeaderTuple("x-n", str(number))]
        )
        reader.read_call(3, block)
    assert len(reader._blocks) <= 64


@settings(deadline=None)
@given(st.binary(max_size=200))
def test_any_block_is_decoded_or_refused(data: bytes) -> None:
    reader = HeaderReader(4096)
    with suppress(PeerError, StreamError, CallRefusedError):
        reader.read_call(1, data)


@pytest.mark.parametrize("size", [0, 126, 127, 128, 254, 255, 70_000])
def test_trailers_of_any_length_are_hpack(size: int) -> None:
    block = trailers(13, "x" * size)
    found = dict(hpack.Decoder(max_header_list_size=1 << 20).decode(block))
    assert found["grpc-status"] == "13"
    assert found.get("grpc-message", "") == "x" * size
