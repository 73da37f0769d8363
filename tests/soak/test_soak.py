"""A short soak, and that each check of a soak can fail."""

from pathlib import Path
from zlib import crc32

import pytest

from miniet.memory.capture import Capture
from miniet.memory.counts import Counts
from miniet.memory.process import ProcessMemory
from miniet.memory.timeline import Point
from miniet.pb import kv_pb2
from tests.soak.checks import judge, slope
from tests.soak.ledger import Acknowledged, Ledger
from tests.soak.plot import save
from tests.soak.settings import Settings
from tests.soak.soak import soak

SETTINGS = Settings(snapshot_count=100, catchup_entries=10, retention_s=10)


def put(
    revision: int, key: bytes = b"k", value: bytes = b"v", *, version: int = 1
) -> kv_pb2.Event:
    pair = kv_pb2.KeyValue(key=key, value=value, mod_revision=revision, version=version)
    pair.create_revision = revision - version + 1
    return kv_pb2.Event(kv=pair)


def deleted(revision: int, key: bytes = b"k") -> kv_pb2.Event:
    pair = kv_pb2.KeyValue(key=key, mod_revision=revision)
    return kv_pb2.Event(type=kv_pb2.Event.DELETE, kv=pair)


# ---- the ledger


def history() -> tuple[Ledger, list[kv_pb2.Event]]:
    """Two puts, a deletion by a lease and a put, of which the writer knows."""
    ledger = Ledger()
    events = [put(2), put(3, version=2), deleted(4), put(5)]
    ledger.acknowledge(2, Acknowledged(((b"k", crc32(b"v")),)))
    ledger.observe(events)
    ledger.acknowledge(3, Acknowledged(((b"k", crc32(b"v")),)))
    ledger.acknowledge(5, Acknowledged(((b"k", crc32(b"v")),)))
    return ledger, events


def test_whole_history_has_no_fault() -> None:
    ledger, events = history()
    cursor = ledger.follow(b"a", b"z", 2)
    cursor.take(events[:2])
    cursor.take(events[2:])
    assert not cursor.wait_owed(5)
    ledger.close()
    assert ledger.faults == []
    assert ledger.changes_between(3, 5) == 2


@pytest.mark.parametrize(
    ("events", "fault"),
    [
        ([put(3)], "came after 1"),
        ([put(2), put(2, b"l"), put(3, version=3)], "version"),
        ([put(2), deleted(3), deleted(4)], "deleted twice"),
        ([put(2, value=b"w")], "not what was acknowledged"),
        ([put(2), put(3, b"l")], "written by nobody"),
        ([], "is lost"),
    ],
)
def test_observer_finds(events: list[kv_pb2.Event], fault: str) -> None:
    ledger = Ledger()
    ledger.acknowledge(2, Acknowledged(((b"k", crc32(b"v")),)))
    ledger.observe(events)
    ledger.close()
    assert any(fault in said for said in ledger.faults), ledger.faults


@pytest.mark.parametrize("kept", [(1, 2, 3), (0, 2, 3), (0, 1, 3), (1, 0, 2, 3)])
def test_follower_finds_what_is_lost_or_out_of_order(kept: tuple[int, ...]) -> None:
    ledger, events = history()
    ledger.follow(b"k", b"", 2).take([events[number] for number in kept])
    assert "was told" in ledger.faults[0]


def test_follower_finds_what_never_comes() -> None:
    ledger, events = history()
    cursor = ledger.follow(b"a", b"z", 2)
    cursor.take(events[:3])
    assert [revision for revision, _ in cursor.wait_owed(5)] == [5]


def test_compaction_may_end_only_who_is_behind_it() -> None:
    ledger, _ = history()
    ledger.follow(b"k", b"", 2).skip_to(3)
    assert not ledger.faults
    ledger.follow(b"k", b"", 4).skip_to(3)
    assert "was ended by compaction 3" in ledger.faults[0]


