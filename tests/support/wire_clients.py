"""Clients of `miniet.wire` without a socket: by hand, and the library h2."""

from collections.abc import Iterable
from dataclasses import dataclass, field

import h2.config
import h2.connection
import h2.events
import hpack

from miniet.wire import PREFACE, Connection, Event, Limits
from tests.support.http2 import (
    DATA,
    END_HEADERS,
    END_STREAM,
    GOAWAY,
    HEADERS,
    SETTINGS,
    frame,
    message,
)

CALL = (
    (":method", "POST"),
    (":scheme", "http"),
    (":path", "/etcdserverpb.KV/Put"),
    (":authority", "localhost:2379"),
    ("content-type", "application/grpc"),
    ("te", "trailers"),
)


def uint32(value: int) -> bytes:
    return value.to_bytes(4, "big")


def block(headers: Iterable[tuple[str, str]] = CALL) -> bytes:
    """Write a header block that needs no table and leaves none."""
    encoded = b""
    for name, value in headers:
        encoded += b"\x00"
        for text in (name.encode(), value.encode("latin-1")):
            assert len(text) < 127
            encoded += bytes((len(text),)) + text
    return encoded


def call(
    stream_id: int,
    body: bytes | None = b"abc",
    headers: Iterable[tuple[str, str]] = CALL,
) -> bytes:
    """Write the frames of a unary call; without a body only its headers."""
    start = frame(HEADERS, END_HEADERS, stream_id, block(headers))
    if body is None:
        return start
    return start + frame(DATA, END_STREAM, stream_id, message(body))


def with_headers(**changes: str | None) -> list[tuple[str, str]]:
    """Return a call's headers with some changed, added or left out.

    Names: `_` stands for `-`, `colon_` for `:`.
    """
    named = {
        name.replace("colon_", ":").replace("_", "-"): value
        for name, value in changes.items()
    }
    kept = [(name, named.pop(name, value)) for name, value in CALL]
    added = list(named.items())
    return [(name, value) for name, value in kept + added if value is not None]


@dataclass(frozen=True)
class Answer:
    """A frame of the server."""

    kind: int
    flags: int
    stream_id: int
    payload: bytes

    @property
    def code(self) -> int:
        """Error code of a RST_STREAM or GOAWAY."""
        at = 4 if self.kind == GOAWAY else 0
        return int.from_bytes(self.payload[at : at + 4], "big")


def answers(data: bytes) -> list[Answer]:
    """Read the server's frames."""
    found = []
    while data:
        length = int.from_bytes(data[:3], "big")
        stream_id = int.from_bytes(data[5:9], "big")
        found.append(Answer(data[3], data[4], stream_id, data[9 : 9 + length]))
        assert len(data) >= 9 + length, "the server wrote half a frame"
        data = data[9 + length :]
    return found


class RawClient:
    """Bytes by hand; the server's frames and events are kept.

    now_s: the time at which the next bytes arrive.
    """

    def __init__(self, limits: Limits | None = None, *, greets: bool = True) -> None:
        self.connection = Connection(limits or Limits())
        self.events: list[Event] = []
        self.answers: list[Answer] = []
        self.now_s = 0.0
        self._decoder = hpack.Decoder()
        if greets:
            self.send(PREFACE + frame(SETTINGS))
            self.answers.clear()

    def send(self, data: bytes) -> list[Event]:
        """Let bytes arrive; returns what they mean."""
        events = self.connection.receive(data, self.now_s)
        self.events += events
        self.read()
        return events

    def read(self) -> list[Answer]:
        """Take what the server has to say."""
        data = b""
        while self.connection.has_output:
            chunks, _ = self.connection.take_output()
            data += b"".join(chunks)
        new = answers(data)
        self.answers += new
        return new

    def headers(self, answer: Answer) -> dict[str, str]:
        """Decode a HEADERS frame of the server."""
        return dict(self._decoder.decode(answer.payload))

    def of_kind(self, kind: int) -> list[Answer]:
        return [answer for answer in self.answers if answer.kind == kind]


@dataclass
class Response:
    """What an h2 client has of one call."""

    headers: dict[str, str] = field(default_factory=dict)
    data: bytes = b""
    trailers: dict[str, str] = field(default_factory=dict)
    is_ended: bool = False
    reset_code: int | None = None


class H2Client:
    """The library h2 as a client, joined to a `Connection`.

    acknowledges: whether it gives room back for what it has received.
    """

    def __init__(self, limits: Limits | None = None) -> None:
        config = h2.config.H2Configuration(client_side=True, header_encoding="utf-8")
        self.h2 = h2.connection.H2Connection(config)
        self.connection = Connection(limits or Limits())
        self.responses: dict[int, Response] = {}
        self.events: list[Event] = []
        self.terminated: h2.events.ConnectionTerminated | None = None
        self.acknowledges = True
        self.h2.initiate_connection()
        self.pump()

    def call(self, body: bytes | None = None, *more: tuple[str, str]) -> int:
        """Open a call, with its one message if there is a body; returns its stream."""
        stream_id: int = self.h2.get_next_available_stream_id()
        self.responses[stream_id] = Response()
        self.h2.send_headers(stream_id, [*CALL, *more])
        if body is not None:
            self.send(stream_id, message(body), is_last=True)
        self.pump()
        return stream_id

    def send(self, stream_id: int, data: bytes, *, is_last: bool = False) -> None:
        """Send DATA as the server's windows admit it."""
        while data:
            room = min(
                self.h2.local_flow_control_window(stream_id),
                self.h2.max_outbound_frame_size,
            )
            part, data = data[:room], data[room:]
            assert part, "the server gives no room"
            self.h2.send_data(stream_id, part, end_stream=is_last and not data)
            self.pump()

    def pump(self) -> None:
        """Carry bytes both ways until there are none."""
        while True:
            data = self.h2.data_to_send()
            if data:
                self.events += self.connection.receive(data, 0.0)
            chunks, _ = self.connection.take_output()
            if chunks:
                for event in self.h2.receive_data(b"".join(chunks)):
                    self._take(event)
            elif not data:
                return

    def _take(self, event: h2.events.Event) -> None:
        if isinstance(event, h2.events.ConnectionTerminated):
            self.terminated = event
            return
        response = self.responses.get(getattr(event, "stream_id", None) or 0)
        if response is None:
            return
        if isinstance(event, h2.events.ResponseReceived):
            response.headers = dict(event.headers)
        elif isinstance(event, h2.events.TrailersReceived):
            response.trailers = dict(event.headers)
        elif isinstance(event, h2.events.DataReceived):
            response.data += event.data
            if self.acknowledges:
                self.h2.acknowledge_received_data(
                    event.flow_controlled_length, event.stream_id
                )
        elif isinstance(event, h2.events.StreamEnded):
            response.is_ended = True
        elif isinstance(event, h2.events.StreamReset):
            response.reset_code = event.error_code
