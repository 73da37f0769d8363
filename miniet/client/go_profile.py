"""A Go heap profile as text (`/debug/pprof/heap?debug=1`), by component of etcd.

A block belongs to the component of the first frame, from the one that allocated it
outwards, that a rule names. What no rule names is `fixed`: logging, metrics, the
runtime's own.

The profile is a sample: one block in every `MemProfileRate` bytes (512 KiB), scaled up
here as `go tool pprof` does it. A component of 20 MiB is known to some 15 %; one of a
few 100 KiB may be missing.
"""

import math
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Self

from miniet.memory.components import GoComponent

# Tried in this order on every frame; names are alike in 3.4, 3.5 and 3.6 but for the
# path of their module, which the patterns leave open.
_RULES = tuple(
    (re.compile(pattern), component)
    for pattern, component in (
        # What the proposer made, a follower or a restart has decoded: the log's data.
        (r"etcdserverpb\.\(\*InternalRaftRequest\)\.Marshal", GoComponent.RAFT),
        (r"raftpb\.\(\*(Entry|Message)\)\.Unmarshal", GoComponent.RAFT),
        (r"/raft(/v3)?\.", GoComponent.RAFT),
        # Of a request decoded to be applied only a new key stays, in the index.
        (r"etcdserverpb\.\(\*InternalRaftRequest\)\.Unmarshal", GoComponent.MVCC),
        (
            r"/mvcc\.\(\*(treeIndex|keyIndex|generation)\)|/google/btree\.",
            GoComponent.MVCC,
        ),
        # Encoded pairs that the batch buffers still point to.
        (r"mvccpb\.\(\*KeyValue\)\.Marshal", GoComponent.BACKEND),
        (r"/mvcc\.\(\*storeTxnWrite\)\.put$", GoComponent.BACKEND),
        (r"/backend\.|/bbolt\.", GoComponent.BACKEND),
        (
            r"/mvcc\.(\(\*)?(watch|event|synced|newWatch)|/mvcc\.kvsToEvents",
            GoComponent.WATCH,
        ),
        (r"/adt\.|/v3rpc\.\(\*(watchServer|serverWatchStream)\)", GoComponent.WATCH),
        (r"/mvcc\.\(\*storeTxn(Read|Common)\)", GoComponent.REQUESTS),
        (r"/lease\.", GoComponent.LEASE),
        (r"/wal\.", GoComponent.WAL),
        (
            r"etcdserverpb\.\(\*\w+Response\)\.(Marshal|XXX_Marshal)",
            GoComponent.REQUESTS,
        ),
        (
            r"etcdserverpb\._\w+_Handler$|grpc\.(encode|prepareMsg)$",
            GoComponent.REQUESTS,
        ),
        (
            r"grpc/internal/transport\.|/http2?(/hpack)?\.|/cmux\.",
            GoComponent.CONNECTIONS,
        ),
        (r"/grpc\.\(\*(Server|serverStream)\)", GoComponent.CONNECTIONS),
    )
)

_SAMPLE = re.compile(r"(\d+): (\d+) \[")
_FRAME = re.compile(r"#\t0x[0-9a-f]+\t(\S+?)\+0x")
_RATE = re.compile(r"@ heap/(\d+)")
_MEMSTAT = re.compile(r"^# (\w+) = (\d+)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class GoProfile:
    """What one profile says."""

    bytes_by_component: Mapping[str, int]
    """Bytes in use at the end of the last collection, by key of `GoComponent`."""
    memstats: Mapping[str, int]
    """`runtime.MemStats` when it was read, as `HeapAlloc`."""

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a profile.

        Raises:
            ValueError: it is none.
        """
        head = _RATE.search(text)
        if not text.startswith("heap profile:") or head is None:
            raise ValueError("not a Go heap profile in text form")
        # The header has twice the rate, for reasons of the format's age.
        rate = int(head[1]) // 2
        sizes: Counter[str] = Counter(dict.fromkeys(GoComponent, 0))
        for objects, size, frames in _samples(text):
            sizes[component_of(frames)] += round(_scaled(objects, size, rate))
        memstats = {name: int(value) for name, value in _MEMSTAT.findall(text)}
        return cls(dict(sizes), memstats)


def component_of(frames: list[str]) -> GoComponent:
    """Return the component that a block belongs to, from its frames, leaf first."""
    for frame in frames:
        for pattern, component in _RULES:
            if pattern.search(frame):
                return component
    return GoComponent.FIXED


def _samples(text: str) -> Iterator[tuple[int, int, list[str]]]:
    """Yield objects in use, their bytes and their frames, of each stack."""
    for block in text.split("\n\n"):
        sample = None
        frames: list[str] = []
        for line in block.splitlines():
            if found := _FRAME.match(line):
                frames.append(found[1])
            elif found := _SAMPLE.match(line):
                sample = int(found[1]), int(found[2])
        if sample is not None and sample[0] > 0:
            yield *sample, frames


def _scaled(objects: int, size: int, rate: int) -> float:
    """Undo the sampling: a block of n bytes is seen with chance 1 - exp(-n / rate)."""
    return size / -math.expm1(-size / objects / rate) if rate > 1 else size
