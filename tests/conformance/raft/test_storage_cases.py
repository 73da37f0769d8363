"""`MemoryStorage` does what etcd's MemoryStorage does, row by row."""

from miniet.raft import NO_LIMIT, ConfState, MemoryStorage, Snapshot
from tests.conformance.raft.loading import (
    Case,
    CaseFile,
    entries_of,
    limit,
    outcome,
    pairs_of,
    storage_of,
)

FILE = CaseFile("storage.json")


def _array(storage: MemoryStorage) -> list[list[int]]:
    """Return all that is kept, the dummy first."""
    first, end = storage.first_index(), storage.last_index() + 1
    kept = storage.entries(first, end, NO_LIMIT) if end > first else []
    return [[first - 1, storage.term(first - 1)], *pairs_of(kept)]


def _snapshot(spec: Case) -> Snapshot:
    return Snapshot(
        spec["index"],
        spec["term"],
        ConfState(tuple(spec["conf_state"]["voters"])),
        spec["data"].encode(),
    )


@FILE.rows("TestStorageTerm")
def test_term(case: Case) -> None:
    assert outcome(storage_of(case["setup"]).term, case["index"]) == case["want"]


@FILE.rows("TestStorageEntries")
def test_entries(case: Case) -> None:
    storage = storage_of(case["setup"])
    got = outcome(storage.entries, case["lo"], case["hi"], limit(case["max_size"]))
    assert (pairs_of(got) if isinstance(got, list) else got) == case["want"]


@FILE.rows("TestStorageLastIndex")
def test_last_index(case: Case) -> None:
    storage = storage_of(case["setup"])
    storage.append(entries_of(case.get("append", [])))
    assert storage.last_index() == case["want"]


@FILE.rows("TestStorageFirstIndex")
def test_first_index(case: Case) -> None:
    storage = storage_of(case["setup"])
    if "compact" in case:
        storage.compact(case["compact"])
    assert storage.first_index() == case["want"]


@FILE.rows("TestStorageCompact")
def test_compact(case: Case) -> None:
    storage = storage_of(case["setup"])
    assert outcome(storage.compact, case["compact"]) == case["want_error"]
    array = _array(storage)
    assert array[0] == case["want_dummy"]
    assert len(array) == case["want_array_len"]
    storage._check()


@FILE.rows("TestStorageCreateSnapshot")
def test_create_snapshot(case: Case) -> None:
    storage = storage_of(case["setup"])
    conf_state = ConfState(tuple(case["conf_state"]["voters"]))
    data = case["data"].encode()
    made = outcome(storage.create_snapshot, case["index"], conf_state, data)
    assert case["want_error"] is None
    assert made == storage.snapshot() == _snapshot(case["want_snapshot"])
    storage._check()


@FILE.rows("TestStorageAppend")
def test_append(case: Case) -> None:
    storage = storage_of(case["setup"])
    assert outcome(storage.append, entries_of(case["append"])) == case["want_error"]
    assert _array(storage) == case["want_array"]
    storage._check()


@FILE.rows("TestStorageApplySnapshot")
def test_apply_snapshot(case: Case) -> None:
    storage = storage_of(case["setup"])
    errors = [
        outcome(storage.apply_snapshot, _snapshot(spec)) for spec in case["snapshots"]
    ]
    assert errors[:-1] == [None] * (len(errors) - 1)
    assert errors[-1] == case["want_last_error"]
    storage._check()


def test_every_case_is_run() -> None:
    assert FILE.left_out() == {}
