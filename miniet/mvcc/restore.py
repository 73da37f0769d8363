"""Boot: the index and the leases of keys, read back from the backend's records.

One walk over bucket `key` in revision order. (etcd reads it in chunks of 10,000
into a second worker; a walk by cursor holds one record at a time.)

Source: etcd v3.4.9 mvcc/kvstore.go (restore, restoreIntoIndex).
"""

from dataclasses import dataclass, field

from miniet.errors import InvariantError
from miniet.mvcc.compaction import FINISHED_KEY, SCHEDULED_KEY
from miniet.mvcc.errors import StoreDamagedError
from miniet.mvcc.kv import KeyValue
from miniet.mvcc.ports import KEY_BUCKET, META_BUCKET, ReadTx
from miniet.mvcc.revision import parse_revision_key
from miniet.mvcc.tree_index import TreeIndex


@dataclass(slots=True)
class Restored:
    """What the records say besides the index.

    last_revision: main revision of the last record, 1 for none.
    lease_of_key: the lease that each leased live key was put with.
    """

    last_revision: int = 1
    lease_of_key: dict[bytes, int] = field(default_factory=dict)


def read_marks(tx: ReadTx) -> tuple[int, int]:
    """Return the revisions (finished, scheduled) of compaction, -1 for none.

    Raises:
        StoreDamagedError: a mark is not a revision.
    """
    return _read_mark(tx, FINISHED_KEY), _read_mark(tx, SCHEDULED_KEY)


def _read_mark(tx: ReadTx, mark: bytes) -> int:
    stored = tx.get(META_BUCKET, mark)
    if stored is None:
        return -1
    try:
        return parse_revision_key(stored)[0]
    except ValueError as error:
        raise StoreDamagedError(f"mark {mark.decode()}: {error}", mark) from error


def restore_index(tx: ReadTx, index: TreeIndex, compact_revision: int) -> Restored:
    """Fill an empty `index` from the records.

    Args:
        compact_revision: newest compaction accepted. Up to it, a deletion of a key that
            is not known is what an interrupted compaction, or one of etcd 3.6, left;
            it is passed over.
    Raises:
        StoreDamagedError: a record cannot be decoded or does not fit those before it.
    """
    restored = Restored()
    last = b""
    for view, value in tx.range(KEY_BUCKET, b""):
        key = bytes(view)
        try:
            if key <= last:
                # A walk meets such a record, but nobody would find it by its key.
                raise ValueError("the record is out of order")
            last = key
            main, sub, is_tombstone = parse_revision_key(key)
            pair = KeyValue.decode(value)
            if (
                is_tombstone
                and main > compact_revision
                and index.entry(pair.key) is None
            ):
                raise ValueError("a key is deleted that was never put")
            _restore_record(index, restored, pair, main, sub, is_tombstone)
        except (ValueError, InvariantError) as error:
            raise StoreDamagedError(str(error), key) from error
        restored.last_revision = main
    return restored


def _restore_record(
    index: TreeIndex,
    restored: Restored,
    pair: KeyValue,
    main: int,
    sub: int,
    is_tombstone: bool,
) -> None:
    key, leases = pair.key, restored.lease_of_key
    if not key:
        raise ValueError("the pair has no key")
    if is_tombstone:
        if index.entry(key) is not None:
            index.tombstone(key, main, sub)
            leases.pop(key, None)
        return
    if pair.mod_revision != main or pair.version < 1 or pair.create_revision > main:
        raise ValueError("the pair is not of this revision")
    index.restore(
        key, main, sub, created_main=pair.create_revision, version=pair.version
    )
    if pair.lease:
        leases[key] = pair.lease
    else:
        leases.pop(key, None)
