"""Where leases are kept: etcd's bucket `lease`."""

from collections.abc import Iterator
from typing import Final

from miniet.engine.ports import EngineBackend
from miniet.errors import DataError
from miniet.protowire import fields, signed64, varint

LEASE_BUCKET: Final = b"lease"


class BackendLeaseStore:
    """The lessor's port, filled by the backend: id -> `leasepb.Lease`."""

    def __init__(self, backend: EngineBackend) -> None:
        self._backend = backend

    def save(self, lease_id: int, ttl_s: int, remaining_ttl_s: int) -> None:
        value = b"".join(
            tag + varint(number)
            for tag, number in (
                (b"\x08", lease_id),
                (b"\x10", ttl_s),
                (b"\x18", remaining_ttl_s),
            )
            if number
        )
        self._backend.batch_tx.put(LEASE_BUCKET, _key(lease_id), value)

    def delete(self, lease_id: int) -> None:
        self._backend.batch_tx.delete(LEASE_BUCKET, _key(lease_id))

    def load(self) -> Iterator[tuple[int, int, int]]:
        for key, value in self._backend.batch_tx.range(LEASE_BUCKET, b""):
            try:
                numbers = dict(fields(value))
                lease_id, ttl_s, left_s = (_int(numbers.get(n, 0)) for n in (1, 2, 3))
                if _key(lease_id) != key:
                    raise ValueError(f"its record is that of lease {lease_id:x}")
                yield lease_id, ttl_s, left_s
            except (ValueError, TypeError) as error:
                raise DataError(
                    f"lease {bytes(key).hex()} in the backend cannot be read: {error}"
                ) from error


def _key(lease_id: int) -> bytes:
    return (lease_id & (1 << 64) - 1).to_bytes(8, "big")


def _int(value: int | memoryview) -> int:
    if not isinstance(value, int):
        raise TypeError("a number is expected")
    return signed64(value)
