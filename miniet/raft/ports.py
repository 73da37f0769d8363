"""What raft needs from others, as protocols."""

from dataclasses import dataclass
from enum import IntEnum
from typing import Protocol

from miniet.raft.messages import ConfState, Entry, HardState, Snapshot


@dataclass(slots=True, frozen=True)
class StorageStatistics:
    """What a storage keeps in memory."""

    entry_count: int
    """Entries kept, the dummy before the first one not counted."""

    entry_payload_bytes: int
    """Bytes of `data` of those entries."""

    first_index: int
    """Index of the first entry kept, or that will be kept."""

    last_index: int
    """Index of the last entry kept; `first_index` - 1 if there is none."""

    snapshot_index: int
    """Last index that the kept snapshot stands for, 0 for no snapshot."""

    snapshot_payload_bytes: int
    """Bytes of `data` of the kept snapshot."""


class Storage(Protocol):
    """The stable part of the log, as raft reads it; the application writes it."""

    def initial_state(self) -> tuple[HardState, ConfState]:
        """Return what was stored before the start."""
        ...

    def entries(self, lo: int, hi: int, bytes_max: int) -> list[Entry]:
        """Return the longest run from `lo` up to before `hi` within `bytes_max`.

        At least one entry is returned, whatever its encoded size. The list is the
        caller's, the entries in it are not.

        Raises:
            CompactedError: `lo` lies before `first_index()`.
            UnavailableError: there are no entries at all.
        """
        ...

    def term(self, index: int) -> int:
        """Return the term at `index`, from `first_index()` - 1 to `last_index()`.

        Raises:
            CompactedError: `index` lies before that range.
            UnavailableError: `index` lies behind it.
        """
        ...

    def first_index(self) -> int:
        """Return the index of the first entry that is, or would be, kept."""
        ...

    def last_index(self) -> int:
        """Return the index of the last entry."""
        ...

    def snapshot(self) -> Snapshot:
        """Return the newest snapshot, an empty one if there is none.

        Raises:
            SnapshotTemporarilyUnavailableError: it is being made.
        """
        ...

    def statistics(self) -> StorageStatistics:
        """Return what is kept; O(1)."""
        ...


class RandomSource(Protocol):
    """Randomness as an argument; `random.Random(seed)` is one."""

    def randrange(self, start: int, stop: int, /) -> int:
        """Return a number in [start, stop)."""
        ...


class LogLevel(IntEnum):
    """How much a log line matters."""

    DEBUG = 0
    INFO = 1
    WARN = 2
    ERROR = 3


class Logger(Protocol):
    """Where raft's log lines go; their texts are etcd's."""

    def log(self, level: LogLevel, template: str, *args: object) -> None:
        """Take one line, `template % args`; formatting is the receiver's choice."""
        ...
