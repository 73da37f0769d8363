"""`Capture`: one reading of all three witnesses, to be shown, kept and compared."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from miniet.memory.counts import Counts
from miniet.memory.go_memory import GoMemory
from miniet.memory.process import ProcessMemory
from miniet.memory.traced import Traced


@dataclass(frozen=True, slots=True, kw_only=True)
class Capture:
    """One reading of a server: miniet's, or as far as it can be seen a real etcd's."""

    label: str
    """What had been done: `loaded`, `compacted`."""
    time_s: float
    """Seconds since 1970."""
    product: str
    """`miniet 0.1.0` or `etcd 3.4.23`."""
    profile: str = "3.4"
    """The etcd release whose life of the log it follows: `3.4`, `3.5`, `3.6`."""
    flags: Mapping[str, str] = field(default_factory=dict)
    """Flags in force that matter to memory, as `snapshot-count`: `100000`."""
    counts: Counts
    unseen: tuple[str, ...] = ()
    """Fields of `counts` that this reader cannot see; they are 0 there."""
    process: ProcessMemory | None = None
    """None for a process on another machine."""
    baseline: ProcessMemory | None = None
    """The process before its first request, or when tracing began."""
    traced: Traced | None = None
    """None while tracing is off, and for a real etcd."""
    go: GoMemory | None = None
    """Of a real etcd only."""
