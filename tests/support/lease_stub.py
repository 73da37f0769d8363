"""The lessor as far as the store needs one: leases that exist, keys they hold."""

from miniet.errors import RequestError


class NoSuchLeaseError(RequestError):
    """The lease is not known."""


class LeaseStub:
    """Leases without time."""

    def __init__(self, *lease_ids: int) -> None:
        self.keys_of: dict[int, set[bytes]] = {id: set() for id in lease_ids}
        self.holder_of: dict[bytes, int] = {}

    def attach(self, lease_id: int, key: bytes) -> None:
        if lease_id not in self.keys_of:
            raise NoSuchLeaseError(f"lease {lease_id}")
        self.detach(self.holder_of.get(key, 0), key)
        self.keys_of[lease_id].add(key)
        self.holder_of[key] = lease_id

    def detach(self, lease_id: int, key: bytes) -> None:
        if self.holder_of.get(key) == lease_id:
            del self.holder_of[key]
            self.keys_of[lease_id].discard(key)

    def lease_of(self, key: bytes) -> int:
        return self.holder_of.get(key, 0)
