"""HashKV: one number over the history up to a revision, equal to etcd's.

CRC-32C over the bucket's name, then key and value of each record in order, where
records that a compaction may or may not have deleted already are left out. So
two members with the same history agree, however far their compactions are. With
one exception, which is etcd's: where no key is alive at the revision, nothing is
left out, and the hash moves while a compaction runs.

Source: etcd v3.4.9 mvcc/kvstore.go (HashByRev), mvcc/hash.go.
"""

from dataclasses import dataclass

from crc32c import crc32c

from miniet.mvcc.ports import KEY_BUCKET, ReadTx
from miniet.mvcc.revision import revision_key


@dataclass(frozen=True, slots=True)
class KvHash:
    """A hash and what it is comparable with.

    hash: CRC-32C.
    revision: main revision up to which it was taken; never 0.
    compact_revision: of the store when it was asked for, -1 for none; hashes with
        different ones do not compare.
    current_revision: of the store when it was asked for.
    """

    hash: int
    revision: int
    compact_revision: int
    current_revision: int


class HashJob:
    """A hash to be taken: what the index knows is in hand, the records are not read.

    Kept: `keep`, about 100 bytes per key alive at the revision.
    """

    __slots__ = ("_keep", "compact_revision", "current_revision", "revision")

    def __init__(
        self,
        keep: set[bytes],
        *,
        revision: int,
        compact_revision: int,
        current_revision: int,
    ) -> None:
        self._keep = keep
        self.revision = revision
        self.compact_revision = compact_revision
        self.current_revision = current_revision

    def __repr__(self) -> str:
        return f"<HashJob revision={self.revision} keep={len(self._keep)}>"

    def run(self, tx: ReadTx) -> int:
        """Walk the records and return the hash; may run in another thread.

        Args:
            tx: a read of the state from which the job was made, or of a later one
                with no compaction accepted in between.
        """
        crc = crc32c(KEY_BUCKET)
        start = revision_key(0, 0)
        end = revision_key(max(self.revision + 1, 0), 0)
        sieved_end = min(end, revision_key(self.compact_revision + 1, 0))
        keep = self._keep
        for key, value in tx.range(KEY_BUCKET, start, sieved_end):
            if not keep or key in keep:
                crc = crc32c(value, crc32c(key, crc))
        for key, value in tx.range(KEY_BUCKET, sieved_end, end):
            crc = crc32c(value, crc32c(key, crc))
        return crc

    def result(self, hash: int) -> KvHash:
        """Join a hash with what it belongs to."""
        return KvHash(hash, self.revision, self.compact_revision, self.current_revision)
