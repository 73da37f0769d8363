import pytest

from miniet.engine.lease_store import LEASE_BUCKET, BackendLeaseStore
from miniet.errors import DataError
from miniet.pb import lease_pb2
from tests.support.memory_backend import MemoryBackend

EXAMPLE_ID = 0x7BA4A2041717B80A


def test_a_record_is_the_one_seen_on_a_real_server() -> None:
    backend = MemoryBackend()
    BackendLeaseStore(backend).save(EXAMPLE_ID, 600, 0)
    value = backend.batch_tx.get(LEASE_BUCKET, bytes.fromhex("7ba4a2041717b80a"))
    assert value == bytes.fromhex("088af0deb8c1c0a8d27b10d804")


LEASES = [
    (EXAMPLE_ID, 600, 0),
    (1, 2, 1),
    (-1, 60, 30),
    (-(2**63), 9_000_000_000, 8_999_999_999),
    (2**63 - 1, 2, 0),
]


@pytest.mark.parametrize("lease", LEASES)
def test_a_record_is_protobufs(lease: tuple[int, int, int]) -> None:
    backend = MemoryBackend()
    BackendLeaseStore(backend).save(*lease)
    [(key, value)] = backend.batch_tx.range(LEASE_BUCKET, b"")
    lease_id, ttl_s, remaining_s = lease
    message = lease_pb2.Lease(ID=lease_id, TTL=ttl_s, RemainingTTL=remaining_s)
    assert value == message.SerializeToString()
    assert int.from_bytes(key, "big", signed=True) == lease_id


def test_all_come_back_and_the_deleted_do_not() -> None:
    backend = MemoryBackend()
    store = BackendLeaseStore(backend)
    for lease in LEASES:
        store.save(*lease)
    store.save(1, 2, 0)
    store.delete(EXAMPLE_ID)
    backend.commit()
    kept = BackendLeaseStore(backend.crashed()).load()
    assert sorted(kept) == sorted([(1, 2, 0), *LEASES[2:]])


@pytest.mark.parametrize("value", [b"\x08", b"\x0a\x01a", b"\xff"])
def test_a_damaged_record_is_told_with_its_id(value: bytes) -> None:
    backend = MemoryBackend()
    backend.batch_tx.put(LEASE_BUCKET, (7).to_bytes(8, "big"), value)
    with pytest.raises(DataError, match="lease 0000000000000007"):
        list(BackendLeaseStore(backend).load())
