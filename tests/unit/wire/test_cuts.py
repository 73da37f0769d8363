"""However bytes are cut, they mean the same; and no bytes do any harm."""

from itertools import pairwise

from hypothesis import example, given, settings
from hypothesis import strategies as st

from miniet.wire import PREFACE, Connection, Event, Limits
from tests.support.http2 import END_HEADERS, SETTINGS, frame, message
from tests.support.wire_clients import CALL, Answer, answers, block, call

LIMITS = Limits(message_bytes_max=50, window_bytes=300, header_list_bytes_max=700)
GREETING = PREFACE + frame(SETTINGS)

STREAMS = st.sampled_from([0, 1, 1, 3, 3, 5, 2])
PAYLOADS = st.one_of(
    st.binary(max_size=40),
    st.sampled_from([
        block(), block()[:30], block()[30:], message(b"abc"), message(b"abc")[:4],
        message(bytes(60)), bytes(4), b"\0\0\x10\0", bytes(8), b"",
    ]),
)  # fmt: skip
FRAMES = st.one_of(
    st.builds(frame, st.integers(0, 10), st.integers(0, 255), STREAMS, PAYLOADS),
    st.builds(
        frame,
        st.sampled_from([0, 1, 3, 8, 9]),
        st.sampled_from([0, 1, 4, 5]),
        STREAMS,
        PAYLOADS,
    ),
    st.builds(call, st.sampled_from([1, 3, 5, 7, 9])),
    st.builds(
        lambda number: frame(1, END_HEADERS, number, block(CALL)),
        st.sampled_from([1, 3, 5, 7, 9]),
    ),
)
BYTES = st.one_of(
    st.lists(FRAMES, max_size=12).map(lambda found: GREETING + b"".join(found)),
    st.binary(max_size=200).map(lambda data: GREETING + data),
    st.binary(max_size=60),
)


def outcome(parts: list[bytes]) -> tuple[list[Event], list[Answer]]:
    """Feed a new connection; every call is answered as soon as it starts."""
    connection = Connection(LIMITS)
    events: list[Event] = []
    output = b""
    for part in [b"", *parts]:
        events += connection.receive(part, 0.0)
        while connection.has_output:
            output += b"".join(connection.take_output()[0])
    return events, answers(output)


@settings(deadline=None)
@given(data=BYTES, cuts=st.lists(st.integers(0, 2000), max_size=20))
@example(data=GREETING + call(1) * 2, cuts=list(range(200)))
def test_events_and_answers_are_the_same_for_all_cuts(
    data: bytes, cuts: list[int]
) -> None:
    places = sorted({min(cut, len(data)) for cut in cuts} | {0, len(data)})
    parts = [data[a:b] for a, b in pairwise(places)]
    assert outcome(parts) == outcome([data])


@settings(deadline=None)
@given(data=BYTES)
def test_byte_by_byte_is_the_same_too(data: bytes) -> None:
    assert outcome([data[at : at + 1] for at in range(len(data))]) == outcome([data])
