"""`RaftLog` does what etcd's raftLog does, row by row."""

from itertools import chain

import pytest

from miniet.raft import NO_LIMIT, Entry, Snapshot
from miniet.raft.log import RaftLog
from miniet.raft.log_slice import LogSlice
from miniet.raft.sizes import encoded_bytes
from tests.conformance.raft.loading import (
    Case,
    CaseFile,
    entries_of,
    entry_id,
    limit,
    log_of,
    outcome,
    pairs_of,
)

FILE = CaseFile("log.json")


@FILE.rows("TestFindConflict")
def test_find_conflict(case: Case) -> None:
    log = log_of(case["setup"])
    assert log.find_conflict(entries_of(case["entries"])) == case["want"]


@FILE.rows("TestFindConflictByTerm")
def test_find_conflict_by_term(case: Case) -> None:
    found = log_of(case["setup"]).find_conflict_by_term(case["index"], case["term"])
    assert (found.index, found.term) == (case["want_index"], case["want_term"])


@FILE.rows("TestIsUpToDate")
def test_is_up_to_date(case: Case) -> None:
    log = log_of(case["setup"])
    assert log.is_up_to_date(entry_id(case["last"])) is case["want"]


@FILE.rows("TestAppend")
def test_append(case: Case) -> None:
    log = log_of(case["setup"])
    assert log.append(entries_of(case["entries"])) == case["want_last_index"]
    assert pairs_of(log.entries(1)) == case["want_entries_from_1"]
    assert log.unstable.offset == case["want_unstable_offset"]
    log._check()


@FILE.rows("TestLogMaybeAppend")
def test_maybe_append(case: Case) -> None:
    log = log_of(case["setup"])
    new = entries_of(case["entries"])
    prev = entry_id(case["prev"])
    run = LogSlice(term=100, prev=prev, entries=new)
    got = outcome(log.maybe_append, run, case["leader_committed"])
    if case.get("want") == "panic":
        assert got == "panic"
        return
    assert (got is not None) is case["want_appended"]
    assert (got or 0) == case["want_last_new_index"]
    assert log.committed == case["want_committed"]
    if got is not None and new:
        first = log.last_index() - len(new) + 1
        assert log.slice(first, log.last_index() + 1, NO_LIMIT) == new


SIDE_EFFECTS = FILE.group("TestCompactionSideEffects")


def test_compaction_side_effects() -> None:
    setup, cases = SIDE_EFFECTS
    log = log_of(setup)
    known = range(500, 1001)
    assert cases[0] == {"last_index": log.last_index()}
    assert cases[1]["term_of_every_index"] == [known[0], known[-1]]
    assert [log.term(index) for index in known] == list(known)
    assert cases[2]["match_term_of_every_index"] == [known[0], known[-1]]
    assert all(log.match_term(entry_id([index, index])) for index in known)
    unstable = log.next_unstable_entries()
    assert cases[3]["next_unstable_entries"] == {
        "count": len(unstable),
        "first_index": unstable[0].index,
    }
    log.append(entries_of(cases[4]["then"][1]))
    assert log.last_index() == cases[4]["want_last_index"]
    tail = log.entries(log.last_index())
    assert cases[5]["entries_from_last_index"] == {"count": len(tail)}


def _applying(case: Case) -> RaftLog:
    log = log_of(case["setup"])
    log.applied_to(case["applied"], 0)
    log.accept_applying(case["applying"], 0, allow_unstable=case["allow_unstable"])
    log.paused = case.get("paused", False)
    if "restore_snapshot" in case:
        log.restore(Snapshot(*case["restore_snapshot"]))
    return log


@FILE.rows("TestHasNextCommittedEnts")
def test_has_next_committed_entries(case: Case) -> None:
    has = _applying(case).has_next_committed_entries(
        allow_unstable=case["allow_unstable"]
    )
    assert has is case["want"]


@FILE.rows("TestNextCommittedEnts")
def test_next_committed_entries(case: Case) -> None:
    found = _applying(case).next_committed_entries(
        allow_unstable=case["allow_unstable"]
    )
    assert pairs_of(found) == (case["want"] or [])


@FILE.rows("TestAcceptApplying")
def test_accept_applying(case: Case) -> None:
    log = log_of(case["setup"])
    log.accept_applying(
        case["index"], case["size"], allow_unstable=case["allow_unstable"]
    )
    assert log.paused is case["want_paused"]


@FILE.rows("TestAppliedTo")
def test_applied_to(case: Case) -> None:
    log = log_of(case["setup"])
    log.applied_to(case["index"], case["size"])
    assert log.applied == case["want_applied"]
    assert log.applying == case["want_applying"]
    assert log.applying_bytes == case["want_applying_size"]
    assert log.paused is case["want_paused"]


