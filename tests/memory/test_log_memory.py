"""What a server keeps after many puts to one key, when it compacts and snapshots.

Nothing may grow but raft's log, which is bounded: a snapshot every so many entries,
and the entries that are kept behind it for members that are behind.
"""

import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from miniet.engine.requests import CompactionRequest, RequestKind, encode_body
from miniet.memory.components import Component
from miniet.pb import rpc_pb2
from tests.support.booked import growth
from tests.support.driven_member import DrivenMember, driven_member

pytestmark = pytest.mark.traced

SNAPSHOT_COUNT = 200
CATCHUP_ENTRIES = 100
COMPACT_EVERY = 100
BATCH = 50
VALUE_BYTES = 256

# A put with the frame of its entry, and one more list slot, Entry and bytes object.
ENTRY_BYTES_MAX = VALUE_BYTES + 300


@pytest.fixture
def member(tmp_path: Path) -> Iterator[DrivenMember]:
    with driven_member(
        tmp_path / "data",
        snapshot_count=SNAPSHOT_COUNT,
        snapshot_catchup_entries=CATCHUP_ENTRIES,
    ) as driven:
        yield driven


def put_many(member: DrivenMember, count: int) -> None:
    """Put one key `count` times, and compact on the way."""
    engine = member.engine
    for number in range(0, count, BATCH):
        if number % COMPACT_EVERY == 0:
            revision = max(engine.store.current_revision, 2)
            if revision > engine.store.compact_revision:
                compaction = encode_body(CompactionRequest(revision))
                engine.propose(*compaction, lambda _: None)
        member.propose_all(
            RequestKind.PUT,
            [
                rpc_pb2.PutRequest(
                    key=b"the one key", value=random.randbytes(VALUE_BYTES)
                )
                for _ in range(BATCH)
            ],
        )


@pytest.mark.parametrize(
    "puts",
    [
        4_000,
        pytest.param(100_000, marks=[pytest.mark.slow, pytest.mark.timeout(900)]),
    ],
)
def test_puts_to_one_key_keep_no_more_than_the_raft_log(
    member: DrivenMember, puts: int
) -> None:
    entries_max = SNAPSHOT_COUNT + CATCHUP_ENTRIES + 2 * BATCH
    put_many(member, 1_000)
    # What was kept before is not traced: what is booked now came since.
    found = growth(lambda: put_many(member, puts))
    now = member.engine.statistics()
    assert now.raft.storage.entry_count <= entries_max
    assert now.store.index_key_count == 1
    assert now.store.index_revision_count <= 2 * (COMPACT_EVERY + BATCH)
    assert now.proposals_pending == 0
    raft_bytes = found.bytes_by_component[Component.RAFT]
    assert raft_bytes <= entries_max * ENTRY_BYTES_MAX
    # Not what is booked to nobody: servers of other tests may run in this process.
    assert sum(found.bytes_by_component.values()) - raft_bytes < 64 * 1024
