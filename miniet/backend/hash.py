"""One number for all that a backend holds, to compare members by."""

from crc32c import crc32c

from miniet.backend.read_tx import Reader
from miniet.backend.schema import BUCKETS, CONSISTENT_INDEX_KEY, META


def hash_buckets(reader: Reader) -> int:
    """Return the CRC-32C over every bucket: its name, then each key and value.

    The consistent index is left out: it may differ between members that hold the
    same. No lengths and no separators go in.

    Source: etcd v3.4.9 mvcc/backend/backend.go, backend.Hash; mvcc/hash.go.
    """
    checksum = 0
    for bucket in BUCKETS:
        checksum = crc32c(bucket, checksum)
        for key, value in reader.range(bucket, b""):
            if bucket == META and bytes(key) == CONSISTENT_INDEX_KEY:
                continue
            checksum = crc32c(value, crc32c(key, checksum))
    return checksum