@FILE.rows("TestNextUnstableEnts")
def test_next_unstable_entries(case: Case) -> None:
    log = log_of(case["setup"])
    found = log.next_unstable_entries()
    if found:
        log.stable_to(entry_id([found[-1].index, found[-1].term]))
    assert pairs_of(found) == (case["want"] or [])
    assert log.unstable.offset == case["want_unstable_offset_after"]


@FILE.rows("TestCommitTo")
def test_commit_to(case: Case) -> None:
    log = log_of(case["setup"])
    got = outcome(log.commit_to, case["commit"])
    if "want" in case:
        assert got == case["want"]
    else:
        assert log.committed == case["want_committed"]


@FILE.rows("TestStableTo")
def test_stable_to(case: Case) -> None:
    log = log_of(case["setup"])
    log.stable_to(entry_id(case["id"]))
    assert log.unstable.offset == case["want_unstable_offset"]


@FILE.rows("TestStableToWithSnap")
def test_stable_to_over_a_snapshot(case: Case) -> None:
    log = log_of(case["setup"])
    log.append(entries_of(case["append"]))
    log.stable_to(entry_id(case["id"]))
    assert log.unstable.offset == case["want_unstable_offset"]


@FILE.rows("TestCompaction")
def test_compaction(case: Case) -> None:
    log = log_of(case["setup"])
    log.commit_to(log.last_index())
    log.applied_to(log.committed, 0)
    left = []
    for index in case["compact"]:
        error = outcome(log.storage.compact, index)  # type: ignore[attr-defined]
        left.append(error or len(log.entries(log.first_index())))
    assert left == case["want_left"]


@FILE.rows("TestLogRestore")
def test_log_over_a_snapshot(case: Case) -> None:
    log = log_of(case["setup"])
    count = len(log.entries(log.first_index()))
    assert count == case["want_all_entries_count"]
    assert log.first_index() == case["want_first_index"]
    assert log.committed == case["want_committed"]
    assert log.unstable.offset == case["want_unstable_offset"]
    index, term = case["want_term_at"]
    assert log.term(index) == term


@FILE.rows("TestIsOutOfBounds")
def test_bounds_of_a_slice(case: Case) -> None:
    log = log_of(case["setup"])
    got = outcome(log.slice, case["lo"], case["hi"], NO_LIMIT)
    assert ("ok" if isinstance(got, list) else got) == case["want"]


@FILE.rows("TestTerm")
def test_term(case: Case) -> None:
    log = log_of(case["setup"])
    assert outcome(log.term, case["index"]) == case["want"]


@FILE.rows("TestTermWithUnstableSnapshot")
def test_term_with_unstable_snapshot(case: Case) -> None:
    log = log_of(case["setup"])
    assert outcome(log.term, case["index"]) == case["want"]


@FILE.rows("TestSlice")
def test_slice(case: Case) -> None:
    log = log_of(case["setup"])
    got = outcome(log.slice, case["lo"], case["hi"], limit(case["max_size"]))
    want = case["want"]
    if isinstance(want, dict):
        want = [
            Entry(index, index)
            for index in range(want["indexes_from"], want["indexes_to"])
        ]
    assert got == want


@FILE.rows("TestScan", keep=lambda case: "page_sizes" in case)
def test_scan_gives_what_slice_gives(case: Case) -> None:
    log = log_of(case["setup"])
    for size in case["page_sizes"]:
        for lo in range(48, 67):
            for hi in range(lo, 68):
                pages = list(log.scan(lo, hi, size))
                assert list(chain(*pages)) == log.slice(lo, hi, NO_LIMIT)
                assert all(
                    len(page) == 1 or encoded_bytes(page) <= size for page in pages
                )


@FILE.rows("TestScan", keep=lambda case: case.get("page_size") == 0)
def test_scan_ends_with_its_caller(case: Case) -> None:
    log = log_of(case["setup"])
    calls = 0

    def visit() -> None:
        nonlocal calls
        for _ in log.scan(case["lo"], case["hi"], case["page_size"]):
            calls += 1
            if calls == 2:
                raise KeyError

    with pytest.raises(KeyError):
        visit()
    assert calls == 2


@FILE.rows("TestScan", keep=lambda case: "want_page_lengths" in case)
def test_scan_fills_pages(case: Case) -> None:
    log = log_of(case["setup"])
    pages = log.scan(case["lo"], case["hi"], case["page_size"])
    assert [len(page) for page in pages] == case["want_page_lengths"]


def test_every_case_is_run() -> None:
    assert FILE.left_out() == {}
