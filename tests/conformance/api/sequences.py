"""Random commands for a server: mostly sensible, often borderline, sometimes wrong.

A seed gives the same commands as long as the server gives the same answers. Keys,
leases and revisions are drawn from small sets, so that commands meet each other.
"""

from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Any

from google.protobuf.message import Message

from miniet.pb import rpc_pb2

# Twelve: Go sorts up to that many without changing the order of equals, so even
# ties, whose order etcd leaves open, are the same on both servers.
KEYS = (
    b"\x00",
    b"a",
    b"a\x00",
    b"a\xff",
    b"aa",
    b"ab",
    b"b",
    b"ba",
    b"c",
    b"\xfe",
    b"\xff",
    b"\xff\xff",
)

LEASES = (1, 2, 3, -4, 2**62)

NOBODYS_LEASE = 999

NOSPACE, CORRUPT = rpc_pb2.NOSPACE, rpc_pb2.CORRUPT


@dataclass(frozen=True)
class Command:
    """One call: its name in `ApiClient`, and its request."""

    name: str
    request: Message

    def __str__(self) -> str:
        return f"{self.name}({str(self.request).strip().replace(chr(10), ' ')})"


class CommandSource:
    """Draws commands; `next` is told the store's revision to aim at."""

    def __init__(self, seed: int) -> None:
        self._random = Random(seed)
        self._revision = 1
        self._granted_count = 0
        # Raised by `_alarm` and not lifted yet: one at a time.
        self._alarm_up = 0
        # A put that keeps the value or lease of a key which the txn has just
        # deleted ends etcd's process; only "from key on" gets past its checks.
        self._deletes_from_key = True
        self._keeps = True

    def next(self, revision: int) -> Command:
        """Return the next command for a store at `revision`."""
        self._revision = revision
        return self._draw(
            (30, self._put),
            (20, self._range),
            (10, self._delete_range),
            (25, self._txn),
            (4, self._compact),
            (7, self._lease_grant),
            (2, self._lease_revoke),
            (2, self._lease_time_to_live),
            (1, self._lease_leases),
            (2, self._hash_kv),
            (20 if self._alarm_up else 1, self._alarm),
        )()

    # Calls

    def _put(self) -> Command:
        return Command("Put", self._put_request())

    def _range(self) -> Command:
        return Command("Range", self._range_request())

    def _delete_range(self) -> Command:
        return Command("DeleteRange", self._delete_request())

    def _txn(self) -> Command:
        self._deletes_from_key = self._chance(0.5)
        self._keeps = not self._deletes_from_key
        request = self._txn_request(depth=0)
        self._deletes_from_key = self._keeps = True
        return Command("Txn", request)

    def _compact(self) -> Command:
        # Mostly well behind the present, so that there is history left to read.
        revision = max(self._revision - self._random.randrange(60), 0)
        if self._chance(0.3):
            revision = self._some_revision()
        physical = self._chance(0.5)
        return Command(
            "Compact", rpc_pb2.CompactionRequest(revision=revision, physical=physical)
        )

    def _lease_grant(self) -> Command:
        # Far apart, so that the order by what is left does not hang on milliseconds.
        self._granted_count += 1
        ttl = 1000 * self._granted_count + 500
        if self._chance(0.05):
            ttl = 9_000_000_001
        return Command(
            "LeaseGrant",
            rpc_pb2.LeaseGrantRequest(ID=self._random.choice(LEASES), TTL=ttl),
        )

    def _lease_revoke(self) -> Command:
        return Command("LeaseRevoke", rpc_pb2.LeaseRevokeRequest(ID=self._some_lease()))

    def _lease_time_to_live(self) -> Command:
        request = rpc_pb2.LeaseTimeToLiveRequest(
            ID=self._some_lease(), keys=self._chance(0.7)
        )
        return Command("LeaseTimeToLive", request)

    def _lease_leases(self) -> Command:
        return Command("LeaseLeases", rpc_pb2.LeaseLeasesRequest())

    def _hash_kv(self) -> Command:
        return Command("HashKV", rpc_pb2.HashKVRequest(revision=self._some_revision()))

    def _alarm(self) -> Command:
        kinds = rpc_pb2.AlarmRequest
        if self._alarm_up:
            action, kind = kinds.DEACTIVATE, self._alarm_up
            self._alarm_up = 0
        elif self._chance(0.5):
            action, kind = kinds.GET, self._random.choice((0, NOSPACE, CORRUPT))
        else:
            action, kind = kinds.ACTIVATE, self._random.choice((NOSPACE, CORRUPT))
            self._alarm_up = kind
        return Command(
            "Alarm", rpc_pb2.AlarmRequest(action=action, memberID=42, alarm=kind)
        )

    # Requests that a txn may hold, too

    def _put_request(self) -> rpc_pb2.PutRequest:
        request = rpc_pb2.PutRequest(key=self._some_key(), prev_kv=self._chance(0.3))
        request.ignore_value = self._keeps and self._chance(0.1)
        request.ignore_lease = self._keeps and self._chance(0.1)
        if not request.ignore_value or self._chance(0.1):
            request.value = self._some_value()
        if (not request.ignore_lease and self._chance(0.3)) or self._chance(0.03):
            request.lease = self._some_lease()
        return request

    def _range_request(self) -> rpc_pb2.RangeRequest:
        key, range_end = self._some_range()
        request = rpc_pb2.RangeRequest(key=key, range_end=range_end)
        options: tuple[tuple[str, Callable[[], Any]], ...] = (
            ("limit", lambda: self._random.choice((-1, 1, 2, 5, 100))),
            ("revision", self._some_revision),
            ("sort_order", lambda: self._random.randrange(3)),
            ("sort_target", lambda: self._random.randrange(5)),
            ("serializable", lambda: True),
            ("keys_only", lambda: True),
            ("count_only", lambda: True),
            ("min_mod_revision", self._some_revision),
            ("max_mod_revision", self._some_revision),
            ("min_create_revision", self._some_revision),
            ("max_create_revision", self._some_revision),
        )
        for name, value in options:
            if self._chance(0.2):
                setattr(request, name, value())
        return request

    def _delete_request(self) -> rpc_pb2.DeleteRangeRequest:
        request = rpc_pb2.DeleteRangeRequest(prev_kv=self._chance(0.4))
        request.key, range_end = self._some_range()
        if self._chance(0.3) and (self._deletes_from_key or range_end != b"\x00"):
            request.range_end = range_end
        return request

    def _txn_request(self, depth: int) -> rpc_pb2.TxnRequest:
        def operations() -> list[rpc_pb2.RequestOp]:
            count = self._draw((60, 1), (60, 2), (40, 3), (20, 0), (10, 6), (1, 129))
            return [self._operation(depth) for _ in range(count)]

        return rpc_pb2.TxnRequest(
            compare=[self._compare() for _ in range(self._random.choice((0, 1, 1, 2)))],
            success=operations(),
            failure=operations(),
        )

    def _operation(self, depth: int) -> rpc_pb2.RequestOp:
        if self._chance(0.005):
            return rpc_pb2.RequestOp()
        if depth < 2 and self._chance(0.15):
            return rpc_pb2.RequestOp(request_txn=self._txn_request(depth + 1))
        return self._draw(
            (5, lambda: rpc_pb2.RequestOp(request_put=self._put_request())),
            (4, lambda: rpc_pb2.RequestOp(request_range=self._range_request())),
            (2, lambda: rpc_pb2.RequestOp(request_delete_range=self._delete_request())),
        )()

    def _compare(self) -> rpc_pb2.Compare:
        compare = rpc_pb2.Compare(
            result=self._random.randrange(4), target=self._random.randrange(5)
        )
        compare.key, range_end = self._some_range()
        if self._chance(0.3):
            compare.range_end = range_end
        operands: tuple[tuple[str, Callable[[], Any]], ...] = (
            ("version", lambda: self._random.randrange(4)),
            ("create_revision", self._some_revision),
            ("mod_revision", self._some_revision),
            ("value", self._some_value),
            ("lease", self._some_lease),
        )
        if self._chance(0.9):
            # Now and then an operand of another kind than the target, or none.
            other = self._random.randrange(5)
            name, value = operands[other if self._chance(0.1) else compare.target]
            setattr(compare, name, value())
        if self._chance(0.02):
            compare.result = 9
        if self._chance(0.02):
            compare.target = 9
        return compare

    # Values

    def _some_key(self) -> bytes:
        return b"" if self._chance(0.01) else self._random.choice(KEYS)

    def _some_range(self) -> tuple[bytes, bytes]:
        key = self._some_key()
        return key, self._draw(
            (3, b""), (3, b"\x00"), (4, self._random.choice(KEYS)), (1, b"\x01")
        )

    def _some_value(self) -> bytes:
        return self._draw(
            (2, b""),
            (6, b"%d" % self._random.randrange(10)),
            (1, self._random.randbytes(self._random.randrange(300))),
        )

    def _some_lease(self) -> int:
        if self._chance(0.1):
            return self._random.choice((NOBODYS_LEASE, -1, -(2**63)))
        return self._random.choice(LEASES)

    def _some_revision(self) -> int:
        """Near the present one most of the time; 0, negative or to come sometimes."""
        now = self._revision
        return self._draw(
            (12, max(now - self._random.randrange(12), 0)),
            (4, self._random.randrange(now + 1)),
            (2, now + self._random.randrange(3)),
            (1, 0),
            (1, -1),
            (1, -self._random.randrange(2, 5)),
            (1, 2**63 - 1),
        )

    def _chance(self, probability: float) -> bool:
        return self._random.random() < probability

    def _draw(self, *weighted: tuple[int, Any]) -> Any:
        weights = [weight for weight, _ in weighted]
        return self._random.choices([item for _, item in weighted], weights)[0]
