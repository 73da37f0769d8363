"""HTTP/2 and gRPC for a server, without a socket: bytes in, events and bytes out.

    connection = Connection(Limits())
    for event in connection.receive(data, now_s):   # what the client asks
        ...                                          # -> respond(), send(), end()
    transport.writelines(connection.take_output())   # what goes back

A `Connection` never waits, reads no clock and raises nothing for what a client
sends. A client that breaks the protocol loses its stream (RST_STREAM) or its
connection (GOAWAY, then `ConnectionEnded`), as RFC 9113 says, and no other.

One call, as its events, and what answers it:

    HEADERS                       CallStarted(stream_id, call)
    DATA, one message             MessageReceived(stream_id, message, is_last)
    END_STREAM on a frame alone   RequestEnded(stream_id)
    RST_STREAM, or our refusal    CallAborted(stream_id)

    respond(stream_id, message)   headers, message and trailers of a unary call
    send(stream_id, message)      a message of a streaming call
    end(stream_id, status)        trailers

Frames are taken up only when they are complete, so however the bytes are cut, the
events are the same. The messages of a call come in order, each whole.

Flow control
    Towards the client: a message that fits into a frame, and whose windows admit it,
    is framed at once while little is queued. All others wait in their stream until the
    windows admit them and `take_output` asks for more: `pending_bytes(stream_id)` says
    how much waits, `take_output` whose wait is over. They leave as views of the
    caller's bytes, without a copy.
    From the client: room is given back as bytes come in for a message that is not
    complete, and for complete ones when `taken` says that their handler has them. So
    one stream keeps at most two messages and a window, a connection no more than
    `Limits.received_bytes_max` and the messages that the last frames completed.

Kept in memory: per connection its buffers (at most one incomplete frame), the
client's header table (4 KiB at most) and up to 64 header blocks already decoded; per
stream a `Stream` and what waits in it. Every bound is a field of `Limits`.

Headers go through the library `hpack`; a block that has been seen, and that does not
change the table, is not decoded again. What this server sends needs no table at all:
its two header blocks are constants.

Left out, as no client of etcd uses it: server push, priorities (read and ignored),
compressed messages, for which etcd 3.4 has no decompressor either.

Source: RFC 9113 (HTTP/2), RFC 7541 (HPACK), gRPC over HTTP/2 (PROTOCOL-HTTP2.md in
grpc/grpc); ping policy and texts of google.golang.org/grpc v1.29, etcd 3.4's.
"""

from miniet.wire.call import Call
from miniet.wire.connection import PREFACE, Connection
from miniet.wire.errors import ErrorCode
from miniet.wire.events import (
    CallAborted,
    CallStarted,
    ConnectionEnded,
    Event,
    MessageReceived,
    RequestEnded,
)
from miniet.wire.limits import Limits

__all__ = [
    "PREFACE",
    "Call",
    "CallAborted",
    "CallStarted",
    "Connection",
    "ConnectionEnded",
    "ErrorCode",
    "Event",
    "Limits",
    "MessageReceived",
    "RequestEnded",
]
