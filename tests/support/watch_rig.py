"""A watchable store over a store in memory, and a client that checks what it hears."""

from dataclasses import dataclass, field, replace
from random import Random
from typing import Any

from miniet.clock import ManualClock
from miniet.mvcc import EventType, KeyValue, Store
from miniet.protowire import fields
from miniet.watch import (
    STREAM_WATCH_ID,
    WatchableStore,
    WatchCreate,
    WatchResponse,
    WatchStream,
)
from tests.support.lease_stub import LeaseStub
from tests.support.memory_backend import MemoryBackend
from tests.support.model import Model
from tests.support.model_api import DeleteRange, Put, Txn, Watch


@dataclass(frozen=True)
class Change:
    """A decoded event: what happened to which key, and the value before if given."""

    revision: int
    key: bytes
    value: bytes | None
    previous: bytes | None = None

    @property
    def type(self) -> EventType:
        return EventType.DELETE if self.value is None else EventType.PUT

    @property
    def plain(self) -> "Change":
        return Change(self.revision, self.key, self.value)


def decode(encoded: bytes) -> Change:
    """Read an encoded `mvccpb.Event`, field by field."""
    found: dict[int, Any] = dict(fields(encoded))
    pair = KeyValue.decode(found[2])
    value = None if found.get(1, 0) == EventType.DELETE else pair.value
    previous = KeyValue.decode(found[3]).value if 3 in found else None
    return Change(pair.mod_revision, pair.key, value, previous)


class Rig:
    """The parts put together, and the model of the store: every change ever made."""

    def __init__(self, **limits: Any) -> None:
        self.clock = ManualClock()
        self.store = Store(MemoryBackend(), LeaseStub())
        self.store.restore()
        self.watch = WatchableStore(self.store, self.clock, Random(3), **limits)
        self.model = Model()

    def write(self, changes: dict[bytes, bytes | None]) -> int:
        """Put the values, delete where the value is None; one transaction."""
        with self.store.write() as txn:
            for key, value in changes.items():
                if value is None:
                    txn.delete_range(key)
                else:
                    txn.put(key, value)
        steps = [
            DeleteRange(key) if value is None else Put(key, value)
            for key, value in changes.items()
        ]
        assert self.model.txn(Txn(success=tuple(steps))).revision == (
            self.store.current_revision
        )
        return self.store.current_revision

    def put(self, key: bytes, value: bytes = b"v") -> int:
        return self.write({key: value})

    def put_many(self, key: bytes, count: int) -> int:
        for number in range(count):
            self.put(key, b"%d" % number)
        return self.store.current_revision

    def begin_compaction(self, revision: int) -> None:
        """Have a compaction accepted."""
        self.store.compact(revision)
        self.model.compact(revision)

    def compact(self, revision: int) -> None:
        """Compact, down to the last record."""
        self.begin_compaction(revision)
        while self.store.step_compaction():
            pass

    def value_before(self, change: Change) -> bytes | None:
        """The value of the key before the change, None for none."""
        pair = self.model.pair(change.key, change.revision - 1)
        return None if pair is None else pair.value

    def client(self) -> "Client":
        return Client(self)

    def check(self) -> None:
        self.watch._check()


@dataclass
class Heard:
    """What a client knows of one watcher.

    fragments: of a response whose last fragment is still to come.
    complete_to: a revision up to which it surely has all it wants.
    """

    request: WatchCreate
    start_revision: int
    changes: list[Change] = field(default_factory=list)
    fragments: list[Change] = field(default_factory=list)
    compact_revision: int | None = None
    complete_to: int = 0
    is_over: bool = False

    @property
    def watch(self) -> Watch:
        """What was asked for, in the words of the model."""
        request = self.request
        return Watch(
            bytes(request.key) or b"\x00",
            bytes(request.range_end),
            self.start_revision,
            request.no_put,
            request.no_delete,
        )


class Client:
    """One stream and its reader, who checks the guarantees as responses come."""

    def __init__(self, rig: Rig) -> None:
        self.rig = rig
        self.call_count = 0
        self.stream: WatchStream = rig.watch.new_stream(self._count_call)
        self.asked: list[tuple[WatchCreate, int]] = []
        self.heard: dict[int, Heard] = {}
        self.over: list[Heard] = []
        self.refused: list[WatchResponse] = []
        self.progress: list[WatchResponse] = []

    def _count_call(self) -> None:
        self.call_count += 1

    def create(self, key: bytes, range_end: bytes = b"", **options: Any) -> None:
        request = WatchCreate(key, range_end, **options)
        start = request.start_revision or self.rig.store.current_revision + 1
        self.asked.append((request, start))
        self.stream.create(request)
        self.rig.check()

    def cancel(self, watch_id: int) -> None:
        self.stream.cancel(watch_id)
        self.rig.check()

    def read(self, limit: int = 1000) -> list[WatchResponse]:
        """Take responses and check each against what came before it."""
        responses = [
            replace(response, watch_id=watch_id, more_ids=())
            for response in self.stream.take(limit)
            for watch_id in (response.watch_id, *response.more_ids)
        ]
        for response in responses:
            self._hear(response)
        self.rig.check()
        return responses

    def drain(self) -> list[WatchResponse]:
        """Read and let the store work until nothing more comes."""
        watch, responses = self.rig.watch, []
        while True:
            before = watch.statistics()
            has_more = watch.step_unsynced() or watch.step_victims()
            new = self.read()
            responses += new
            if not (new or has_more) and watch.statistics() == before:
                return responses

    def changes(self, watch_id: int) -> list[Change]:
        return self.heard[watch_id].changes

    def expected(self, heard: Heard) -> list[Change]:
        return [
            Change(change.revision, change.key, change.value)
            for change in self.rig.model.wanted(heard.watch)
        ]

    def _hear(self, response: WatchResponse) -> None:
        if response.created:
            self._hear_created(response)
        elif response.watch_id == STREAM_WATCH_ID:
            self.progress.append(response)
            for heard in self.heard.values():
                self._check_progress(heard, response.revision)
        elif response.events:
            self._hear_events(response)
        elif not response.canceled:
            self.progress.append(response)
            self._check_progress(self.heard[response.watch_id], response.revision)
        elif response.revision == 0:
            heard = self.heard[response.watch_id]
            assert not heard.is_over
            heard.is_over = True
            heard.compact_revision = response.compact_revision
        else:
            heard = self.heard.pop(response.watch_id)
            heard.is_over = True
            self.over.append(heard)

    def _hear_created(self, response: WatchResponse) -> None:
        request, start = self.asked.pop(0)
        if response.canceled:
            assert response.watch_id == STREAM_WATCH_ID
            self.refused.append(response)
            return
        assert response.watch_id not in self.heard
        self.heard[response.watch_id] = Heard(request, start)

    def _hear_events(self, response: WatchResponse) -> None:
        heard = self.heard[response.watch_id]
        assert not heard.is_over
        heard.fragments += map(decode, response.events)
        if response.fragment:
            return
        new, heard.fragments = heard.fragments, []
        last = heard.changes[-1].revision if heard.changes else 0
        assert new[0].revision > last, "a revision came in two responses"
        revisions = [change.revision for change in new]
        assert revisions == sorted(revisions)
        assert response.revision >= revisions[-1]
        heard.changes += new

    def _check_progress(self, heard: Heard, revision: int) -> None:
        """All that the watcher wants up to `revision` has come before."""
        if heard.is_over:
            return
        due = [c.plain for c in self.expected(heard) if c.revision <= revision]
        got = [change.plain for change in heard.changes]
        assert got[: len(due)] == due
