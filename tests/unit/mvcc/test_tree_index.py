import pytest

from miniet.errors import InvariantError
from miniet.mvcc import TreeIndex
from miniet.mvcc.revision import revision_key

KEYS = [b"a", b"b", b"b\x00", b"c", b"\xff\xff"]


@pytest.fixture
def index() -> TreeIndex:
    """Hold KEYS, put at 2.0, 3.0, ..., and `c` deleted at 7.0."""
    index = TreeIndex()
    for position, key in enumerate(KEYS):
        index.put(key, position + 2, 0)
    index.tombstone(b"c", 7, 0)
    index._check()
    return index


def alive(index: TreeIndex, key: bytes, range_end: bytes, at: int) -> list[bytes]:
    entries = [entry for entry in index.walk(key, range_end) if entry.get(at)]
    assert list(index.alive(key, range_end, at)) == [entry.get(at) for entry in entries]
    return [entry.key for entry in entries]


@pytest.mark.parametrize(
    ("name", "key", "range_end", "at", "found"),
    [
        ("one key", b"b", b"", 9, [b"b"]),
        ("one key before it was put", b"b", b"", 2, []),
        ("one key deleted", b"c", b"", 9, []),
        ("one key before its deletion", b"c", b"", 6, [b"c"]),
        ("no such key", b"aa", b"", 9, []),
        ("half open", b"a", b"b\x00", 9, [b"a", b"b"]),
        ("bounds that are no keys", b"aa", b"bb", 9, [b"b", b"b\x00"]),
        ("from key", b"b", b"\x00", 9, [b"b", b"b\x00", b"\xff\xff"]),
        ("everything", b"\x00", b"\x00", 6, KEYS),
        ("everything, earlier", b"\x00", b"\x00", 3, [b"a", b"b"]),
        ("end is key", b"b", b"b", 9, []),
        ("end before key", b"b", b"a", 9, []),
    ],
)
def test_alive_walks(
    index: TreeIndex,
    name: str,
    key: bytes,
    range_end: bytes,
    at: int,
    found: list[bytes],
) -> None:
    assert alive(index, key, range_end, at) == found


def test_get_answers_none_for_unknown_and_deleted_keys(index: TreeIndex) -> None:
    assert index.get(b"nope", 9) is None
    assert index.get(b"c", 9) is None
    assert index.get(b"c", 6) == (5, 0, 5, 1)


def test_index_owns_its_keys() -> None:
    index, key = TreeIndex(), b"key"
    entry = index.put(key, 2, 0)
    assert entry.key == key
    assert entry.key is not key
    assert index.put(b"key", 3, 0) is entry


def test_restored_key_brings_its_creation_and_version_once() -> None:
    index = TreeIndex()
    index.restore(b"key", 5, 1, created_main=3, version=2)
    index.restore(b"key", 7, 0, created_main=3, version=3)
    index._check()
    assert index.get(b"key", 6) == (5, 1, 3, 2)
    assert index.get(b"key", 7) == (7, 0, 3, 3)


def test_put_answers_creation_and_version_of_this_put() -> None:
    index = TreeIndex()
    for main, created, version in [(2, 2, 1), (3, 2, 2)]:
        entry = index.put(b"k", main, 0)
        assert (entry.created_main, entry.version) == (created, version)
    index.tombstone(b"k", 4, 0)
    entry = index.put(b"k", 5, 0)
    assert (entry.created_main, entry.version) == (5, 1)
    index._check()


def test_deleting_an_unknown_key_is_a_bug(index: TreeIndex) -> None:
    with pytest.raises(InvariantError):
        index.tombstone(b"nope", 9, 0)
    index._check()


