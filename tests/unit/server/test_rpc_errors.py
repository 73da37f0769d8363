"""The wire texts, row by row, as clients of etcd 3.4 see them."""

import pytest

from miniet.engine import errors as engine
from miniet.errors import InvariantError, RequestError
from miniet.lease import errors as lease
from miniet.mvcc import errors as mvcc
from miniet.server.rpc_errors import STATUSES, Code, Status, status_of

# (error, gRPC code number, text), copied from observed answers.
ROWS: list[tuple[RequestError, int, str]] = [
    (engine.EmptyKeyError(), 3, "etcdserver: key is not provided"),
    (engine.KeyNotFoundError(b"k"), 3, "etcdserver: key not found"),
    (engine.ValueProvidedError(), 3, "etcdserver: value is provided"),
    (engine.LeaseProvidedError(), 3, "etcdserver: lease is provided"),
    (
        engine.TooManyOperationsError(129, 128),
        3,
        "etcdserver: too many operations in txn request",
    ),
    (
        engine.DuplicateKeyError(b"k"),
        3,
        "etcdserver: duplicate key given in txn request",
    ),
    (
        engine.InvalidSortOptionError("sort_target", 9),
        3,
        "etcdserver: invalid sort option",
    ),
    (
        mvcc.CompactedError(3, 5),
        11,
        "etcdserver: mvcc: required revision has been compacted",
    ),
    (
        mvcc.FutureRevisionError(9, 5),
        11,
        "etcdserver: mvcc: required revision is a future revision",
    ),
    (engine.NoSpaceError(), 8, "etcdserver: mvcc: database space exceeded"),
    (engine.RequestTooLargeError(2, 1), 3, "etcdserver: request is too large"),
    (engine.TooManyRequestsError(5001, 5000), 2, "etcdserver: too many requests"),
    (lease.LeaseNotFoundError(1), 5, "etcdserver: requested lease not found"),
    (lease.LeaseExistsError(1), 9, "etcdserver: lease already exists"),
    (lease.LeaseTtlTooLargeError(1), 11, "etcdserver: too large lease TTL"),
    (engine.MemberExistsError(1), 9, "etcdserver: member ID already exist"),
    (engine.PeerUrlExistsError("u"), 9, "etcdserver: Peer URLs already exists"),
    (
        engine.NotEnoughStartedMembersError(),
        2,
        "etcdserver: re-configuration failed due to not enough started members",
    ),
    (engine.BadMemberUrlsError(), 3, "etcdserver: given member URLs are invalid"),
    (engine.MemberNotFoundError(1), 5, "etcdserver: member not found"),
    (
        engine.MemberNotLearnerError(1),
        9,
        "etcdserver: can only promote a learner member",
    ),
    (
        engine.LearnerNotReadyError(1),
        9,
        "etcdserver: can only promote a learner member which is in sync with leader",
    ),
    (
        engine.TooManyLearnersError(),
        9,
        "etcdserver: too many learner members in cluster",
    ),
    (
        engine.AuthNotEnabledError(),
        9,
        "etcdserver: authentication is not enabled",
    ),
    (engine.NoLeaderError(), 14, "etcdserver: no leader"),
    (engine.NotLeaderError(), 9, "etcdserver: not leader"),
    (engine.NotCapableError(), 14, "etcdserver: not capable"),
    (engine.StoppedError(), 14, "etcdserver: server stopped"),
    (engine.RequestTimeoutError(), 14, "etcdserver: request timed out"),
    (engine.UnhealthyError(), 14, "etcdserver: unhealthy cluster"),
    (engine.CorruptError(), 15, "etcdserver: corrupt cluster"),
    (
        engine.NotSupportedForLearnerError(),
        14,
        "etcdserver: rpc not supported for learner",
    ),
    (
        engine.BadLeaderTransfereeError(1),
        9,
        "etcdserver: bad leader transferee",
    ),
]


@pytest.mark.parametrize(
    ("error", "code", "message"), ROWS, ids=lambda value: type(value).__name__
)
def test_error_has_the_code_and_text_of_etcd(
    error: RequestError, code: int, message: str
) -> None:
    assert status_of(error) == Status(Code(code), message)


def test_every_row_of_the_table_is_checked_here() -> None:
    assert {type(error) for error, _, _ in ROWS} >= {
        kind for kind in STATUSES if kind.__module__.startswith("miniet.engine")
    }


def test_subclass_takes_the_status_of_its_parent() -> None:
    class TimeoutDueToLeaderFailError(engine.RequestTimeoutError):
        pass

    assert (
        status_of(TimeoutDueToLeaderFailError()) == STATUSES[engine.RequestTimeoutError]
    )


def test_error_without_a_row_arrives_as_unknown_with_its_own_text() -> None:
    assert status_of(InvariantError("why")) == Status(Code.UNKNOWN, "why")


def test_code_titles_are_those_of_the_metrics() -> None:
    assert [code.title for code in Code] == [
        "OK",
        "Canceled",
        "Unknown",
        "InvalidArgument",
        "DeadlineExceeded",
        "NotFound",
        "AlreadyExists",
        "PermissionDenied",
        "ResourceExhausted",
        "FailedPrecondition",
        "Aborted",
        "OutOfRange",
        "Unimplemented",
        "Internal",
        "Unavailable",
        "DataLoss",
        "Unauthenticated",
    ]


def test_codes_are_numbered_from_zero_without_gaps() -> None:
    assert [int(code) for code in Code] == list(range(17))
