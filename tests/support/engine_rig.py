"""A whole engine with a pretended disk, driven turn by turn without waiting."""

from random import Random
from typing import Any

from google.protobuf.message import Message

from miniet.clock import ManualClock
from miniet.engine import Engine, EngineConfig
from miniet.engine.alarms import ALARM_BUCKET, _encode
from miniet.engine.compactor import Compactor
from miniet.engine.membership import MEMBERS_BUCKET, Member
from miniet.engine.requests import RequestKind
from miniet.pb import rpc_pb2
from miniet.raft import Entry, HardState, MemoryStorage, Ready, Snapshot
from tests.support.memory_backend import MemoryBackend

CLUSTER_ID = 0xCDF818194E3A8C32
MEMBER = Member(
    0x8E9E05C52164694D,
    ("http://localhost:2380",),
    "default",
    ("http://localhost:2379",),
)


class MemoryLog:
    """What the log files would hold, and how much of it a power failure leaves."""

    def __init__(self) -> None:
        self.snapshot = Snapshot()
        self.hard_state = HardState()
        self.entries: list[Entry] = []
        self._durable = (self.snapshot, self.hard_state, self.entries)

    def write(self, ready: Ready) -> None:
        if ready.hard_state is not None:
            self.hard_state = ready.hard_state
        if ready.entries:
            first = ready.entries[0].index
            kept = [entry for entry in self.entries if entry.index < first]
            self.entries = kept + ready.entries
        if ready.must_sync:
            self.sync()

    def sync(self) -> None:
        self._durable = (self.snapshot, self.hard_state, self.entries)

    def save_snapshot(self, snapshot: Snapshot) -> None:
        self.snapshot = snapshot
        self.entries = [entry for entry in self.entries if entry.index > snapshot.index]
        self.sync()

    def crashed(self) -> "MemoryLog":
        """Return what is left of it when the power goes now."""
        left = MemoryLog()
        left.snapshot, left.hard_state, left.entries = self._durable
        left.sync()
        return left

    def storage(self) -> MemoryStorage:
        """Return raft's storage as a start fills it."""
        storage = MemoryStorage()
        if not self.snapshot.is_empty:
            storage.apply_snapshot(self.snapshot)
        storage.set_hard_state(self.hard_state)
        storage.append(self.entries)
        return storage


