"""The hash over all buckets."""

import threading

from crc32c import crc32c

from miniet.backend import Backend, hash_buckets
from miniet.backend.schema import BUCKETS, CONSISTENT_INDEX_KEY, KEY, LEASE, META


def test_hash_of_an_empty_store_covers_the_bucket_names(backend: Backend) -> None:
    assert backend.hash() == crc32c(b"".join(BUCKETS))
    names = b"alarmauthauthRolesauthUsersclusterkeyleasemembersmembers_removedmeta"
    assert backend.hash() == crc32c(names)


def test_hash_covers_names_keys_and_values_in_order(backend: Backend) -> None:
    backend.batch_tx.put(KEY, b"b", b"2")
    backend.batch_tx.put(KEY, b"a", b"1")
    backend.batch_tx.put(META, b"z", b"3")
    assert backend.hash() == crc32c(
        b"alarmauthauthRolesauthUsersclusterkeya1b2leasemembersmembers_removedmetaz3"
    )
    assert backend.statistics().uncommitted_operation_count == 0


def test_hash_leaves_only_the_consistent_index_out(backend: Backend) -> None:
    before = backend.hash()
    backend.batch_tx.put(META, CONSISTENT_INDEX_KEY, bytes(8))
    assert backend.hash() == before
    backend.batch_tx.put(LEASE, CONSISTENT_INDEX_KEY, bytes(8))
    assert backend.hash() != before


def test_hash_of_a_read_tx_can_run_in_a_thread_during_writes(backend: Backend) -> None:
    for i in range(3000):
        backend.batch_tx.append(KEY, b"%06d" % i, bytes(300))
    expected = backend.hash()
    results: list[int] = []
    with backend.read_tx() as tx:
        thread = threading.Thread(target=lambda: results.append(hash_buckets(tx)))
        thread.start()
        for i in range(50):
            backend.batch_tx.put(KEY, b"%06d" % i, b"")
            backend.commit()
        thread.join()
    assert results == [expected]
    assert backend.hash() != expected
