"""The verdict of `write-path` follows its figures."""

from typing import Any

from miniet.lab.scenarios import write_path
from miniet.memory.components import Component
from miniet.memory.traced import Traced
from miniet.report.run import Variant
from tests.unit.lab.records import capture, variant


def traced(**sizes: int) -> Traced:
    """Make booked bytes by component."""
    nothing = dict.fromkeys(Component, 0)
    return Traced(
        since_s=0.0,
        frame_count=8,
        bytes_by_component=nothing | {Component(n): size for n, size in sizes.items()},
        blocks_by_component=nothing,
        other_bytes=0,
        other_blocks=0,
        peak_bytes=0,
        tracer_bytes=0,
        lines={},
    )


def path(end_entries: int = 1005, waits: int = 4130, **more: Any) -> Variant:
    """Make a run of 1,001 puts."""

    def held(entries: int, keys: int, revisions: int, **fields: Any) -> Any:
        return capture(
            raft_entry_count=entries,
            raft_payload_bytes=entries * 4128,
            index_key_count=keys,
            index_revision_count=revisions,
            **{**more, **fields},
        )

    return variant(
        "one put",
        {
            "before": held(4, 0, 0),
            "put": held(5, 1, 1, backend_uncommitted_bytes=waits),
            "committed": held(5, 1, 1, put_total=1, traced=traced(raft=5000)),
            "put many": held(
                1005,
                1001,
                1001,
                put_total=1001,
                traced=traced(raft=4_305_000, mvcc=300_000),
            ),
            "deleted": held(1005, 1001, 2002),
            "compacted": held(1005, 0, 0),
            "defragmented": held(end_entries, 0, 0, backend_size_bytes=20480),
        },
    )


def verdict(found: Variant) -> str:
    return "\n".join(write_path.explain([found]).verdict)


def test_one_put_is_followed_by_what_each_room_has_more() -> None:
    text = verdict(path())
    assert "leaves 1 entry of 4,128 bytes in the raft log, 1 key and 1 revision" in text
    assert "4.0 KiB waited for the backend's next commit, 0 B a moment later" in text


def test_commit_is_not_told_where_nothing_waited() -> None:
    assert "next commit" not in verdict(path(waits=0))


def test_rooms_that_pass_it_on_are_told_where_they_are_seen() -> None:
    assert "only pass it on" in verdict(path())
    assert "only pass it on" not in verdict(path(unseen=("raft_unstable_count",)))


def test_bytes_per_put_are_those_between_one_and_many() -> None:
    text = verdict(path())
    assert "Python: 4,600 bytes per put stay, over 1,000 puts: raft log 4,300" in text
    assert "Go, as predicted: " in text


def test_deleting_is_told_to_grow_the_index() -> None:
    assert "makes treeIndex larger, by 1,001 revisions" in verdict(path())


def test_log_that_stays_is_told_so_and_one_that_was_cut_too() -> None:
    assert "takes anything from it" in verdict(path())
    assert "a snapshot cut it" in verdict(path(end_entries=100))