class EngineRig:
    """An engine, its log, its backend and its clock.

    `ask` only puts a request in; `propose` and the words below it also drive the
    engine until it is quiet and return the one answer.
    """

    def __init__(
        self,
        log: MemoryLog | None = None,
        backend: MemoryBackend | None = None,
        clock: ManualClock | None = None,
        compactor: Compactor | None = None,
        **config: Any,
    ) -> None:
        self.log = log or MemoryLog()
        self.backend = backend or MemoryBackend()
        self.clock = clock or ManualClock()
        self._config = config
        self._compactor = compactor
        storage = self.log.storage()
        self.engine = Engine(
            EngineConfig(**{"cluster_id": CLUSTER_ID, "member": MEMBER} | config),
            self.clock,
            storage,
            self.backend,
            Random(1),
            compactor,
        )
        self.engine.restore()
        if storage.last_index() == 0:
            self.engine.bootstrap()

    # ---- driving

    def started(self) -> "EngineRig":
        """Campaign and run until quiet, as a server does before clients come."""
        self.engine.campaign_soon()
        self.run()
        assert self.engine.is_serving
        return self

    def turn(self) -> bool:
        """Do one turn, if there is anything to do; tell whether there was."""
        ready = self.engine.ready()
        if ready is None:
            return False
        self.log.write(ready)
        self.engine.apply(ready)
        self.engine.persisted(ready)
        if self.engine.is_snapshot_due:
            snapshot = self.engine.make_snapshot()
            self.log.save_snapshot(snapshot)
            self.engine.snapshot_saved(snapshot)
        return True

    def run(self) -> None:
        """Turn until there is nothing to do, then check everything."""
        while self.turn():
            pass
        self.check()

    def restarted(self, *, crash: bool = True) -> "EngineRig":
        """Return a rig over what is left: not started, with the same clock.

        Args:
            crash: the power fails: what was not synced or committed is gone.
        """
        if not crash:
            self.backend.commit()
            self.log.sync()
        backend = self.backend.crashed()
        backend.size_bytes = self.backend.size_bytes
        return EngineRig(
            self.log.crashed(), backend, self.clock, self._compactor, **self._config
        )

    # ---- requests

    def ask(self, kind: RequestKind, message: Message) -> list[Any]:
        """Put a request in; the list gets its answer when there is one."""
        answers: list[Any] = []
        self.engine.propose(kind, message.SerializeToString(), answers.append)
        return answers

    def propose(self, kind: RequestKind, message: Message) -> Any:
        answers = self.ask(kind, message)
        self.run()
        [answer] = answers
        return answer

    def put(self, key: bytes, value: bytes = b"v", **fields: Any) -> Any:
        return self.propose(
            RequestKind.PUT, rpc_pb2.PutRequest(key=key, value=value, **fields)
        )

    def delete(self, key: bytes, **fields: Any) -> Any:
        return self.propose(
            RequestKind.DELETE_RANGE, rpc_pb2.DeleteRangeRequest(key=key, **fields)
        )

    def compact(self, revision: int, *, physical: bool = False) -> Any:
        return self.propose(
            RequestKind.COMPACTION,
            rpc_pb2.CompactionRequest(revision=revision, physical=physical),
        )

    def grant(self, lease_id: int, ttl_s: int) -> Any:
        return self.propose(
            RequestKind.LEASE_GRANT, rpc_pb2.LeaseGrantRequest(ID=lease_id, TTL=ttl_s)
        )

    def revoke(self, lease_id: int) -> Any:
        return self.propose(
            RequestKind.LEASE_REVOKE, rpc_pb2.LeaseRevokeRequest(ID=lease_id)
        )

    def alarm(self, action: int, kind: int, member_id: int = MEMBER.member_id) -> Any:
        message = rpc_pb2.AlarmRequest(memberID=member_id)
        message.action, message.alarm = action, kind  # type: ignore[assignment]
        return self.propose(RequestKind.ALARM, message)

    def renew(self, lease_id: int) -> list[Any]:
        """Ask for a renewal; the list gets its answer when there is one."""
        answers: list[Any] = []
        self.engine.renew(lease_id, answers.append)
        return answers

    def read(self) -> list[Any]:
        """Ask for a read point; the list gets its answer when there is one."""
        answers: list[Any] = []
        self.engine.read(answers.append)
        return answers

    # ---- what is there

    def state(self) -> dict[str, Any]:
        """Return everything that the log decides, in comparable form."""
        engine = self.engine
        return {
            "revision": engine.store.current_revision,
            "compact_revision": engine.store.compact_revision,
            "hash": engine.store.hash_by_revision(0),
            "leases": sorted(
                (lease.id, lease.ttl_s, lease.sorted_keys())
                for lease in engine.lessor.leases()
            ),
            "members": engine.membership.members,
            "version": engine.membership.cluster_version,
            "alarms": sorted(engine.alarms.matching(0)),
        }

    def check(self) -> None:
        """Hold every component against itself and against the backend."""
        engine, batch_tx = self.engine, self.backend.batch_tx
        engine._raft._check()
        engine._raft_storage._check()
        engine.store._check()
        engine.lessor._check()
        engine.watch._check()
        members = [
            (b"%x" % member.member_id, member.to_json())
            for member in engine.membership.members
        ]
        assert _pairs(batch_tx.range(MEMBERS_BUCKET, b"")) == sorted(members)
        alarms = [(_encode(alarm), b"") for alarm in engine.alarms.matching(0)]
        assert _pairs(batch_tx.range(ALARM_BUCKET, b"")) == sorted(alarms)
        statistics = engine.statistics()
        assert statistics.snapshot_index <= statistics.applied_index
        assert statistics.applied_index <= engine.committed_index


def _pairs(walk: Any) -> list[tuple[bytes, bytes]]:
    return [(bytes(key), bytes(value)) for key, value in walk]
