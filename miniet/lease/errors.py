"""What a request about a lease may be refused for."""

from miniet.errors import RequestError


class LeaseNotFoundError(RequestError):
    """No such lease: revoked, expired or never granted. Grant a new one."""

    def __init__(self, lease_id: int) -> None:
        super().__init__(f"no lease {lease_id:x}")
        self.lease_id = lease_id


class LeaseExistsError(RequestError):
    """The id is taken. Grant with another one, or with 0 to be given one."""

    def __init__(self, lease_id: int) -> None:
        super().__init__(f"lease {lease_id:x} exists")
        self.lease_id = lease_id


class LeaseTtlTooLargeError(RequestError):
    """The TTL is above the maximum. Ask for less."""

    def __init__(self, ttl_s: int) -> None:
        super().__init__(f"lease TTL of {ttl_s} s is too large")
        self.ttl_s = ttl_s
