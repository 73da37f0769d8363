"""In-memory partners of a lessor: the smallest that keep the ports' promises."""

from collections.abc import Iterable, Iterator

from miniet.clock import ManualClock
from miniet.lease import Lessor


class DictLeaseStore:
    """A `LeaseStore` in a dict."""

    def __init__(self) -> None:
        self.records: dict[int, tuple[int, int]] = {}

    def save(self, lease_id: int, ttl_s: int, remaining_ttl_s: int) -> None:
        self.records[lease_id] = (ttl_s, remaining_ttl_s)

    def delete(self, lease_id: int) -> None:
        del self.records[lease_id]

    def load(self) -> Iterator[tuple[int, int, int]]:
        for lease_id, (ttl_s, remaining_ttl_s) in self.records.items():
            yield lease_id, ttl_s, remaining_ttl_s


class KeySet:
    """A `RangeDeleter` over a set of keys: detaches what it deletes, as stores do."""

    def __init__(self, lessor: Lessor) -> None:
        self.lessor = lessor
        self.keys: set[bytes] = set()
        self.deletions: list[list[bytes]] = []  # one list per call

    def put(self, key: bytes, lease_id: int) -> None:
        """Put `key` with a lease, or without for 0."""
        if held_by := self.lessor.lease_of(key):
            self.lessor.detach(held_by, key)
        self.keys.add(key)
        if lease_id:
            self.lessor.attach(lease_id, key)

    def delete_keys(self, keys: Iterable[bytes]) -> None:
        deleted = [key for key in keys if key in self.keys]
        self.deletions.append(deleted)
        for key in deleted:
            self.keys.remove(key)
            self.lessor.detach(self.lessor.lease_of(key), key)


class Bench:
    """A lessor with its clock, its store and its keys."""

    def __init__(
        self, *, primary: bool = True, checkpoints: bool = False, persist: bool = False
    ) -> None:
        self.clock = ManualClock(monotonic_s=1000.0)
        self.store = DictLeaseStore()
        self.lessor = Lessor(
            self.clock,
            self.store,
            checkpoints=checkpoints,
            persist_checkpoints=persist,
        )
        self.keys = KeySet(self.lessor)
        self.lessor.range_deleter = self.keys
        if primary:
            self.lessor.promote(0.0)

    def remaining_s(self, lease_id: int) -> int:
        """What the lease has left."""
        answer = self.lessor.time_to_live(lease_id, keys=False)
        assert answer is not None
        return answer[0]
