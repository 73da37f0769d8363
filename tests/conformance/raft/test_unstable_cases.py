"""`Unstable` does what etcd's unstable does, row by row."""

from miniet.raft import Snapshot
from miniet.raft.unstable import Unstable
from tests.conformance.raft.loading import (
    Case,
    CaseFile,
    entries_of,
    entry_id,
    pairs_of,
)

FILE = CaseFile("log_unstable.json")


def _unstable(case: Case) -> Unstable:
    unstable = Unstable(case.get("offset", 0))
    unstable.entries = entries_of(case.get("entries", []))
    unstable.offset_in_progress = case.get("offset_in_progress", unstable.offset)
    if case.get("snapshot"):
        unstable.snapshot = Snapshot(*case["snapshot"])
    unstable.snapshot_in_progress = case.get("snapshot_in_progress", False)
    return unstable


def _pair(snapshot: Snapshot | None) -> list[int] | None:
    return None if snapshot is None else [snapshot.index, snapshot.term]


@FILE.rows("TestUnstableMaybeFirstIndex")
def test_maybe_first_index(case: Case) -> None:
    assert _unstable(case).maybe_first_index() == case["want"]


@FILE.rows("TestMaybeLastIndex")
def test_maybe_last_index(case: Case) -> None:
    assert _unstable(case).maybe_last_index() == case["want"]


@FILE.rows("TestUnstableMaybeTerm")
def test_maybe_term(case: Case) -> None:
    assert _unstable(case).maybe_term(case["index"]) == case["want"]


@FILE.rows("TestUnstableRestore")
def test_restore(case: Case) -> None:
    unstable = _unstable(case)
    unstable.restore(Snapshot(*case["restore"]))
    assert unstable.offset == case["want_offset"]
    assert unstable.offset_in_progress == case["want_offset_in_progress"]
    assert pairs_of(unstable.entries) == case["want_entries"]
    assert _pair(unstable.snapshot) == case["want_snapshot"]
    assert unstable.snapshot_in_progress is case["want_snapshot_in_progress"]
    unstable._check()


@FILE.rows("TestUnstableNextEntries")
def test_next_entries(case: Case) -> None:
    assert pairs_of(_unstable(case).next_entries()) == (case["want"] or [])


@FILE.rows("TestUnstableNextSnapshot")
def test_next_snapshot(case: Case) -> None:
    assert _pair(_unstable(case).next_snapshot()) == case["want"]


@FILE.rows("TestUnstableAcceptInProgress")
def test_accept_in_progress(case: Case) -> None:
    unstable = _unstable(case)
    unstable.accept_in_progress()
    assert unstable.offset_in_progress == case["want_offset_in_progress"]
    assert unstable.snapshot_in_progress is case["want_snapshot_in_progress"]


@FILE.rows("TestUnstableStableTo")
def test_stable_to(case: Case) -> None:
    unstable = _unstable(case)
    unstable.stable_to(entry_id(case["id"]))
    assert unstable.offset == case["want_offset"]
    assert unstable.offset_in_progress == case["want_offset_in_progress"]
    assert len(unstable.entries) == case["want_len"]
    unstable._check()


@FILE.rows("TestUnstableTruncateAndAppend")
def test_truncate_and_append(case: Case) -> None:
    unstable = _unstable(case)
    unstable.truncate_and_append(entries_of(case["append"]))
    assert unstable.offset == case["want_offset"]
    assert unstable.offset_in_progress == case["want_offset_in_progress"]
    assert pairs_of(unstable.entries) == case["want_entries"]
    unstable._check()


def test_every_case_is_run() -> None:
    assert FILE.left_out() == {}
