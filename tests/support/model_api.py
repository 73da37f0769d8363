"""The words of the model of etcd: what it is asked and what it answers.

They are the API's, without protobuf and without miniet's records.
"""

from dataclasses import dataclass
from enum import Enum, IntEnum
from typing import TypeAlias


class Refusal(Enum):
    """Why a request changes nothing."""

    COMPACTED = "the revision is compacted"
    FUTURE_REVISION = "the revision is in the future"
    KEY_NOT_FOUND = "there is no value or lease to be kept"
    LEASE_NOT_FOUND = "there is no such lease"
    LEASE_EXISTS = "the lease id is in use"
    LEASE_TTL_TOO_LARGE = "the TTL is too large"
    LEASE_EXPIRED = "the lease waits for its revocation"
    NOT_PRIMARY = "no time runs here"


class Refused(Exception):
    """The answer to a request that is refused."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.value)
        self.refusal = refusal


@dataclass(frozen=True)
class Change:
    """One put or deletion of one key; a put is also the pair that readers see.

    sub: position in its transaction, from 0.
    value: None for a deletion; the three fields after it are 0 then.
    version: puts since the key was created, from 1.
    """

    revision: int
    sub: int
    key: bytes
    value: bytes | None
    create_revision: int = 0
    version: int = 0
    lease: int = 0

    @property
    def is_deletion(self) -> bool:
        return self.value is None


class SortOrder(IntEnum):
    NONE = 0
    ASCEND = 1
    DESCEND = 2


class SortTarget(IntEnum):
    KEY = 0
    VERSION = 1
    CREATE = 2
    MOD = 3
    VALUE = 4


class CompareResult(IntEnum):
    EQUAL = 0
    GREATER = 1
    LESS = 2
    NOT_EQUAL = 3


class CompareTarget(IntEnum):
    VERSION = 0
    CREATE = 1
    MOD = 2
    VALUE = 3
    LEASE = 4


@dataclass(frozen=True)
class Range:
    """0 and empty mean what they mean in the API: one key, now, no limit, no filter."""

    key: bytes
    range_end: bytes = b""
    limit: int = 0
    revision: int = 0
    sort_order: int = SortOrder.NONE
    sort_target: int = SortTarget.KEY
    keys_only: bool = False
    count_only: bool = False
    min_mod_revision: int = 0
    max_mod_revision: int = 0
    min_create_revision: int = 0
    max_create_revision: int = 0


@dataclass(frozen=True)
class Put:
    key: bytes
    value: bytes = b""
    lease: int = 0
    prev_kv: bool = False
    ignore_value: bool = False
    ignore_lease: bool = False


@dataclass(frozen=True)
class DeleteRange:
    key: bytes
    range_end: bytes = b""
    prev_kv: bool = False


@dataclass(frozen=True)
class Compare:
    """A condition on every pair of a range; `operand` is bytes for target VALUE."""

    key: bytes
    range_end: bytes = b""
    result: int = CompareResult.EQUAL
    target: int = CompareTarget.VERSION
    operand: int | bytes = 0


@dataclass(frozen=True)
class Txn:
    compare: tuple[Compare, ...] = ()
    success: "tuple[Operation, ...]" = ()
    failure: "tuple[Operation, ...]" = ()


Operation: TypeAlias = Put | DeleteRange | Range | Txn


@dataclass(frozen=True)
class RangeAnswer:
    revision: int
    pairs: list[Change]
    count: int
    more: bool


@dataclass(frozen=True)
class PutAnswer:
    revision: int
    previous: Change | None


@dataclass(frozen=True)
class DeleteAnswer:
    revision: int
    deleted: int
    previous: list[Change]


@dataclass(frozen=True)
class TxnAnswer:
    """`revision` is 0 in the answer of a nested txn, as in etcd's."""

    revision: int
    succeeded: bool
    answers: "list[Answer]"


Answer: TypeAlias = RangeAnswer | PutAnswer | DeleteAnswer | TxnAnswer


@dataclass(frozen=True)
class Watch:
    """Who wants to hear what; `start_revision` is resolved: never 0."""

    key: bytes
    range_end: bytes = b""
    start_revision: int = 1
    no_put: bool = False
    no_delete: bool = False
