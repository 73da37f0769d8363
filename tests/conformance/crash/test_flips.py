"""A flipped bit at every class of positions of log, raft snapshot and backend.

| file | positions | what a start does |
|---|---|---|
| .wal, any segment | every field of every type of record, padding | refuses |
| .wal, last segment | blank tail, rest of the sector where it begins | refuses |
| .wal, last segment | blank tail, where the next length will be | refuses, or repairs |
| .wal, last segment | blank tail, further on | repairs, loses nothing |
| .snap | every bit | puts the file aside, takes the one before |
| db | see `EXPECTED` | |

Refuses: with file and offset. LMDB has no checksums, nor has bbolt for its data: what
holds a file together is checked, and what a record must look like, but not the bytes
of a value.
"""

import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from miniet.backend import BackendDamagedError
from miniet.backend.pages import check_pages
from miniet.engine.requests import RequestKind
from miniet.errors import DataError
from miniet.pb import rpc_pb2
from miniet.raft.messages import ConfState, Entry, EntryType, Snapshot
from miniet.wal import SnapshotFiles, Wal, WalContents, WalSnapshot
from tests.conformance.crash.member import Files, Member
from tests.conformance.crash.opening import Opener, Outcome
from tests.conformance.crash.positions import of_backend, of_segment
from tests.conformance.crash.test_torn_log import MEMORY, SEGMENT_BYTES, start
from tests.unit.wal.logs import METADATA, filler, state


@pytest.fixture(scope="module")
def directory() -> Iterator[Path]:
    with TemporaryDirectory(dir=MEMORY) as path:
        yield Path(path)


def flipped(content: bytes, offset: int, bit: int) -> bytes:
    return b"".join(
        (content[:offset], bytes((content[offset] ^ 1 << bit,)), content[offset + 1 :])
    )


# ---- the log


def write_three_segments(directory: Path) -> list[Path]:
    """Write a log of three segments, with a record of every type in each."""
    wal = Wal.create(directory, METADATA, sync=False, segment_bytes=SEGMENT_BYTES)
    for index in range(1, 10, 4):
        batch = [
            Entry(2, index, data=filler(index, 30)),
            Entry(2, index + 1),
            Entry(2, index + 2, EntryType.CONF_CHANGE, filler(index, 21)),
            Entry(2, index + 3, data=filler(index, 1500)),
        ]
        wal.append(state(index - 1), batch)
        wal.flush(sync=False)
        wal.save_snapshot(index + 2, 2, ConfState((1,)))
        wal.append(state(index + 3), [])
        wal.flush(sync=False)
        if index < 9:
            wal.append(None, [Entry(2, index + 4, data=filler(9, SEGMENT_BYTES))])
            wal.flush(sync=False)
    wal.close()
    return sorted(directory.glob("*.wal"))


def test_bit_flipped_anywhere_in_a_log_is_refused_or_harmless(directory: Path) -> None:
    segments = write_three_segments(directory / "wal")
    assert len(segments) == 3
    wal, written = start(directory / "wal")
    wal.close()
    seen = set()
    for segment in segments:
        content = segment.read_bytes()
        # One position of each class, the last of it.
        for words, offset in dict(of_segment(content)).items():
            seen.add(words)
            for bit in range(8):
                segment.write_bytes(flipped(content, offset, bit))
                found = found_in(directory / "wal")
                where = (words, offset, bit)
                assert found in (None, written), where
                if words != "blank tail: next length":
                    assert (found is not None) == (words in HARMLESS), where
                for broken in segment.parent.glob("*.broken"):
                    broken.unlink()
        segment.write_bytes(content)
    kinds = {words.partition(":")[0] for words in seen}
    assert kinds == {"crc", "metadata", "entry", "state", "snapshot", "blank tail"}
    assert len(seen) > 50


HARMLESS = ("blank tail: next sector", "blank tail: last byte")


def found_in(directory: Path) -> WalContents | None:
    """Start on a log; None if it was refused with file, offset and remedy."""
    refusal: DataError | None = None
    try:
        wal, contents = start(directory)
    except DataError as error:
        refusal = error
    if refusal is None:
        wal.close()
        return contents
    # A segment may be as written and not continue the one before.
    assert refusal.path in map(str, directory.glob("*.wal"))
    assert refusal.offset is not None
    assert refusal.remedy
    return None


# ---- raft snapshots


def test_bit_flipped_anywhere_in_a_raft_snapshot_puts_it_aside(directory: Path) -> None:
    files = SnapshotFiles(directory / "snap", sync=False)
    older = Snapshot(10, 2, ConfState((1,)), filler(1, 90))
    newer = Snapshot(20, 2, ConfState((1,)), filler(2, 90))
    valid = [WalSnapshot(10, 2), WalSnapshot(20, 2)]
    files.save(older)
    path = files.save(newer)
    assert files.load_newest(valid) == newer
    content = path.read_bytes()
    for offset in range(len(content)):
        for bit in range(8):
            path.write_bytes(flipped(content, offset, bit))
            assert files.load_newest(valid) == older, (offset, bit)
            assert path.with_name(path.name + ".broken").exists()


# ---- the backend

# OFFSET: refused with file and offset. RECORD: refused with the file, and the record if
# one is to blame. SAME: nothing is missing. UNSEEN: a value is another one now; no key
# and no revision is missing.
OFFSET, RECORD, SAME, UNSEEN = "offset", "record", "same", "unseen"

