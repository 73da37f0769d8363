"""What can be wrong with a lease request."""

from miniet.errors import RequestError


class LeaseNotFoundError(RequestError):
    """No such lease: never granted, expired or revoked. Grant a new one."""

    def __init__(self, lease_id: int) -> None:
        super().__init__(f"lease {lease_id:#x} not found")
        self.lease_id = lease_id


class LeaseExpiredError(LeaseNotFoundError):
    """The lease ran out and only waits for its revocation; it cannot be renewed.

    Whoever answers a client waits until `revoke` of that id was applied, then says
    "not found", so that the client finds the keys gone when it hears so. After
    `demote` ask the new leader instead.
    """


class LeaseExistsError(RequestError):
    """The id is in use. Choose another, or 0 to let the server choose."""

    def __init__(self, lease_id: int) -> None:
        super().__init__(f"lease {lease_id:#x} already exists")
        self.lease_id = lease_id


class LeaseTtlTooLargeError(RequestError):
    """The TTL asked for is beyond `LEASE_TTL_S_MAX`. Ask for less."""

    def __init__(self, ttl_s: int) -> None:
        super().__init__(f"lease TTL of {ttl_s} s is too large")
        self.ttl_s = ttl_s


class NotPrimaryError(RequestError):
    """This member is not the leader, so it keeps no lease time. Ask the leader."""

    def __init__(self) -> None:
        super().__init__("not the primary lessor")
