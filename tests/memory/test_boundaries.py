"""What a component keeps alive, its own package allocates.

One load per component, on a real member with its files, that grows only that one: at
least 95 % of the traced growth is booked to it. What cannot be so is in the docstring
of `miniet.memory.attribution`, and in its table.
"""

import random
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from google.protobuf.message import Message

import miniet
from miniet.engine.requests import RequestKind
from miniet.memory import attribution
from miniet.memory.components import Component
from miniet.memory.counts import Counts
from miniet.memory.process import read_process
from miniet.mvcc import RangeQuery
from miniet.pb import rpc_pb2
from miniet.raft import Entry
from miniet.watch import WatchCreate
from tests.support.booked import growth, share
from tests.support.driven_member import DrivenMember, driven_member

pytestmark = pytest.mark.traced

SHARE_MIN = 0.95
BATCH = 50
MIB = 1 << 20
_ROOT = Path(__file__).parents[2]

Load = Callable[[DrivenMember], Callable[[], object]]
"""Prepares what is not to be measured, and returns what is; that returns what a
client would keep of it. Arguments are made inside: a component that keeps one of them
instead of a copy has that booked to nobody."""


@pytest.fixture
def member(tmp_path: Path) -> Iterator[DrivenMember]:
    """Return a member that has forgotten its log but for a few hundred entries."""
    with driven_member(
        tmp_path / "data", snapshot_count=200, snapshot_catchup_entries=100
    ) as driven:
        propose(driven, RequestKind.PUT, puts(500, value_bytes=10))
        yield driven
        for read in list(driven.backend._open_read_txs):
            read.close()


def puts(count: int, *, value_bytes: int, keys: int = 1) -> list[Message]:
    return [
        rpc_pb2.PutRequest(
            key=b"key/%06d" % (number % keys), value=random.randbytes(value_bytes)
        )
        for number in range(count)
    ]


def propose(member: DrivenMember, kind: RequestKind, messages: list[Message]) -> None:
    for begin in range(0, len(messages), BATCH):
        member.propose_all(kind, messages[begin : begin + BATCH])


def new_keys(member: DrivenMember) -> Callable[[], object]:
    # Values as the member's log holds already: longer ones would make it grow, too.
    messages = puts(6_000, value_bytes=10, keys=6_000)
    return lambda: propose(member, RequestKind.PUT, messages)


def keys_read_at_a_start(member: DrivenMember) -> Callable[[], object]:
    new_keys(member)()
    return member.engine.store.restore


def read_transactions(member: DrivenMember) -> Callable[[], object]:
    return lambda: [member.backend.read_tx() for _ in range(100)]


def leases(member: DrivenMember) -> Callable[[], object]:
    messages: list[Message] = [
        rpc_pb2.LeaseGrantRequest(ID=10**12 + number, TTL=1_000 + number)
        for number in range(4_000)
    ]
    return lambda: propose(member, RequestKind.LEASE_GRANT, messages)


def attached_keys(member: DrivenMember) -> Callable[[], object]:
    leases(member)()

    def load() -> None:
        for number in range(2_500):
            member.engine.lessor.attach(10**12 + number, b"key/%06d" % number)

    return load


def leases_read_at_a_start(member: DrivenMember) -> Callable[[], object]:
    leases(member)()
    return member.engine.lessor.restore


def watchers(member: DrivenMember, range_end: bytes = b"") -> Callable[[], object]:
    stream = member.engine.watch.new_stream(lambda: None)

    def load() -> object:
        for number in range(2_000):
            key = b"key/%06d" % number
            stream.create(WatchCreate(key, range_end and key + range_end))
            stream.take(1)
        return stream

    return load


def range_watchers(member: DrivenMember) -> Callable[[], object]:
    return watchers(member, b"\xff")


def watch_streams(member: DrivenMember) -> Callable[[], object]:
    kept = [member.engine.watch.new_stream(print) for _ in range(500)]

    def load() -> None:
        for number, stream in enumerate(kept):
            stream.close()
            kept[number] = member.engine.watch.new_stream(print)

    return load


def undelivered_events(member: DrivenMember) -> Callable[[], object]:
    stream = member.engine.watch.new_stream(lambda: None)
    stream.create(WatchCreate(b"key/000000"))
    messages = puts(150, value_bytes=50_000)
    # So that the log keeps nothing of them.
    others = [rpc_pb2.PutRequest(key=b"other") for _ in range(400)]

    def load() -> object:
        propose(member, RequestKind.PUT, messages)
        propose(member, RequestKind.PUT, list(others))
        return stream

    return load


def unwritten_records(member: DrivenMember) -> Callable[[], object]:
    first = member.log.statistics().last_index + 1
    entries = [
        Entry(9, first + number, data=random.randbytes(1_000)) for number in range(500)
    ]
    return lambda: member.log.append(None, entries)


def read_points(member: DrivenMember) -> Callable[[], object]:
    def load() -> None:
        for _ in range(2_500):
            member.engine.read(print)

    return load


LOADS: list[tuple[Component, Load]] = [
    (Component.MVCC, new_keys),
    (Component.MVCC, keys_read_at_a_start),
    (Component.BACKEND, read_transactions),
    (Component.LEASE, leases),
    (Component.LEASE, attached_keys),
    (Component.LEASE, leases_read_at_a_start),
    (Component.WATCH, watchers),
    (Component.WATCH, range_watchers),
    (Component.WATCH, watch_streams),
    (Component.WATCH, undelivered_events),
    (Component.WAL, unwritten_records),
    (Component.ENGINE, read_points),
]


