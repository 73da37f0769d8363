"""Why the engine refuses a request; the store and the lessor have their own.

In every case the server's state did not change, with two exceptions that their
docstrings name. The texts that clients see are in `server/rpc_errors.py`.
"""

from miniet.errors import RequestError

# The request itself: sent again, it fails again.


class EmptyKeyError(RequestError):
    """A key is missing: in a range, put, delete or compare. Name one."""


class KeyNotFoundError(RequestError):
    """The put keeps a value or lease of `key`, which does not exist. Put both.

    A transaction operation with no request in it is refused with this one too,
    as in etcd; `key` is then empty.
    """

    def __init__(self, key: bytes) -> None:
        super().__init__(f"key {key!r} does not exist")
        self.key = key


class ValueProvidedError(RequestError):
    """The put says both "keep the value" and a value. Leave out one."""


class LeaseProvidedError(RequestError):
    """The put says both "keep the lease" and a lease. Leave out one."""


class TooManyOperationsError(RequestError):
    """A list of the transaction is too long. Split it, or raise `--max-txn-ops`."""

    def __init__(self, operation_count: int, operation_count_max: int) -> None:
        super().__init__(f"{operation_count} operations, max {operation_count_max}")
        self.operation_count = operation_count
        self.operation_count_max = operation_count_max


class DuplicateKeyError(RequestError):
    """One branch of the transaction changes `key` twice. Merge the operations."""

    def __init__(self, key: bytes) -> None:
        super().__init__(f"key {key!r} is changed twice in a transaction")
        self.key = key


class InvalidSortOptionError(RequestError):
    """The range asks for an order or a target that has no meaning."""

    def __init__(self, option: str, number: int) -> None:
        super().__init__(f"{option} {number} is unknown")
        self.option = option
        self.number = number


class RequestTooLargeError(RequestError):
    """The raft entry would be too large. Send less, or raise `--max-request-bytes`."""

    def __init__(self, request_bytes: int, request_bytes_max: int) -> None:
        super().__init__(f"{request_bytes} bytes, max {request_bytes_max}")
        self.request_bytes = request_bytes
        self.request_bytes_max = request_bytes_max


# The state of this member or of the cluster: may pass later, or elsewhere.


class NoSpaceError(RequestError):
    """The space quota is reached. Compact, defragment, then disarm the alarm.

    The put that reaches the quota is itself applied, as in etcd; all later ones
    are not.
    """


class CorruptError(RequestError):
    """Members' data differ; writes are refused until the CORRUPT alarm is disarmed."""


class TooManyRequestsError(RequestError):
    """Too much is committed and not yet applied. Retry later, with a back-off."""

    def __init__(self, backlog_count: int, backlog_count_max: int) -> None:
        super().__init__(f"{backlog_count} entries to apply, max {backlog_count_max}")
        self.backlog_count = backlog_count
        self.backlog_count_max = backlog_count_max


class RequestTimeoutError(RequestError):
    """Not applied in time, but it may still be. Read before writing again."""


class NoLeaderError(RequestError):
    """The member knows no leader. Retry later or at another member."""


class NotLeaderError(RequestError):
    """Only the leader can do this. Ask the leader, which `Status` names."""


class StoppedError(RequestError):
    """The member is shutting down. Retry at another member, or when it is back."""


class NotCapableError(RequestError):
    """The cluster's version is too old for this call. Upgrade all members first."""


class NotSupportedForLearnerError(RequestError):
    """A learner does not answer this call. Ask a voting member."""


class AuthNotEnabledError(RequestError):
    """Authentication is off, so there are no tokens. Call without one."""


# Membership.


class MemberNotFoundError(RequestError):
    """No such member, or one that was removed. List the members."""

    def __init__(self, member_id: int) -> None:
        super().__init__(f"no member {member_id:x}")
        self.member_id = member_id


class MemberExistsError(RequestError):
    """A member of this computed id exists, or existed. Use other peer URLs."""

    def __init__(self, member_id: int) -> None:
        super().__init__(f"member {member_id:x} exists")
        self.member_id = member_id


class PeerUrlExistsError(RequestError):
    """Another member has this peer URL. Use other ones."""

    def __init__(self, peer_url: str) -> None:
        super().__init__(f"peer URL {peer_url} is in use")
        self.peer_url = peer_url


class BadMemberUrlsError(RequestError):
    """The peer URLs are missing or cannot be parsed. Send `http://host:port`."""


class NotEnoughStartedMembersError(RequestError):
    """The change could cost the quorum. Start the members that are down first."""


class MemberNotLearnerError(RequestError):
    """The member votes already; there is nothing to promote."""

    def __init__(self, member_id: int) -> None:
        super().__init__(f"member {member_id:x} is no learner")
        self.member_id = member_id


class LearnerNotReadyError(RequestError):
    """The learner is too far behind its leader. Promote it later."""

    def __init__(self, member_id: int) -> None:
        super().__init__(f"learner {member_id:x} is behind its leader")
        self.member_id = member_id


class TooManyLearnersError(RequestError):
    """The cluster has as many learners as it may. Promote or remove one."""


class UnhealthyError(RequestError):
    """The change needs peers that are connected and stay so. Retry later."""


class BadLeaderTransfereeError(RequestError):
    """The member cannot lead: unknown, or a learner. Name a voting member."""

    def __init__(self, member_id: int) -> None:
        super().__init__(f"member {member_id:x} cannot lead")
        self.member_id = member_id
