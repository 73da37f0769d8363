import pytest

from miniet.mvcc import CompactedError, FutureRevisionError, Store
from tests.support.memory_backend import MemoryBackend
from tests.support.stores import (
    compact,
    delete,
    finish_compactions,
    new_store,
    put,
    real_server_history,
)


def hash_of(store: Store, revision: int = 0) -> int:
    return store.hash_by_revision(revision).hash


def test_hashes_of_a_growing_history_equal_a_real_servers() -> None:
    store = new_store()
    hashes = [hash_of(store)]
    for key, value in [(b"a", b"1"), (b"b", b"2"), (b"a", b"3"), (b"b", None)]:
        if value is None:
            delete(store, key)
        else:
            put(store, key, value)
        hashes.append(hash_of(store))
    put(store, b"b", b"4")
    hashes.append(hash_of(store))
    assert hashes == [
        1084519789,
        2587454935,
        1827592406,
        2069675932,
        1125682900,
        1755817298,
    ]
    assert [hash_of(store, revision) for revision in range(1, 7)] == hashes


def test_hashes_around_compactions_equal_a_real_servers() -> None:
    store = new_store()
    put(store, b"a", b"b")
    delete(store, b"a")
    put(store, b"b", b"x")
    put(store, b"b", b"y")
    assert hash_of(store) == 3329272321
    assert hash_of(store, 3) == 2765545382
    compact(store, 3)
    assert hash_of(store) == 2004935383
    assert hash_of(store, 4) == 3966414695
    compact(store, 5)
    assert hash_of(store) == 3473285360
    delete(store, b"b")
    assert hash_of(store) == 3295600495


def test_hash_does_not_depend_on_how_far_a_compaction_is() -> None:
    store = new_store()
    real_server_history(store)
    store.compact(10)
    hashes = {(hash_of(store), hash_of(store, 11))}
    while store.step_compaction(1):
        hashes.add((hash_of(store), hash_of(store, 11)))
    hashes.add((hash_of(store), hash_of(store, 11)))
    assert len(hashes) == 1


def test_hash_names_the_revisions_it_belongs_to() -> None:
    store = new_store()
    real_server_history(store)
    compact(store, 5)
    answer = store.hash_by_revision(0)
    assert (answer.revision, answer.compact_revision) == (13, 5)
    answer = store.hash_by_revision(9)
    assert (answer.revision, answer.current_revision) == (9, 13)
    assert new_store().hash_by_revision(0).compact_revision == -1


def test_revisions_out_of_reach_are_refused() -> None:
    store = new_store()
    real_server_history(store)
    compact(store, 5)
    for revision in (1, 4, 5):
        with pytest.raises(CompactedError):
            store.hash_by_revision(revision)
    with pytest.raises(FutureRevisionError):
        store.hash_by_revision(14)
    with pytest.raises(FutureRevisionError):
        store.prepare_hash(14)


def test_negative_revision_hashes_nothing() -> None:
    store = new_store()
    real_server_history(store)
    assert hash_of(store, -5) == hash_of(new_store())
    compact(store, 5)
    assert hash_of(store, -5) == hash_of(new_store())


@pytest.mark.parametrize("revision", [0, 11, 13])
def test_prepared_hash_is_of_the_moment_of_its_read_transaction(revision: int) -> None:
    store = new_store()
    real_server_history(store)
    compact(store, 10)
    expected = store.hash_by_revision(revision)
    job = store.prepare_hash(revision)
    assert isinstance(store.backend, MemoryBackend)
    tx = store.backend.read_tx()
    put(store, b"later")
    store.compact(14)
    finish_compactions(store)
    store.backend.commit()
    assert job.result(job.run(tx)) == expected
    tx.close()
