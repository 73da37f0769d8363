"""`Stream`: one call of a connection, as far as the wire goes.

                     client's END_STREAM
        open  ------------------------------>  half closed (remote)
          |                                          |
          |  our END_STREAM, or a RST_STREAM         |
          +------------------->  closed  <-----------+

A closed stream is forgotten at once. Streams that are idle have never been known.
"""

from collections import deque

from miniet.wire.call import Call
from miniet.wire.messages import MessageReader


class Stream:
    """What is known of a call that is not over.

    send_window: bytes of DATA that the client still takes; may be negative after it
        has made its windows smaller.
    receive_window: bytes of DATA that the client may still send.
    unreturned_bytes: received and dealt with, not yet given back as room.
    untaken_bytes: of complete messages that their handler has not taken.
    withheld_bytes: the room they take, given back with the last of them.
    received_bytes: of DATA in all, held against the announced content length.
    reader: puts messages together that frames have torn apart; None: no frame has yet.
    pending: DATA payloads that wait for room, in order; None: there were none yet.
    pending_bytes: sum of their lengths.
    trailers: header block that ends the call once nothing is pending; None: not yet.
    """

    __slots__ = (
        "call",
        "has_sent_headers",
        "is_remote_ended",
        "pending",
        "pending_bytes",
        "reader",
        "receive_window",
        "received_bytes",
        "send_window",
        "stream_id",
        "trailers",
        "unreturned_bytes",
        "untaken_bytes",
        "withheld_bytes",
    )

    def __init__(
        self,
        stream_id: int,
        call: Call,
        send_window: int,
        receive_window: int,
    ) -> None:
        self.stream_id = stream_id
        self.call = call
        self.reader: MessageReader | None = None
        self.send_window = send_window
        self.receive_window = receive_window
        self.unreturned_bytes = self.withheld_bytes = 0
        self.untaken_bytes = 0
        self.received_bytes = 0
        self.is_remote_ended = False
        self.has_sent_headers = False
        self.pending: deque[memoryview] | None = None
        self.pending_bytes = 0
        self.trailers: bytes | None = None

    def __repr__(self) -> str:
        return (
            f"<Stream {self.stream_id} pending_bytes={self.pending_bytes}"
            f" remote_ended={self.is_remote_ended}>"
        )
