"""Results to the bytes of etcd's responses.

Stored pairs and events are put into a response as they are, behind a tag and a
length; they are neither parsed nor encoded again. Everything else goes through
`miniet.pb`. A response is its header, field 1 in all of them, followed by the
rest, so the header is made apart.
"""

from collections.abc import Sequence
from typing import Final

from google.protobuf.message import Message

from miniet.engine.results import (
    DeleteRangeResult,
    OpResult,
    PutResult,
    TxnResult,
)
from miniet.mvcc import RangeResult
from miniet.protowire import varint
from miniet.watch import WatchResponse


def _embedded(tag: bytes, message: bytes | memoryview) -> bytes:
    return b"".join((tag, varint(len(message)), message))


def _add_repeated(
    parts: list[bytes | memoryview],
    tag: bytes,
    messages: Sequence[bytes | memoryview],
) -> None:
    """Add messages, each behind its tag and length, to what is to be joined.

    Joining is the only copy that is made of a pair on its way from the map.
    """
    heads: dict[int, bytes] = {}
    last_size, head = -1, b""
    for message in messages:
        size = len(message)
        if size != last_size:
            last_size, head = size, heads.get(size, b"")
            if not head:
                head = heads[size] = tag + varint(size)
        parts.append(head)
        parts.append(message)


def _number(tag: bytes, value: int) -> bytes:
    return tag + varint(value) if value else b""


def _tag(number: int, wire_type: int = 2) -> bytes:
    return varint(number << 3 | wire_type)


_FIELD_1, _FIELD_2, _FIELD_3 = _tag(1), _tag(2), _tag(3)
_EVENTS: Final = _tag(11)

# Which member of ResponseOp's union an answer is.
_OP_TAGS: Final[dict[type, bytes]] = {
    RangeResult: _tag(1),
    PutResult: _tag(2),
    DeleteRangeResult: _tag(3),
    TxnResult: _tag(4),
}


class Headers:
    """Makes response headers of one member: cluster, member, revision, term."""

    def __init__(self, cluster_id: int, member_id: int) -> None:
        self._identity = _number(b"\x08", cluster_id) + _number(b"\x10", member_id)
        self._last = (-1, -1)
        self._encoded = b""

    def encode(self, revision: int, term: int) -> bytes:
        """Return field 1 of a response; `revision` 0 is left out."""
        if self._last != (revision, term):
            self._last = (revision, term)
            numbers = _number(b"\x18", revision) + _number(b"\x20", term)
            self._encoded = _embedded(_FIELD_1, self._identity + numbers)
        return self._encoded


def response(header: bytes, message: Message) -> bytes:
    """Put a header before a response message that has none."""
    return header + message.SerializeToString()


def put_response(header: bytes, result: PutResult) -> bytes:
    """Encode a PutResponse."""
    if result.prev_kv is None:
        return header
    return header + _embedded(_FIELD_2, result.prev_kv)


def range_response(header: bytes, result: RangeResult) -> bytes:
    """Encode a RangeResponse."""
    parts: list[bytes | memoryview] = [header]
    _add_repeated(parts, _FIELD_2, result.kvs)
    parts.append(_number(b"\x18", result.more))
    parts.append(_number(b"\x20", result.count))
    return b"".join(parts)


def delete_range_response(header: bytes, result: DeleteRangeResult) -> bytes:
    """Encode a DeleteRangeResponse."""
    parts: list[bytes | memoryview] = [header, _number(b"\x10", result.deleted)]
    _add_repeated(parts, _FIELD_3, result.prev_kvs)
    return b"".join(parts)


def txn_response(header: bytes, result: TxnResult) -> bytes:
    """Encode a TxnResponse; headers inside carry a revision alone."""
    parts: list[bytes | memoryview] = [header, _number(b"\x10", result.succeeded)]
    _add_repeated(parts, _FIELD_3, list(map(_op_response, result.responses)))
    return b"".join(parts)


def _op_response(result: OpResult) -> bytes:
    tag = _OP_TAGS[type(result)]
    if isinstance(result, TxnResult):
        # The header of a nested txn is there, and empty.
        return _embedded(tag, txn_response(_embedded(_FIELD_1, b""), result))
    header = _embedded(_FIELD_1, _number(b"\x18", result.revision))
    if isinstance(result, PutResult):
        return _embedded(tag, put_response(header, result))
    if isinstance(result, RangeResult):
        return _embedded(tag, range_response(header, result))
    return _embedded(tag, delete_range_response(header, result))


def watch_responses(header: bytes, answer: WatchResponse) -> list[bytes]:
    """Encode a WatchResponse for each watcher that gets it."""
    rest = _after_watch_id(answer)
    return [
        b"".join((header, _number(b"\x10", watch_id), rest))
        for watch_id in (answer.watch_id, *answer.more_ids)
    ]


def _after_watch_id(answer: WatchResponse) -> bytes:
    reason = answer.cancel_reason.encode()
    parts: list[bytes | memoryview] = [
        _number(b"\x18", answer.created),
        _number(b"\x20", answer.canceled),
        _number(b"\x28", answer.compact_revision),
        _embedded(_tag(6), reason) if reason else b"",
        _number(b"\x38", answer.fragment),
    ]
    _add_repeated(parts, _EVENTS, answer.events)
    return b"".join(parts)
