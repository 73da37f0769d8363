"""What applying a request answers, before it is put into etcd's messages.

`revision` is the one for the reply's header. Pairs are the wire bytes of
`mvccpb.KeyValue` as they are stored.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from miniet.mvcc import RangeResult


@dataclass(slots=True)
class PutResult:
    """`prev_kv` is the pair before, where it was asked for and existed."""

    revision: int
    prev_kv: bytes | None

    def __init__(self, revision: int, prev_kv: bytes | None = None) -> None:
        self.revision = revision
        self.prev_kv = prev_kv


@dataclass(slots=True)
class DeleteRangeResult:
    """How many keys went, and the pairs they had if those were asked for."""

    revision: int
    deleted: int
    prev_kvs: Sequence[bytes | memoryview]


@dataclass(slots=True)
class TxnResult:
    """The branch taken and one answer per operation of it, in order."""

    revision: int
    succeeded: bool
    responses: list["OpResult"]


OpResult = PutResult | DeleteRangeResult | RangeResult | TxnResult


@dataclass(slots=True)
class CompactionResult:
    """The compaction is recorded; if it is physical, the answer waits for its end."""

    revision: int
    is_physical: bool = False


@dataclass(slots=True)
class LeaseGrantResult:
    """The lease and the time to live that it really got."""

    revision: int
    lease_id: int
    ttl_s: int


@dataclass(slots=True)
class LeaseRevokeResult:
    """The lease and its keys are gone."""

    revision: int


@dataclass(slots=True)
class AlarmResult:
    """The alarms that the request is about, as (member id, alarm type)."""

    alarms: list[tuple[int, int]]


@dataclass(slots=True)
class DoneResult:
    """Applied; there is nothing to say."""


ApplyResult = (
    PutResult
    | DeleteRangeResult
    | TxnResult
    | CompactionResult
    | LeaseGrantResult
    | LeaseRevokeResult
    | AlarmResult
    | DoneResult
)
