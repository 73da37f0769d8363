"""The one table from our errors to gRPC codes and etcd's exact texts.

Clients compare the texts byte for byte, and decide by the code whether to retry.
Codes and texts are those of etcd 3.4, quirks included. Nothing here knows a
transport: both gRPC servers and the JSON gateway read the same table.

Source: etcd v3.4.9 etcdserver/api/v3rpc/rpctypes/error.go, v3rpc/util.go.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from types import MappingProxyType

from miniet.engine import errors as engine
from miniet.errors import MinietError, RequestError
from miniet.lease import errors as lease
from miniet.mvcc import errors as mvcc
from miniet.raft import errors as raft


class Code(IntEnum):
    """gRPC's status codes."""

    OK = 0
    CANCELED = 1
    UNKNOWN = 2
    INVALID_ARGUMENT = 3
    DEADLINE_EXCEEDED = 4
    NOT_FOUND = 5
    ALREADY_EXISTS = 6
    PERMISSION_DENIED = 7
    RESOURCE_EXHAUSTED = 8
    FAILED_PRECONDITION = 9
    ABORTED = 10
    OUT_OF_RANGE = 11
    UNIMPLEMENTED = 12
    INTERNAL = 13
    UNAVAILABLE = 14
    DATA_LOSS = 15
    UNAUTHENTICATED = 16

    @property
    def title(self) -> str:
        """The code as Go and the metrics spell it: `OK`, `InvalidArgument`."""
        return "OK" if self is Code.OK else self.name.title().replace("_", "")


@dataclass(frozen=True, slots=True)
class Status:
    """How a call ended, as the wire says it."""

    code: Code
    message: str


class CallError(RequestError):
    """The call failed before or beside etcd's own rules; it brings its status."""

    def __init__(self, code: Code, message: str) -> None:
        super().__init__(message)
        self.status = Status(code, message)


def _row(code: Code, text: str) -> Status:
    return Status(code, f"etcdserver: {text}")


STATUSES: Mapping[type[RequestError], Status] = MappingProxyType(
    {
        engine.EmptyKeyError: _row(Code.INVALID_ARGUMENT, "key is not provided"),
        engine.KeyNotFoundError: _row(Code.INVALID_ARGUMENT, "key not found"),
        engine.ValueProvidedError: _row(Code.INVALID_ARGUMENT, "value is provided"),
        engine.LeaseProvidedError: _row(Code.INVALID_ARGUMENT, "lease is provided"),
        engine.TooManyOperationsError: _row(
            Code.INVALID_ARGUMENT, "too many operations in txn request"
        ),
        engine.DuplicateKeyError: _row(
            Code.INVALID_ARGUMENT, "duplicate key given in txn request"
        ),
        engine.InvalidSortOptionError: _row(
            Code.INVALID_ARGUMENT, "invalid sort option"
        ),
        engine.RequestTooLargeError: _row(
            Code.INVALID_ARGUMENT, "request is too large"
        ),
        mvcc.CompactedError: _row(
            Code.OUT_OF_RANGE, "mvcc: required revision has been compacted"
        ),
        mvcc.FutureRevisionError: _row(
            Code.OUT_OF_RANGE, "mvcc: required revision is a future revision"
        ),
        engine.NoSpaceError: _row(
            Code.RESOURCE_EXHAUSTED, "mvcc: database space exceeded"
        ),
        # etcd hands gRPC the client's form of this error, which arrives as
        # Unknown; so does that of NotEnoughStartedMembersError.
        engine.TooManyRequestsError: _row(Code.UNKNOWN, "too many requests"),
        lease.LeaseNotFoundError: _row(Code.NOT_FOUND, "requested lease not found"),
        lease.LeaseExistsError: _row(Code.FAILED_PRECONDITION, "lease already exists"),
        lease.LeaseTtlTooLargeError: _row(Code.OUT_OF_RANGE, "too large lease TTL"),
        # These two leave etcd as they are, without its name in front.
        lease.NotPrimaryError: Status(Code.UNKNOWN, "not a primary lessor"),
        raft.ProposalDroppedError: Status(Code.UNKNOWN, "raft proposal dropped"),
        engine.NoLeaderError: _row(Code.UNAVAILABLE, "no leader"),
        engine.NotLeaderError: _row(Code.FAILED_PRECONDITION, "not leader"),
        engine.StoppedError: _row(Code.UNAVAILABLE, "server stopped"),
        engine.RequestTimeoutError: _row(Code.UNAVAILABLE, "request timed out"),
        engine.UnhealthyError: _row(Code.UNAVAILABLE, "unhealthy cluster"),
        engine.CorruptError: _row(Code.DATA_LOSS, "corrupt cluster"),
        # 3.6 says FailedPrecondition to the next two.
        engine.NotCapableError: _row(Code.UNAVAILABLE, "not capable"),
        engine.NotSupportedForLearnerError: _row(
            Code.UNAVAILABLE, "rpc not supported for learner"
        ),
        engine.AuthNotEnabledError: _row(
            Code.FAILED_PRECONDITION, "authentication is not enabled"
        ),
        engine.MemberNotFoundError: _row(Code.NOT_FOUND, "member not found"),
        engine.MemberExistsError: _row(
            Code.FAILED_PRECONDITION, "member ID already exist"
        ),
        engine.PeerUrlExistsError: _row(
            Code.FAILED_PRECONDITION, "Peer URLs already exists"
        ),
        engine.BadMemberUrlsError: _row(
            Code.INVALID_ARGUMENT, "given member URLs are invalid"
        ),
        engine.NotEnoughStartedMembersError: _row(
            Code.UNKNOWN, "re-configuration failed due to not enough started members"
        ),
        engine.MemberNotLearnerError: _row(
            Code.FAILED_PRECONDITION, "can only promote a learner member"
        ),
        engine.LearnerNotReadyError: _row(
            Code.FAILED_PRECONDITION,
            "can only promote a learner member which is in sync with leader",
        ),
        engine.TooManyLearnersError: _row(
            Code.FAILED_PRECONDITION, "too many learner members in cluster"
        ),
        engine.BadLeaderTransfereeError: _row(
            Code.FAILED_PRECONDITION, "bad leader transferee"
        ),
    }
)


def status_of(error: MinietError) -> Status:
    """Return what the wire says of `error`.

    A subclass of a class in the table gets that one's status. Anything else
    arrives as Unknown with its own text, as etcd's unmapped errors do.
    """
    if isinstance(error, CallError):
        return error.status
    for kind in type(error).__mro__:
        status = STATUSES.get(kind)
        if status is not None:
            return status
    return Status(Code.UNKNOWN, str(error))