EXPECTED: tuple[tuple[str, set[str]], ...] = (
    # Nothing reads it, or not while the newer meta page is good.
    ("unused page|free space|: rest|map address|map size", {SAME}),
    ("meta page: page number", {SAME}),
    ("older meta page: (page flags|magic|format|free list pad)", {OFFSET}),
    ("older meta page: transaction id", {SAME, OFFSET, RECORD}),
    ("older meta page", {SAME}),
    # The commit before is as good, as long as the log goes back to it.
    ("newer meta page: transaction id", {SAME, OFFSET, RECORD}),
    # As long as all pages in use come before it.
    ("newer meta page: last page", {SAME, OFFSET}),
    ("page: pad", {SAME}),
    # When the pages in it were freed; nobody reads a state so old.
    ("free list, .*: key$", {SAME}),
    ("main tree, .*: key$", {RECORD}),
    # As long as it still parts the keys below it.
    ("branch page: key$", {SAME, OFFSET}),
    # A key that ends one byte later may fill the page just so.
    ("leaf page: node (key|value) size$", {OFFSET, RECORD, SAME, UNSEEN}),
    ("bucket key, leaf page: key$", {RECORD, OFFSET}),
    ("bucket key, .*: value, first byte", {RECORD}),
    ("bucket key, .*: value", {UNSEEN}),
    ("bucket lease, leaf page: (key$|value, first)", {RECORD}),
    # The members are told by their records, not by the keys of these.
    ("bucket members, leaf page: key$", {SAME}),
    ("bucket members, .*: value", {RECORD}),
    ("bucket meta, leaf page: (key$|value, first)", {RECORD}),
    # Cluster version, TTL of a lease, consistent index: numbers like others.
    ("bucket (cluster|lease|meta), .*: value", {SAME, UNSEEN, RECORD}),
    ("bucket cluster, leaf page: key$", {SAME}),
    ("", {OFFSET}),
)


@pytest.fixture(scope="module")
def good(directory: Path) -> Files:
    """A member whose backend has pages of every kind; the log has no more than it."""
    files = Files(directory / "good")
    grant = rpc_pb2.LeaseGrantRequest(ID=7, TTL=60)
    with Member(files.data_dir, snapshot_count=150) as member:
        member.propose(RequestKind.LEASE_GRANT, grant.SerializeToString())
        for number in range(200):
            put = rpc_pb2.PutRequest(
                key=b"%d" % number,
                value=bytes([number + 1]) * (5000 if number % 80 == 0 else 50),
                lease=7 if number % 10 == 0 else 0,
            )
            member.propose(RequestKind.PUT, put.SerializeToString())
            if number % 40 == 0:
                member.backend.commit()
        member.stop()
    os.truncate(files.last_segment, 1 << 17)  # or every copy is of 64 MB
    return files


@pytest.mark.parametrize(
    "bits_opened",
    [1, pytest.param(8, marks=[pytest.mark.slow, pytest.mark.timeout(900)])],
)
def test_bit_flipped_in_a_backend_is_refused_or_loses_no_key(
    good: Files, opener: Opener, bits_opened: int
) -> None:
    content = good.db.read_bytes()
    state = opened(good, opener, content)["state"]
    found = dict(of_backend(content))
    assert len(found) > 200
    wrong = []
    for number, (words, offset) in enumerate(found.items()):
        expected = next(
            outcomes for pattern, outcomes in EXPECTED if re.search(pattern, words)
        )
        bits_left = bits_opened
        # Each bit comes first for an eighth of the classes.
        for bit in sorted(range(8), key=lambda bit: (bit + number) % 8):
            damaged = flipped(content, offset, bit)
            outcome = OFFSET if is_refused_by_its_pages(good, damaged) else None
            # What passes goes on to LMDB, in a process that may die of it.
            if outcome is None and bits_left:
                bits_left -= 1
                outcome = kind_of(opened(good, opener, damaged), state)
            if outcome is not None and outcome not in expected:
                wrong.append((words, offset, bit, outcome))
    assert not wrong, "\n".join(map(str, wrong))


def is_refused_by_its_pages(good: Files, content: bytes) -> bool:
    """Look through a file as `Backend.open` does before LMDB sees it."""
    path = good.data_dir.with_name("db")
    path.write_bytes(content)
    refusal: BackendDamagedError | None = None
    with open(path, "rb") as file:
        try:
            check_pages(file.fileno(), str(path))
        except BackendDamagedError as error:
            refusal = error
    if refusal is None:
        return False
    assert refusal.path == str(path)
    assert refusal.offset is not None
    assert refusal.remedy
    return True


def opened(good: Files, opener: Opener, content: bytes) -> Outcome:
    """Open a copy of the member with another backend."""
    files = Files(good.data_dir.with_name("copy"))
    shutil.rmtree(files.data_dir, ignore_errors=True)
    shutil.copytree(good.data_dir, files.data_dir)
    files.db.write_bytes(content)
    outcome = opener.open(files.data_dir)
    if "refused" in outcome:
        assert str(files.data_dir) in outcome["path"], outcome
        assert outcome["remedy"], outcome
    return outcome


def kind_of(outcome: Outcome, state: Outcome) -> str:
    """Say what became of a damaged backend, in the words of `EXPECTED`."""
    if "refused" in outcome:
        return RECORD if outcome["offset"] is None else OFFSET
    if "state" not in outcome:
        return f"crashed: {outcome}"
    found = outcome["state"]
    if found == state:
        return SAME
    missing = state["pairs"].keys() - found["pairs"].keys()
    if missing or found["revision"] < state["revision"]:
        return "less"
    return UNSEEN
