"""Random commands for a server: mostly sensible, often borderline, sometimes wrong.

A seed gives the same commands as long as the server gives the same answers. Keys,
leases and revisions are drawn from small sets, so that commands meet each other.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Any

from miniet.pb import rpc_pb2
from tests.conformance.api.commands import Command
from tests.conformance.api.releases import Release

# Eleven, and the marker: Go sorts up to twelve without changing the order of
# equals, so even ties, whose order etcd leaves open, are the same on both servers.
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
    b"\xff",
    b"\xff\xff",
)

MARKER = b"m"
"""What is put to learn that watchers have been told all that came before."""

LEASES = (1, 2, 3, -4, 2**62)

CHOSEN_LEASE = 77
"""Stands in commands for the lease whose id each server chose by itself."""

NOBODYS_LEASE = 999

STREAM_COUNT = 3

# With what a server adds for its own use, the size at which watch responses are
# split is 524,288 bytes more.
REQUEST_BYTES_MAX = 200_000

NOSPACE, CORRUPT = rpc_pb2.NOSPACE, rpc_pb2.CORRUPT

_WATCH = rpc_pb2.WatchCreateRequest


@dataclass
class Known:
    """What is known of the servers, to draw the next command by."""

    # The store's revision when the sequence began, and now.
    first_revision: int = 1
    revision: int = 1
    # -1: never compacted, as in the answer to HashKV.
    compact_revision: int = -1
    # Whether the last compaction was not waited for.
    is_compacting: bool = False
    # Granted and not revoked.
    leases: set[int] = field(default_factory=set)
    # Watch ids that are taken, by stream.
    watch_ids: dict[int, list[int]] = field(default_factory=dict)


class CommandSource:
    """Draws commands; `next` is told what to aim at.

    Args:
        restarts: whether the servers will be restarted meanwhile.
    """

    def __init__(self, seed: int, release: Release, *, restarts: bool) -> None:
        self._random = Random(seed)
        self._known = Known()
        self._leases = LEASES
        self._strange_leases = (NOBODYS_LEASE, -1, -(2**63))
        if restarts and not release.keeps_negative_leases:
            self._leases = tuple(lease for lease in LEASES if lease > 0)
            self._strange_leases = (NOBODYS_LEASE,)
        self._granted_count = 0
        # Drawn together: watchers that begin in the past are waited for together.
        self._drawn: deque[Command] = deque()
        if seed % 5 == 4:
            self._drawn.append(Command("DoNotWait", rpc_pb2.StatusRequest()))
        # Raised by `_alarm` and not lifted yet: one at a time.
        self._alarm_up = 0
        # A put that keeps the value or lease of a key which the txn has just
        # deleted ends etcd's process; only "from key on" gets past its checks.
        self._deletes_from_key = True
        self._keeps = True
        # Keys that the txn puts: twice is refused.
        self._put_keys: set[bytes] = set()
        # Few keys meet each other more often; many are not sorted alike everywhere.
        self._keys = KEYS
        if self._chance(0.5):
            self._keys = tuple(sorted(self._random.sample(KEYS, 4)))
        # The marker is one more.
        self._is_stable = len(self._keys) + 1 <= release.stable_sort_max
        # With large values, so that watch responses need to be split; how many the
        # command may still get: miniet and etcd refuse one that is larger than any
        # request in words of their own.
        self._is_large = self._chance(0.04)
        self._large_left = 0

    def next(self, known: Known) -> Command:
        """Return the next command for servers of which this is known."""
        self._known = known
        self._put_keys = set()
        self._large_left = 3 if self._is_large else 0
        if self._drawn:
            return self._drawn.popleft()
        calls: list[tuple[int, Any]] = [
            (300, self._put),
            (200, self._range),
            (100, self._delete_range),
            (250, self._txn),
            (40, self._compact),
            (60, self._lease_grant),
            (20, self._lease_revoke),
            (20, self._lease_time_to_live),
            (20, self._lease_keep_alive),
            (10, self._lease_leases),
            (20, self._hash_kv),
            (5, self._status),
            (10, self._member_call),
            (1, self._defragment),
            (2, self._snapshot),
            (200 if self._alarm_up else 10, self._alarm),
        ]
        if not self._alarm_up:
            # What watchers were told is learnt by a put, which an alarm refuses.
            calls += [
                (50, self._watch_from_now),
                (15, self._watch_from_elsewhere),
                (25, self._watch_cancel),
                (10, self._watch_progress),
                (5, self._watch_close),
            ]
        command: Command = self._draw(*calls)()
        return command

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
        # Mostly behind the present, so that there is history left to read.
        first, now = self._known.compact_revision + 1, self._known.revision
        revision = self._random.choice((first, first, (first + now) // 2, now))
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
            rpc_pb2.LeaseGrantRequest(ID=self._lease_by_id(), TTL=ttl),
        )

    def _lease_revoke(self) -> Command:
        request = rpc_pb2.LeaseRevokeRequest(ID=self._lease_by_id())
        return Command("LeaseRevoke", request)

    def _lease_time_to_live(self) -> Command:
        request = rpc_pb2.LeaseTimeToLiveRequest(
            ID=self._lease_by_id(), keys=self._chance(0.7)
        )
        return Command("LeaseTimeToLive", request)

    def _lease_keep_alive(self) -> Command:
        request = rpc_pb2.LeaseKeepAliveRequest(ID=self._lease_by_id())
        return Command("LeaseKeepAlive", request)

    def _lease_leases(self) -> Command:
        return Command("LeaseLeases", rpc_pb2.LeaseLeasesRequest())

    def _hash_kv(self) -> Command:
        return Command("HashKV", rpc_pb2.HashKVRequest(revision=self._some_revision()))

    def _status(self) -> Command:
        return Command("Status", rpc_pb2.StatusRequest())

    def _defragment(self) -> Command:
        return Command("Defragment", rpc_pb2.DefragmentRequest())

    def _snapshot(self) -> Command:
        return Command("Snapshot", rpc_pb2.SnapshotRequest())

    def _member_call(self) -> Command:
        """Ask for the members, or ask for something of a member that is none."""
        nobody = self._random.choice((0, 999, 2**63))
        return self._draw(
            (4, Command("MemberList", rpc_pb2.MemberListRequest())),
            (1, Command("MemberRemove", rpc_pb2.MemberRemoveRequest(ID=nobody))),
            (1, Command("MemberUpdate", rpc_pb2.MemberUpdateRequest(ID=nobody))),
            (1, Command("MoveLeader", rpc_pb2.MoveLeaderRequest(targetID=nobody))),
        )

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

    # Watches

    def _watch_from_now(self) -> Command:
        return self._watch(self._watch_request())

    def _watch_from_elsewhere(self) -> Command:
        """Draw watchers that begin before or after the present revision."""
        for _ in range(self._random.randrange(1, 5)):
            request = self._watch_request()
            request.start_revision = self._some_start()
            self._drawn.append(self._watch(request))
        return self._drawn.popleft()

    def _watch(self, request: rpc_pb2.WatchCreateRequest) -> Command:
        return Command(
            "Watch",
            rpc_pb2.WatchRequest(create_request=request),
            self._random.randrange(STREAM_COUNT),
        )

    def _watch_request(self) -> rpc_pb2.WatchCreateRequest:
        key, range_end = self._some_range()
        request = _WATCH(
            key=key,
            range_end=range_end,
            prev_kv=self._chance(0.4),
            fragment=self._chance(0.4),
            progress_notify=self._chance(0.2),
        )
        if self._chance(0.3):
            both = (_WATCH.NOPUT, _WATCH.NODELETE)
            request.filters.extend(
                self._random.sample(both, self._draw((4, 1), (1, 2)))
            )
        if self._chance(0.25):
            request.watch_id = self._some_watch_id()
        return request

    def _some_start(self) -> int:
        known = self._known
        start: int = self._draw(
            (12, self._some_revision()),
            (2, max(known.compact_revision, 1)),
            (3, known.compact_revision - 1),
            (2, known.revision + self._random.randrange(1, 8)),
        )
        if start == -1 and known.compact_revision == -1:
            # A watcher in etcd that misses what is put before its first pass.
            start = -2
        if start < 0 and known.compact_revision == 0:
            # A watcher in etcd that is gone without a word.
            start = 1
        if start == known.compact_revision and known.is_compacting:
            # Its deletes of that revision may be gone, or not yet.
            start += 1
        return start

    def _some_watch_id(self) -> int:
        taken = [i for ids in self._known.watch_ids.values() for i in ids]
        return self._random.choice([*taken, 1, 2, 5, -3, 2**62])

    def _watch_cancel(self) -> Command:
        request = rpc_pb2.WatchCancelRequest(watch_id=self._some_watch_id())
        streams = [
            stream
            for stream, ids in self._known.watch_ids.items()
            if request.watch_id in ids
        ]
        return Command(
            "Watch",
            rpc_pb2.WatchRequest(cancel_request=request),
            self._random.choice(streams or range(STREAM_COUNT)),
        )

    def _watch_progress(self) -> Command:
        request = rpc_pb2.WatchRequest(progress_request=rpc_pb2.WatchProgressRequest())
        return Command("Watch", request, self._random.randrange(STREAM_COUNT))

    def _watch_close(self) -> Command:
        stream = self._random.randrange(STREAM_COUNT)
        return Command("CloseStream", rpc_pb2.WatchRequest(), stream)

    # Requests that a txn may hold, too

    def _put_request(self) -> rpc_pb2.PutRequest:
        key = self._some_key()
        if key in self._put_keys and self._chance(0.9):
            key = self._random.choice(self._keys)
        self._put_keys.add(key)
        request = rpc_pb2.PutRequest(key=key, prev_kv=self._chance(0.3))
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
            ("sort_target", self._some_sort_target),
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
        return b"" if self._chance(0.004) else self._random.choice(self._keys)

    def _some_sort_target(self) -> int:
        target = self._random.randrange(5)
        # Nothing but keys is never equal.
        return target if self._is_stable else rpc_pb2.RangeRequest.KEY

    def _some_range(self) -> tuple[bytes, bytes]:
        key = self._some_key()
        return key, self._draw(
            (3, b""), (3, b"\x00"), (4, self._random.choice(self._keys)), (1, b"\x01")
        )

    def _some_value(self) -> bytes:
        if self._large_left and self._chance(0.2):
            self._large_left -= 1
            near_limit = REQUEST_BYTES_MAX + self._random.randrange(-60_000, 200)
            return bytes([self._random.randrange(256)]) * near_limit
        return self._draw(
            (2, b""),
            (6, b"%d" % self._random.randrange(10)),
            (1, self._random.randbytes(self._random.randrange(300))),
        )

    def _some_lease(self) -> int:
        if self._chance(0.1):
            return self._random.choice(self._strange_leases)
        if self._known.leases and self._chance(0.7):
            return self._random.choice(sorted(self._known.leases))
        return self._random.choice(self._leases)

    def _lease_by_id(self) -> int:
        """For calls that no key is attached by: its id would be part of the key."""
        return CHOSEN_LEASE if self._chance(0.15) else self._some_lease()

    def _some_revision(self) -> int:
        """Near the present one most of the time; 0, negative or to come sometimes."""
        now, first = self._known.revision, self._known.first_revision
        return self._draw(
            (12, max(now - self._random.randrange(12), 0)),
            (4, first + self._random.randrange(now - first + 1)),
            (2, now + self._random.randrange(3)),
            (1, max(first - 1, 0)),
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
