import pytest

from miniet.errors import InvariantError
from miniet.mvcc import KeyIndex
from miniet.mvcc.key_index import COPIED_BYTES_MAX
from miniet.mvcc.revision import parse_revision_key


def worked_example() -> KeyIndex:
    """Put 3.0, put 5.0, deleted 8.0, put 10.0, put 12.1, deleted 15.0."""
    entry = KeyIndex(b"k", 3, 0, created_main=3, version=1)
    entry.put(5, 0)
    entry.tombstone(8, 0)
    entry.put(10, 0)
    entry.put(12, 1)
    entry.tombstone(15, 0)
    entry._check()
    return entry


def live_example() -> KeyIndex:
    entry = KeyIndex(b"k", 4, 0, created_main=4, version=1)
    entry.put(7, 0)
    entry.put(9, 0)
    entry._check()
    return entry


def show(entry: KeyIndex) -> str:
    """Return the generations as in the tables: `5.0 8.0 | 10.0 12.1 15.0 |`."""
    return " | ".join(
        " ".join(f"{main}.{sub}" for main, sub in generation.pairs())
        for generation in entry.generations()
    ).strip()


def kept(keep: set[bytes]) -> str:
    revisions = sorted(parse_revision_key(key) for key in keep)
    assert not any(is_tombstone for _, _, is_tombstone in revisions)
    return " ".join(f"{main}.{sub}" for main, sub, _ in revisions)


WHOLE = "3.0 5.0 8.0 | 10.0 12.1 15.0 |"


@pytest.mark.parametrize(
    ("at", "found"),
    [
        (1, None),
        (2, None),
        (3, (3, 0, 3, 1)),
        (4, (3, 0, 3, 1)),
        (5, (5, 0, 3, 2)),
        (7, (5, 0, 3, 2)),
        (8, None),
        (9, None),
        (10, (10, 0, 10, 1)),
        (11, (10, 0, 10, 1)),
        (12, (12, 1, 10, 2)),
        (14, (12, 1, 10, 2)),
        (15, None),
        (99, None),
    ],
)
def test_get_answers_the_newest_put_of_that_life(
    at: int, found: tuple[int, int, int, int] | None
) -> None:
    assert worked_example().get(at) == found


COMPACTIONS = [
    # at, kept, index afterwards
    (2, "", WHOLE),
    (3, "3.0", WHOLE),
    (4, "3.0", WHOLE),
    (5, "5.0", "5.0 8.0 | 10.0 12.1 15.0 |"),
    (7, "5.0", "5.0 8.0 | 10.0 12.1 15.0 |"),
    (8, "", "10.0 12.1 15.0 |"),
    (9, "", "10.0 12.1 15.0 |"),
    (10, "10.0", "10.0 12.1 15.0 |"),
    (11, "10.0", "10.0 12.1 15.0 |"),
    (12, "12.1", "12.1 15.0 |"),
    (14, "12.1", "12.1 15.0 |"),
    (15, "", ""),
    (16, "", ""),
]


@pytest.mark.parametrize(("at", "keeps", "left"), COMPACTIONS)
def test_compact_leaves(at: int, keeps: str, left: str) -> None:
    entry, keep = worked_example(), set[bytes]()
    generations, revisions = entry.generation_count, entry.revision_count
    dropped = entry.compact(at, keep)
    assert (show(entry), kept(keep)) == (left, keeps)
    assert entry.is_empty == (at >= 15)
    assert dropped == (
        generations - entry.generation_count,
        revisions - entry.revision_count,
    )
    if not entry.is_empty:
        entry._check()


@pytest.mark.parametrize(("at", "keeps", "left"), COMPACTIONS)
def test_keep_foretells_compact_and_changes_nothing(
    at: int, keeps: str, left: str
) -> None:
    entry, keep = worked_example(), set[bytes]()
    entry.keep(at, keep)
    assert (kept(keep), show(entry)) == (keeps, WHOLE)


@pytest.mark.parametrize(
    ("at", "keeps", "left"),
    [
        (3, "", "4.0 7.0 9.0"),
        (4, "4.0", "4.0 7.0 9.0"),
        (6, "4.0", "4.0 7.0 9.0"),
        (7, "7.0", "7.0 9.0"),
        (8, "7.0", "7.0 9.0"),
        (9, "9.0", "9.0"),
        (12, "9.0", "9.0"),
    ],
)
def test_compacted_live_key_keeps_its_version_and_creation(
    at: int, keeps: str, left: str
) -> None:
    entry, keep = live_example(), set[bytes]()
    entry.compact(at, keep)
    entry._check()
    assert (show(entry), kept(keep)) == (left, keeps)
    assert entry.get(99) == (9, 0, 4, 3)