def test_counts_follow_each_change() -> None:
    index = TreeIndex()

    def counts() -> tuple[int, int, int, int, int]:
        index._check()
        return (
            len(index),
            index.live_count,
            index.generation_count,
            index.revision_count,
            index.key_bytes,
        )

    assert counts() == (0, 0, 0, 0, 0)
    index.put(b"key", 2, 0)
    assert counts() == (1, 1, 1, 1, 3)
    index.put(b"key", 3, 0)
    assert counts() == (1, 1, 1, 2, 3)
    index.tombstone(b"key", 4, 0)
    assert counts() == (1, 0, 2, 3, 3)
    index.put(b"key", 5, 0)
    assert counts() == (1, 1, 2, 4, 3)
    index.compact(4, set())
    assert counts() == (1, 1, 1, 1, 3)
    index.tombstone(b"key", 6, 0)
    index.compact(6, set())
    assert counts() == (0, 0, 0, 0, 0)


def cut(index: TreeIndex) -> tuple[int, int]:
    index._check()
    return index.cut_revision_count, index.compacted_revision_count


def test_compaction_counts_what_it_took_from_keys_that_live_on() -> None:
    index = TreeIndex()
    for main in range(2, 12):
        index.put(b"overwritten", main, 0)
    index.put(b"deleted", 12, 0)
    index.tombstone(b"deleted", 13, 0)
    index.put(b"reborn", 14, 0)
    index.tombstone(b"reborn", 15, 0)
    index.put(b"reborn", 16, 0)
    assert cut(index) == (0, 0)
    index.compact(16, set())
    # 9 overwritten puts, and the first life of the reborn key; not the deleted key.
    assert cut(index) == (9 + 2, 2)


def test_counts_of_a_compaction_appear_together_at_its_end(index: TreeIndex) -> None:
    for main in range(8, 11):
        index.put(b"a", main, 0)
        index.put(b"\xff\xff", main, 1)
    index.compact(8, set())
    before = cut(index)
    assert before == (2, len(KEYS) - 1 + 4)
    position = index.compact(10, set(), b"", 2)
    while position is not None:
        assert cut(index) == before
        position = index.compact(10, set(), position, 2)
    assert cut(index) == (4, len(KEYS) - 1)


def test_deleted_key_stays_until_compaction_passes_its_deletion(
    index: TreeIndex,
) -> None:
    index.compact(6, set())
    index._check()
    assert index.entry(b"c") is not None
    index.compact(7, set())
    index._check()
    assert index.entry(b"c") is None


@pytest.mark.parametrize("limit", [1, 2, 4, 5, 6, 0])
def test_compaction_in_steps_is_compaction_at_once(
    index: TreeIndex, limit: int
) -> None:
    keep: set[bytes] = set()
    position: bytes | None = b""
    steps = 0
    while position is not None:
        position = index.compact(7, keep, position, limit)
        steps += 1
        index._check()
    assert steps == (-(-len(KEYS) // limit) if limit else 1)
    assert keep == {revision_key(main, 0) for main in (2, 3, 4, 6)}
    assert alive(index, b"\x00", b"\x00", 7) == [key for key in KEYS if key != b"c"]
    assert len(index) == 4


def test_keep_is_what_compaction_keeps(index: TreeIndex) -> None:
    for at in range(1, 9):
        keep: set[bytes] = set()
        foretold = index.keep(at)
        index.compact(at, keep)
        assert foretold == keep


def test_writes_between_compaction_steps_are_not_touched(index: TreeIndex) -> None:
    keep: set[bytes] = set()
    position = index.compact(7, keep, b"", 2)
    index.put(b"a", 8, 0)
    index.put(b"aa", 8, 1)
    index.put(b"d", 8, 2)
    index.put(b"c", 8, 3)
    assert position is not None
    assert index.compact(7, keep, position, 99) is None
    index._check()
    assert index.get(b"a", 7) == (2, 0, 2, 1)
    assert index.get(b"a", 8) == (8, 0, 2, 2)
    assert index.get(b"c", 8) == (8, 3, 8, 1)
    assert alive(index, b"a", b"e", 8) == [b"a", b"aa", b"b", b"b\x00", b"c", b"d"]