@pytest.mark.parametrize("compacted", [4, 3])
def test_only_deletions_at_the_compact_revision_may_be_missing(compacted: int) -> None:
    ledger, events = history()
    ledger.is_compacted = lambda revision: revision <= compacted
    cursor = ledger.follow(b"k", b"", 4)
    assert cursor.begin() == 4
    assert len(cursor.wait_owed(5)) == (1 if compacted == 4 else 2)
    cursor.take(events[3:])
    assert bool(ledger.faults) == (compacted == 3)
    assert cursor.spared_count == (1 if compacted == 4 else 0)


def test_put_at_the_compact_revision_may_not_be_missing() -> None:
    ledger, events = history()
    ledger.is_compacted = lambda revision: True
    cursor = ledger.follow(b"k", b"", 3)
    cursor.begin()
    cursor.take(events[2:])
    assert "was told" in ledger.faults[0]


def test_revision_of_two_writes_is_found() -> None:
    ledger, _ = history()
    ledger.acknowledge(5, Acknowledged(((b"k", crc32(b"v")),)))
    assert "given to two writes" in ledger.faults[0]


# ---- the verdict


def run_of(ledger: Ledger, rss_growth: int = 0, **counts: int) -> list[Point]:
    """Captures of 400 s under load, all alike but for what grows in `rss_growth`."""
    settled = {
        "current_revision": 5,
        "compact_revision": 5,
        "index_key_count": 1,
        "index_revision_count": 1,
        "connection_count": 1,
    }
    return [
        Point(
            time_s,
            Capture(
                label="",
                time_s=time_s,
                product="miniet",
                counts=Counts(**(settled | counts)),
                process=ProcessMemory(resident_bytes=10**8 + rss_growth * time_s),
            ),
        )
        for time_s in range(0, 400, 2)
    ]


def failures(points: list[Point], ledger: Ledger, **end: int) -> list[str]:
    found = judge(SETTINGS, points, ledger, Counts(connection_count=1, **end))
    return [finding.claim for finding in found if not finding.holds]


def test_run_within_its_bounds_passes() -> None:
    ledger, _ = history()
    assert failures(run_of(ledger), ledger) == []


@pytest.mark.parametrize(
    ("counts", "claim"),
    [
        ({"raft_entry_count": 400}, "raft log within snapshot-count"),
        ({"index_revision_count": 20}, "index within keys"),
        ({"compact_revision": 2}, "history no longer"),
        ({"index_key_count": 801}, "no more keys"),
    ],
)
def test_count_beyond_its_bound_fails(counts: dict[str, int], claim: str) -> None:
    ledger, _ = history()
    assert any(
        said.startswith(claim) for said in failures(run_of(ledger, **counts), ledger)
    )


def test_growing_memory_fails() -> None:
    ledger, _ = history()
    assert failures(run_of(ledger, rss_growth=100_000), ledger) == [
        "RSS without the map, MiB: no growth"
    ]


@pytest.mark.parametrize("name", ["stream_count", "lease_count", "held_event_count"])
def test_what_clients_leave_behind_fails(name: str) -> None:
    ledger, _ = history()
    assert failures(run_of(ledger), ledger, **{name: 1}) == [
        "nothing is left of clients that have gone"
    ]


def test_fault_fails() -> None:
    ledger, _ = history()
    ledger.fault("it rains")
    assert len(failures(run_of(ledger), ledger)) == 1


def test_slope_is_that_of_the_line() -> None:
    assert slope([0, 1, 2], [1, 3, 5]) == pytest.approx(2)
    assert slope([1], [7]) == 0


# ---- the whole


def test_short_soak_holds(tmp_path: Path) -> None:
    settings = Settings(
        seconds=6,
        seed=1,
        writers=2,
        followers=3,
        operations_per_s=100,
        value_bytes_max=500,
        lease_ttl_s=2,
        snapshot_count=100,
        catchup_entries=20,
        retention_s=2,
    )
    result = soak(settings, tmp_path, lambda *_: None)
    assert result.holds, [f for f in result.findings if not f.holds]
    assert result.event_count
    picture, document = save(result, tmp_path / "out")
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert document.stat().st_size > 1000
    assert "serving version=" in (tmp_path / "out" / "server.log").read_text()