@pytest.mark.parametrize(
    ("component", "load"), LOADS, ids=[load.__name__ for _, load in LOADS]
)
def test_growth_is_booked_to_the_component_that_keeps_it(
    member: DrivenMember, component: Component, load: Load
) -> None:
    found = growth(load(member))
    assert found.bytes_by_component[component] > 10_000
    assert share(found, component) >= SHARE_MIN, found.bytes_by_component


def test_raft_log_is_booked_to_raft(tmp_path: Path) -> None:
    with driven_member(tmp_path / "data") as member:
        messages = puts(2_000, value_bytes=1_000)
        found = growth(lambda: propose(member, RequestKind.PUT, messages))
    assert share(found, Component.RAFT) >= SHARE_MIN, found.bytes_by_component


def test_raft_log_read_at_a_start_is_booked_to_raft(tmp_path: Path) -> None:
    with driven_member(tmp_path / "data") as member:
        propose(member, RequestKind.PUT, puts(2_000, value_bytes=1_000))
    opened = driven_member(tmp_path / "data")
    found = growth(opened.__enter__)
    opened.__exit__(None, None, None)
    raft_bytes = found.bytes_by_component[Component.RAFT]
    assert raft_bytes > 2_000 * 1_000
    # The rest of a member begins with it: all that is not raft's is a fixed amount.
    assert found.total_bytes - raft_bytes < 200_000, found.bytes_by_component


def test_calls_are_booked_to_the_server(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.support.idle_calls"]
    clients: list[subprocess.Popen[bytes]] = []

    def load() -> None:
        client = subprocess.Popen(
            [*command, server.endpoint, "300"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=_ROOT,
        )
        clients.append(client)
        assert client.stdout is not None
        assert client.stdout.readline() == b"open\n"

    with miniet.Server() as server:
        try:
            found = growth(load)
        finally:
            for client in clients:
                client.communicate()
    assert found.bytes_by_component[Component.SERVER] > 300 * 1_000
    assert share(found, Component.SERVER) >= SHARE_MIN, found.bytes_by_component


# ---- exceptions


def test_pages_of_the_backend_are_in_the_map_and_not_traced(
    member: DrivenMember, tmp_path: Path
) -> None:
    path = tmp_path / "data/member/snap/db"
    value = b"v" * MIB
    batch_tx = member.backend.batch_tx

    def load() -> None:
        for number in range(32):
            batch_tx.put(b"key", b"%d" % number, value)

    before = read_process(mapped_path=path)
    found = growth(load)
    assert member.backend.statistics().uncommitted_bytes > 32 * MIB
    assert found.total_bytes < 100_000
    member.backend.commit()
    for number in range(32):
        assert batch_tx.get(b"key", b"%d" % number) == value
    after = read_process(mapped_path=path)
    assert before.mapped_bytes is not None
    assert after.mapped_bytes is not None
    assert after.mapped_bytes - before.mapped_bytes >= 32 * MIB


def answered_pairs(member: DrivenMember) -> Callable[[], object]:
    propose(member, RequestKind.PUT, puts(200, value_bytes=1_000, keys=200))
    query = RangeQuery(b"\x00", b"\x00")
    return lambda: member.engine.store.read().range(query).own()


def events_being_sent(member: DrivenMember) -> Callable[[], object]:
    stream_of = undelivered_events(member)
    return lambda: stream_of().take(1_000)  # type: ignore[attr-defined]


SHARED_LOADS: dict[str, Load] = {
    "pairs of a txn's answer": answered_pairs,
    "events being sent": events_being_sent,
}
SHARED = {shared.what: shared for shared in attribution.SHARED}


@pytest.mark.parametrize("what", SHARED_LOADS)
def test_shared_payload_is_booked_to_its_maker(member: DrivenMember, what: str) -> None:
    found = growth(SHARED_LOADS[what](member))
    shared = SHARED[what]
    assert share(found, shared.made_by) >= SHARE_MIN, found.bytes_by_component
    assert found.bytes_by_component[shared.kept_by] < 1_000


def test_a_waiting_event_has_two_numbers_of_mvcc_and_no_more(
    member: DrivenMember,
) -> None:
    stream = member.engine.watch.new_stream(lambda: None)
    stream.create(WatchCreate(b"key/000000"))
    store = member.engine.store

    def load() -> None:
        for _ in range(100):
            with store.write() as txn:
                txn.put(b"key/000000", b"v")

    found = growth(load)
    assert member.engine.watch.statistics().held_event_count == 100
    # What the index keeps of a revision is 16 bytes, in an array that grows in steps.
    numbers_bytes = found.bytes_by_component[Component.MVCC] - sum(
        line.bytes
        for line in found.lines[Component.MVCC]
        if line.file.endswith("key_index.py")
    )
    assert 6_000 <= numbers_bytes <= 7_000


@pytest.mark.parametrize("shared", attribution.SHARED, ids=lambda shared: shared.what)
def test_what_shared_payload_is_seen_in_is_a_count(
    shared: attribution.SharedPayload,
) -> None:
    assert shared.made_by is not shared.kept_by
    assert shared.seen_in in {*Counts().to_json(), ""}