def test_compaction_one_point_after_another_reads_the_same() -> None:
    entry, untouched = worked_example(), worked_example()
    for compacted in range(2, 15):
        entry.compact(compacted, set())
        entry._check()
        for at in range(compacted, 20):
            assert entry.get(at) == untouched.get(at)


def test_version_restarts_with_each_generation() -> None:
    entry = worked_example()
    entry.put(20, 0)
    assert (entry.created_main, entry.version) == (20, 1)
    assert entry.get(20) == (20, 0, 20, 1)


def test_restored_key_brings_its_creation_and_version() -> None:
    entry = KeyIndex(b"k", 9, 2, created_main=4, version=3)
    entry._check()
    assert entry.get(9) == (9, 2, 4, 3)
    entry.put(11, 0)
    entry._check()
    assert entry.get(11) == (11, 0, 4, 4)
    assert entry.get(10) == (9, 2, 4, 3)


def test_put_and_delete_in_one_transaction_leave_no_key_at_that_revision() -> None:
    entry = KeyIndex(b"k", 5, 0, created_main=5, version=1)
    entry.tombstone(5, 1)
    assert entry.get(5) is None
    entry.compact(5, set())
    assert entry.is_empty


def test_delete_and_put_in_one_transaction_leave_the_new_life() -> None:
    entry, keep = live_example(), set[bytes]()
    entry.tombstone(12, 0)
    entry.put(12, 1)
    entry._check()
    assert entry.get(12) == (12, 1, 12, 1)
    entry.compact(12, keep)
    assert (show(entry), kept(keep)) == ("12.1", "12.1")


@pytest.mark.parametrize(("main", "sub"), [(9, 0), (8, 5), (1, 0)])
def test_put_below_the_newest_revision_is_a_bug(main: int, sub: int) -> None:
    with pytest.raises(InvariantError):
        live_example().put(main, sub)


@pytest.mark.parametrize(("main", "sub"), [(15, 0), (14, 9)])
def test_rebirth_below_the_deletion_is_a_bug(main: int, sub: int) -> None:
    with pytest.raises(InvariantError):
        worked_example().put(main, sub)


def test_deleting_a_deleted_key_is_a_bug() -> None:
    entry = worked_example()
    with pytest.raises(InvariantError):
        entry.tombstone(16, 0)
    assert show(entry) == WHOLE


def long_example(last_main: int) -> KeyIndex:
    """Put 2.0, 3.0, ..."""
    entry = KeyIndex(b"k", 2, 0, created_main=2, version=1)
    for main in range(3, last_main + 1):
        entry.put(main, 0)
        entry._check()
    return entry


COPIED_MAX = COPIED_BYTES_MAX // 16


@pytest.mark.parametrize("count", [COPIED_MAX - 1, COPIED_MAX, COPIED_MAX + 1, 100])
def test_history_reads_the_same_copied_and_grown_in_place(count: int) -> None:
    entry = long_example(count + 1)
    assert entry.revision_count == count
    assert [entry.get(at) for at in range(1, count + 2)] == [
        None,
        *((at, 0, 2, at - 1) for at in range(2, count + 2)),
    ]
    entry.tombstone(count + 2, 0)
    entry._check()
    assert (entry.get(count + 1), entry.get(count + 2)) == (
        (count + 1, 0, 2, count),
        None,
    )


def test_long_history_is_not_copied_by_a_put() -> None:
    entry = long_example(100)
    revisions = entry.revisions
    entry.put(101, 0)
    assert entry.revisions is revisions


def test_compaction_frees_the_numbers_it_drops() -> None:
    entry = long_example(1002)
    before = entry.revisions.__sizeof__()
    entry.compact(1002, set())
    assert entry.revisions.__sizeof__() < before // 10
    assert entry.get(1002) == (1002, 0, 2, 1001)
    entry._check()


def test_repr_shows_sizes_not_contents() -> None:
    assert repr(worked_example()) == "<KeyIndex key_bytes=1 generations=3 revisions=6>"
