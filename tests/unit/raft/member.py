"""A one-node cluster with a pretended disk, and a logger that remembers."""

from random import Random
from typing import Any

from miniet.raft import (
    ConfState,
    Entry,
    EntryType,
    HardState,
    LogLevel,
    MemoryStorage,
    RaftConfig,
    RawNode,
    ReadState,
    Ready,
    Snapshot,
    decode_conf_change,
)


class RecordingLogger:
    """Keeps formatted lines, as `LEVEL text`."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def log(self, level: LogLevel, template: str, *args: object) -> None:
        self.lines.append(f"{level.name} {template % args}")


class Disk:
    """What has been synced, which is what survives a crash."""

    def __init__(self) -> None:
        self.hard_state = HardState()
        self.snapshot = Snapshot()
        self.entries: list[Entry] = []

    def write(self, ready: Ready) -> None:
        """Write what a Ready wants written, and sync it."""
        if ready.hard_state is not None:
            self.hard_state = ready.hard_state
        if ready.entries:
            first = ready.entries[0].index
            self.entries = [e for e in self.entries if e.index < first]
            self.entries += ready.entries


class Member:
    """A node and its application; every step is followed by the full check."""

    def __init__(self, disk: Disk | None = None, **config: Any) -> None:
        self.disk = disk or Disk()
        self.logger = RecordingLogger()
        self.storage = MemoryStorage()
        if not self.disk.snapshot.is_empty:
            self.storage.apply_snapshot(self.disk.snapshot)
        self.storage.set_hard_state(self.disk.hard_state)
        after = self.disk.snapshot.index
        self.storage.append([e for e in self.disk.entries if e.index > after])
        settings: dict[str, Any] = {"id": 1, "random": Random(1)}
        self.node = RawNode(RaftConfig(**settings | config), self.storage, self.logger)
        self.applied: list[Entry] = []
        self.read_states: list[ReadState] = []
        self.conf_state = ConfState()
        if disk is None:
            self.node.bootstrap([(self.node.status().id, b"context")])
        self.check()

    def check(self) -> None:
        self.storage._check()
        self.node._check()

    def persist(self, ready: Ready) -> None:
        """Do steps 1 and 2 of a Ready."""
        self.disk.write(ready)
        if ready.hard_state is not None:
            self.storage.set_hard_state(ready.hard_state)
        self.storage.append(ready.entries)

    def apply(self, ready: Ready) -> None:
        """Do the rest of a Ready."""
        for entry in ready.committed_entries:
            if entry.type == EntryType.CONF_CHANGE:
                change = decode_conf_change(entry.data)
                self.conf_state = self.node.apply_conf_change(change)
            self.applied.append(entry)
        self.read_states += ready.read_states

    def turn(self) -> Ready:
        """Take one Ready and do all of it."""
        ready = self.node.ready()
        self.check()
        self.persist(ready)
        self.apply(ready)
        self.check()
        self.node.advance()
        self.check()
        return ready

    def settle(self) -> list[Ready]:
        """Take Readys until there are none; there never are many."""
        done = []
        while self.node.has_ready():
            done.append(self.turn())
            assert len(done) < 100, "a Ready comes again and again"
        return done

    def elect(self) -> "Member":
        """Become leader and commit the first entry of the term."""
        self.settle()
        self.node.campaign()
        self.settle()
        return self

    def propose(self, *values: bytes) -> None:
        """Propose each value and see all of them applied."""
        for value in values:
            self.node.propose(value)
        self.settle()

    @property
    def data(self) -> list[bytes]:
        """Data of the applied requests, in order."""
        return [
            entry.data
            for entry in self.applied
            if entry.type == EntryType.NORMAL and entry.data
        ]

    def compact(self, index: int) -> None:
        """Take a snapshot at the applied index and compact up to `index`."""
        applied = self.node.status().applied
        data = b"snapshot"
        self.disk.snapshot = self.storage.create_snapshot(
            applied, self.conf_state, data
        )
        self.storage.compact(index)
        self.check()
