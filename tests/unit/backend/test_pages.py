"""Damage found by hand before LMDB sees the file."""

import mmap
import os
import random
import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import lmdb
import pytest

from miniet.backend import Backend, BackendDamagedError
from miniet.backend.pages import check_pages, read_meta
from miniet.backend.schema import KEY, META
from tests.unit.backend.conftest import Opener

PAGE = 4096


@pytest.fixture
def file(open_backend: Opener, path: Path) -> Path:
    """A closed file with free pages, several tree levels and large values."""
    backend = open_backend()
    for i in range(3000):
        backend.batch_tx.append(KEY, b"%06d" % i, bytes(100))
    for i in range(20):
        backend.batch_tx.put(META, b"%d" % i, b"large" * 2000)
    backend.commit()
    for i in range(0, 3000, 2):
        backend.batch_tx.delete(KEY, b"%06d" % i)
    backend.close()
    return path


def damage_of(path: Path) -> BackendDamagedError | None:
    fd = os.open(path, os.O_RDONLY)
    try:
        check_pages(fd, str(path))
    except BackendDamagedError as error:
        return error
    finally:
        os.close(fd)
    return None


def reachable_pages(path: Path) -> set[int]:
    """Find the pages that a walk needs, by taking away one at a time."""
    good = path.read_bytes()
    needed = set()
    for page in range(2, len(good) // PAGE):
        changed = bytearray(good)
        changed[page * PAGE : page * PAGE + 16] = bytes(16)
        path.write_bytes(changed)
        if damage_of(path) is not None:
            needed.add(page)
    path.write_bytes(good)
    return needed


def test_healthy_file_passes(file: Path) -> None:
    assert damage_of(file) is None


def test_truncation_at_any_page_is_refused_or_harmless(file: Path) -> None:
    good = file.read_bytes()
    refused = 0
    for page in range(1, len(good) // PAGE):
        file.write_bytes(good[: page * PAGE + 100])
        refused += damage_of(file) is not None
    assert refused > len(good) // PAGE // 2


def test_file_shorter_than_its_meta_page_says_can_be_whole(path: Path) -> None:
    # Found by trying: a large value written and deleted in one transaction leaves
    # pages at the end that were allocated, freed and never written.
    for seed in range(50):
        path.unlink(missing_ok=True)
        backend = Backend(path, quota_bytes=0, durable=False)
        backend.open()
        source = random.Random(seed)
        for _ in range(20):
            for _ in range(source.randint(1, 30)):
                key = b"%d" % source.randint(0, 50)
                if source.random() < 0.5:
                    size = source.choice([10, 9000, 200_000])
                    backend.batch_tx.put(KEY, key, bytes(size))
                else:
                    backend.batch_tx.delete(KEY, key)
            backend.commit()
            backend._check()
            if path.stat().st_size < backend.statistics().size_bytes:
                backend.close()
                backend.open()
                backend.close()
                return
        backend.close()
    pytest.fail("no such file came about")


def zeros(page: bytes) -> bytes:
    return bytes(PAGE)


def noise(page: bytes) -> bytes:
    return random.Random(page).randbytes(PAGE)


def other_kind(page: bytes) -> bytes:
    return page[:10] + b"\x03" + page[11:]


def other_number(page: bytes) -> bytes:
    return b"\xff" + page[1:]


def no_nodes(page: bytes) -> bytes:
    return page[:12] + b"\xff\xff" + page[14:]


@pytest.mark.parametrize("spoil", [zeros, noise, other_kind, other_number, no_nodes])
def test_spoilt_page_in_use_is_refused(
    file: Path, spoil: Callable[[bytes], bytes]
) -> None:
    good = file.read_bytes()
    needed = reachable_pages(file)
    assert len(needed) > 50
    for page in needed:
        changed = bytearray(good)
        at = page * PAGE
        changed[at : at + PAGE] = spoil(good[at : at + PAGE])
        file.write_bytes(changed)
        error = damage_of(file)
        assert error is not None, page
        assert error.path == str(file)


def test_random_damage_never_ends_in_anything_but_a_refusal(file: Path) -> None:
    good = file.read_bytes()
    source = random.Random(1)
    for _ in range(300):
        changed = bytearray(good)
        for _ in range(source.randint(1, 20)):
            changed[source.randrange(len(changed))] = source.randrange(256)
        # Headers are rare among all bytes, so hit them on purpose too.
        page = source.randrange(len(good) // PAGE)
        changed[page * PAGE + source.randrange(200)] = source.randrange(256)
        file.write_bytes(changed)
        damage_of(file)


def leaf_nodes(content: bytes, wanted_flags: int) -> list[int]:
    """Find the offsets of leaf nodes with these flags, in pages used or not."""
    found = []
    for base in range(2 * PAGE, len(content), PAGE):
        _, _, flags, lower, _ = struct.unpack_from("<QHHHH", content, base)
        if flags == 2 and lower <= PAGE:
            for i in range((lower - 16) // 2):
                (place,) = struct.unpack_from("<H", content, base + 16 + 2 * i)
                if (
                    struct.unpack_from("<H", content, base + place + 4)[0]
                    == wanted_flags
                ):
                    found.append(base + place)
    return found


def free_list(path: Path) -> tuple[bytearray, int]:
    """Return the content, and where in it a list of two or more free pages lies."""
    with open(path, "rb") as file:
        root = read_meta(file.fileno(), str(path)).free_list.root
    content = bytearray(path.read_bytes())
    _, _, _, lower, _ = struct.unpack_from("<QHHHH", content, root * PAGE)
    for position in range((lower - 16) // 2):
        place = struct.unpack_from("<H", content, root * PAGE + 16 + 2 * position)[0]
        at = root * PAGE + place + 8 + 8  # its key is a transaction id
        if struct.unpack_from("<Q", content, at)[0] > 1:
            return content, at
    raise AssertionError("no such list")


@pytest.mark.parametrize(
    ("position", "value", "text"),
    [
        (0, 1000, "a list of free pages of another length"),
        (1, 1, "free page 1 does not exist"),
        (1, 1 << 40, "does not exist"),
        (1, None, "is in use, or free twice"),
        (2, "first", "is in use, or free twice"),
    ],
    ids=["count", "meta page", "beyond the end", "page in use", "twice"],
)
def test_spoilt_free_list_is_refused(
    file: Path, position: int, value: int | str | None, text: str
) -> None:
    content, at = free_list(file)
    with open(file, "rb") as opened:
        in_use = read_meta(opened.fileno(), str(file)).main.root
    if value == "first":
        content[at + 16 : at + 24] = content[at + 8 : at + 16]
    else:
        number = in_use if value is None else value
        struct.pack_into("<Q", content, at + 8 * position, number)
    file.write_bytes(content)
    error = damage_of(file)
    assert error is not None
    assert text in str(error)


def test_large_value_longer_than_its_pages_is_refused(file: Path) -> None:
    content = bytearray(file.read_bytes())
    for node in leaf_nodes(content, 1):
        struct.pack_into("<H", content, node + 2, 9)  # high half of the value's length
    file.write_bytes(content)
    error = damage_of(file)
    assert error is not None
    assert "too small for its value" in str(error)


def test_large_values_sharing_pages_are_refused(file: Path) -> None:
    content = bytearray(file.read_bytes())
    nodes = leaf_nodes(content, 1)
    (key_bytes,) = struct.unpack_from("<H", content, nodes[0] + 6)
    at = nodes[0] + 8 + key_bytes
    for node in nodes[1:]:
        if struct.unpack_from("<H", content, node + 6) == (key_bytes,):
            content[node + 8 + key_bytes : node + 16 + key_bytes] = content[at : at + 8]
    file.write_bytes(content)
    error = damage_of(file)
    assert error is not None
    assert "used twice" in str(error)


def test_tree_with_another_number_of_pages_than_recorded_is_refused(
    file: Path,
) -> None:
    good = file.read_bytes()
    for node in leaf_nodes(good, 2):
        (key_bytes,) = struct.unpack_from("<H", good, node + 6)
        # Behind pad, flags and depth: branch, leaf and overflow pages.
        for field in range(3):
            content = bytearray(good)
            content[node + 8 + key_bytes + 8 + 8 * field] ^= 1
            file.write_bytes(content)
            error = damage_of(file)
            if error is not None and "missing or too many" in str(error):
                return
    pytest.fail("no record was held against its tree")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("short", b"x" * 100, "ends inside its meta pages"),
        ("text", b"no database " * 1000, "not an LMDB file"),
        ("zeros", bytes(20_000), "not an LMDB file"),
        (
            "bolt",
            bytes(8) + b"\x04" + bytes(7) + b"\xed\xda\x0c\xed" + bytes(9000),
            "not an LMDB file",
        ),
    ],
)
def test_foreign_file_is_refused(
    path: Path, name: str, content: bytes, message: str
) -> None:
    path.write_bytes(content)
    with pytest.raises(BackendDamagedError, match=message):
        Backend(path, quota_bytes=0).open()


def test_other_file_format_is_refused_by_its_number(path: Path) -> None:
    lmdb.open(str(path), subdir=False, lib_version=0).close()
    content = bytearray(path.read_bytes())
    struct.pack_into("<I", content, 20, 3)
    path.write_bytes(content)
    with pytest.raises(BackendDamagedError, match="format 3, only 1"):
        Backend(path, quota_bytes=0).open()


@pytest.mark.parametrize("page_size_bytes", [0, 3, 128, 5000])
def test_impossible_page_size_is_refused(file: Path, page_size_bytes: int) -> None:
    content = bytearray(file.read_bytes())
    struct.pack_into("<I", content, 40, page_size_bytes)
    file.write_bytes(content)
    error = damage_of(file)
    assert error is not None
    assert "impossible page size" in str(error)


@pytest.mark.parametrize("depth", [0, 1, 3, 60_000])
def test_wrong_depth_is_refused(file: Path, depth: int) -> None:
    content = bytearray(file.read_bytes())
    for node in leaf_nodes(content, 2):
        (key_bytes,) = struct.unpack_from("<H", content, node + 6)
        tree = node + 8 + key_bytes
        if struct.unpack_from("<H", content, tree + 6) == (2,):
            struct.pack_into("<H", content, tree + 6, depth)
    file.write_bytes(content)
    assert damage_of(file) is not None


def test_one_spoilt_meta_page_is_refused(file: Path) -> None:
    good = file.read_bytes()
    for page in (0, 1):
        file.write_bytes(good[: page * PAGE] + bytes(PAGE) + good[page * PAGE + PAGE :])
        assert damage_of(file) is not None


def test_truncated_file_is_refused_and_the_process_lives(file: Path) -> None:
    os.truncate(file, file.stat().st_size // 2)
    program = (
        "import sys\n"
        "from miniet.backend import Backend, BackendDamagedError\n"
        "try:\n"
        "    Backend(sys.argv[1], quota_bytes=0).open()\n"
        "except BackendDamagedError as error:\n"
        "    print(error)\n"
    )
    command = [sys.executable, "-c", program, str(file)]
    run = subprocess.run(command, check=True, capture_output=True, text=True)
    assert "lies beyond the end" in run.stdout
    assert "restore the data directory from a snapshot" in run.stdout


def test_page_count_is_what_lmdb_counts(file: Path) -> None:
    env = lmdb.open(str(file), subdir=False, max_dbs=10, lib_version=0)
    with env.begin() as txn:
        used = 2
        names = list(txn.cursor().iternext(values=False))
        for stat in [txn.stat()] + [
            txn.stat(env.open_db(name, txn=txn)) for name in names
        ]:
            used += stat["branch_pages"] + stat["leaf_pages"] + stat["overflow_pages"]
        last_page = env.info()["last_pgno"]
    env.close()
    fd = os.open(file, os.O_RDONLY)
    meta = read_meta(fd, str(file))
    assert meta.last_page == last_page
    assert check_pages(fd, str(file)) == used + meta.free_list.page_count
    assert meta.page_size_bytes == mmap.PAGESIZE
    os.close(fd)
