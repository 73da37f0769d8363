"""What a server keeps after many puts to one key, when it compacts and snapshots.

Nothing may grow but raft's log, which is bounded: a snapshot every so many entries,
and the entries that are kept behind it for members that are behind.
"""

import gc
import random
import tracemalloc
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

import miniet
from miniet.clock import SystemClock
from miniet.engine.requests import CompactionRequest, RequestKind, encode_body
from miniet.errors import RequestError
from miniet.pb import rpc_pb2
from miniet.server.bootstrap import BuiltMember, build_member
from miniet.server.config import Config
from miniet.server.recorders import Durations

PACKAGES = Path(miniet.__file__).parent

SNAPSHOT_COUNT = 200
CATCHUP_ENTRIES = 100
COMPACT_EVERY = 100
BATCH = 50
VALUE_BYTES = 256

# A put with the frame of its entry, and one more list slot, Entry and bytes object.
ENTRY_BYTES_MAX = VALUE_BYTES + 300


@pytest.fixture
def member(tmp_path: Path) -> Iterator[BuiltMember]:
    config = Config(
        snapshot_count=SNAPSHOT_COUNT, snapshot_catchup_entries=CATCHUP_ENTRIES
    )
    clock, rng = SystemClock(), random.Random(1)
    built = build_member(
        config, str(tmp_path / "data"), config.client_urls, clock, rng, Durations()
    )
    with closing(built):
        built.engine.campaign_soon()
        while not built.engine.is_serving:
            turn(built)
        yield built


def turn(member: BuiltMember) -> None:
    """Do what the driver does, in its order, without a thread and without syncs."""
    engine, log = member.engine, member.log
    ready = engine.ready()
    if ready is not None:
        log.append(ready.hard_state, ready.entries)
        log.flush(False)
        engine.apply(ready)
        engine.persisted(ready)
    if engine.is_snapshot_due:
        snapshot = engine.make_snapshot()
        log.save_snapshot(snapshot)
        engine.snapshot_saved(snapshot)
    while engine.step_compaction():
        pass


def put_many(member: BuiltMember, count: int) -> None:
    """Put one key `count` times, compact on the way, and answer all of it."""
    engine, answered = member.engine, 0

    def take(outcome: object) -> None:
        nonlocal answered
        assert not isinstance(outcome, RequestError)
        answered += 1

    for number in range(0, count, BATCH):
        for _ in range(BATCH):
            value = random.randbytes(VALUE_BYTES)
            put = rpc_pb2.PutRequest(key=b"the one key", value=value)
            engine.propose(RequestKind.PUT, put.SerializeToString(), take)
        if number % COMPACT_EVERY == 0:
            revision = max(engine.store.current_revision, 2)
            if revision > engine.store.compact_revision:
                compaction = encode_body(CompactionRequest(revision))
                engine.propose(*compaction, lambda _: None)
        turn(member)
        engine.tick()
    while answered < count:
        turn(member)
    engine.tick()


def booked_bytes() -> dict[str, int]:
    """Traced bytes by package: the innermost frame inside one decides."""
    gc.collect()
    booked: dict[str, int] = {}
    for trace in tracemalloc.take_snapshot().traces:
        for frame in reversed(trace.traceback):
            path = Path(frame.filename)
            if path.parent.parent == PACKAGES:
                name = path.parent.name
                booked[name] = booked.get(name, 0) + trace.size
                break
    return booked


@pytest.mark.parametrize(
    "puts",
    [
        4_000,
        pytest.param(100_000, marks=[pytest.mark.slow, pytest.mark.timeout(900)]),
    ],
)
def test_puts_to_one_key_keep_no_more_than_the_raft_log(
    member: BuiltMember, puts: int
) -> None:
    entries_max = SNAPSHOT_COUNT + CATCHUP_ENTRIES + 2 * BATCH
    put_many(member, 1_000)
    tracemalloc.start(8)
    try:
        # What was kept before is not traced: what is booked now came since.
        put_many(member, puts)
        booked = booked_bytes()
    finally:
        tracemalloc.stop()
    now = member.engine.statistics()
    assert now.raft.storage.entry_count <= entries_max
    assert now.store.index_key_count == 1
    assert now.store.index_revision_count <= 2 * (COMPACT_EVERY + BATCH)
    assert now.proposals_pending == 0
    raft_bytes = booked.pop("raft")
    assert raft_bytes <= entries_max * ENTRY_BYTES_MAX
    assert sum(booked.values()) < 64 * 1024
