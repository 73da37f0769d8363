"""A snapshot of the store as a file of bbolt's, the page store of etcd.

What `etcdctl snapshot restore` opens: the way from here to a real etcd.

    page 0, 1   meta pages: page size, root page, page count, transaction id, checksum
    page 2 ...  per bucket its leaves, among them each branch page as soon as it is
                full; last the branch page on top of it all
    the rest    the root tree: bucket name -> root page of the bucket

    page:       id u64, flags u16, element count u16, overflow u32, elements, data
    leaf:       element flags u32, pos u32, key bytes u32, value bytes u32
    branch:     element pos u32, key bytes u32, child page u64
    (pos: from the start of the element to its key)

Written from left to right, with one unfinished page per level of the tree in memory.
Page numbers depend on sizes alone, so the same walk done before, with nothing
written, tells the root page and the size that the first bytes must name. Values
larger than a page run over into the pages behind it.
Differences to a file of etcd's: no bucket is stored inline, there is no free list, and
branch pages are filled to two thirds; bbolt evens that out where it writes.

Source: bbolt 1.3.3 page.go, node.go, bucket.go, db.go.
"""

import struct
from collections.abc import Iterator
from typing import Final

from miniet.backend.read_tx import ReadTx
from miniet.backend.schema import BUCKETS, KEY_BYTES_MAX

PAGE_SIZE_BYTES: Final = 4096
BLOB_SIZE_BYTES: Final = 32 * 1024

_BRANCH, _LEAF, _META = 0x01, 0x02, 0x04
_PLAIN_VALUE, _BUCKET_VALUE = 0, 1
_MAGIC: Final = 0xED0CDAED
_VERSION: Final = 2
_NO_FREE_LIST: Final = (1 << 64) - 1
_FIRST_TREE_PAGE: Final = 2

_PAGE: Final = struct.Struct("<QHHI")
_META_FIELDS: Final = struct.Struct("<IIIIQQQQQ")
_CHECKSUM: Final = struct.Struct("<Q")
_LEAF_ELEMENT: Final = struct.Struct("<IIII")
_BRANCH_ELEMENT: Final = struct.Struct("<IIQ")
_BUCKET: Final = struct.Struct("<QQ")

_LEAF_FILL_BYTES: Final = PAGE_SIZE_BYTES * 9 // 10
# Leaves room for three more of the longest elements: the one that crosses the mark,
# and two that a last page may get on top.
_BRANCH_FILL_BYTES: Final = (
    PAGE_SIZE_BYTES - _PAGE.size - 3 * (_BRANCH_ELEMENT.size + KEY_BYTES_MAX)
)


class BoltSnapshot:
    """The state of a read transaction, as the bytes of a bbolt file.

    Iterating yields blobs of 32 KiB, the last one shorter; it can be done again. The
    transaction stays the caller's, who closes it afterwards.

    Memory: one page per tree level, one blob and the largest value. Cost: making one
    walks all pairs, iterating walks them again.
    """

    def __init__(self, read_tx: ReadTx) -> None:
        self._read_tx = read_tx
        plan = _Pages(write=False)
        for _ in self._write_trees(plan):
            pass
        self._plan = plan

    @property
    def size_bytes(self) -> int:
        """Length of the file."""
        return self._plan.page_count * PAGE_SIZE_BYTES

    def __iter__(self) -> Iterator[bytes]:
        pages = _Pages(write=True)
        for page in (0, 1):
            pages.buffer += self._meta_page(page)
        yield from self._write_trees(pages)
        assert pages.page_count == self._plan.page_count
        while pages.buffer:
            yield pages.take_blob()

    def _write_trees(self, pages: "_Pages") -> Iterator[bytes]:
        roots = _Tree(pages, _BUCKET_VALUE)
        for bucket in BUCKETS:
            tree = _Tree(pages, _PLAIN_VALUE)
            for key, value in self._read_tx.range(bucket, b""):
                tree.add(key, value)
                while len(pages.buffer) >= BLOB_SIZE_BYTES:
                    yield pages.take_blob()
            roots.add(bucket, _BUCKET.pack(tree.finish(), 0))
        pages.root = roots.finish()

    def _meta_page(self, page: int) -> bytes:
        fields = _META_FIELDS.pack(
            _MAGIC,
            _VERSION,
            PAGE_SIZE_BYTES,
            0,
            self._plan.root,
            0,
            _NO_FREE_LIST,
            self._plan.page_count,
            # Transaction t writes meta page t mod 2; the higher one is valid.
            2 - page,
        )
        meta = _PAGE.pack(page, _META, 0, 0) + fields + _CHECKSUM.pack(_fnv1a(fields))
        return meta.ljust(PAGE_SIZE_BYTES, b"\x00")


class _Pages:
    """Hands out page numbers in file order, and collects what is on the pages."""

    def __init__(self, *, write: bool) -> None:
        self.write = write
        self.page_count = _FIRST_TREE_PAGE
        self.root = 0
        self.buffer = bytearray()

    def allocate(self, size_bytes: int) -> tuple[int, int]:
        """Return the first page for so many bytes, and how many pages follow it."""
        first = self.page_count
        count = -(-size_bytes // PAGE_SIZE_BYTES)
        self.page_count += count
        return first, count - 1

    def append(self, parts: list[bytes | memoryview]) -> None:
        """Add the bytes of the pages last allocated, filled up with zeros."""
        self.buffer += b"".join(parts)
        self.buffer += bytes(-len(self.buffer) % PAGE_SIZE_BYTES)

    def take_blob(self) -> bytes:
        blob = bytes(memoryview(self.buffer)[:BLOB_SIZE_BYTES])
        del self.buffer[:BLOB_SIZE_BYTES]
        return blob


class _Tree:
    """A B+tree made from pairs in key order, from the leaves up."""

    def __init__(self, pages: _Pages, flags: int) -> None:
        self._pages = pages
        self._flags = flags
        # The unfinished leaf, and its size with header and elements.
        self._pairs: list[tuple[bytes | memoryview, bytes | memoryview]] = []
        self._size = _PAGE.size
        # The unfinished branch page of each level, lowest first.
        self._branches: list[_Branch] = []

    def add(self, key: bytes | memoryview, value: bytes | memoryview) -> None:
        size = _LEAF_ELEMENT.size + len(key) + len(value)
        if self._pairs and self._size + size > _LEAF_FILL_BYTES:
            self._end_leaf()
        self._pairs.append((key, value))
        self._size += size

    def finish(self) -> int:
        """Write what is unfinished; return the root page."""
        # A tree without pairs is one empty leaf.
        if self._pairs or not self._branches:
            self._end_leaf()
        height = 0
        while len(children := self._branches[height].children) > 1:
            self._end_branch(height, children)
            height += 1
        return children[0][1]

    def _end_leaf(self) -> None:
        pairs = self._pairs
        page, overflow = self._pages.allocate(self._size)
        if self._pages.write:
            parts: list[bytes | memoryview] = [
                _PAGE.pack(page, _LEAF, len(pairs), overflow)
            ]
            position = _LEAF_ELEMENT.size * len(pairs)
            flags = self._flags
            for key, value in pairs:
                key_bytes, value_bytes = len(key), len(value)
                parts.append(
                    _LEAF_ELEMENT.pack(flags, position, key_bytes, value_bytes)
                )
                position += key_bytes + value_bytes - _LEAF_ELEMENT.size
            for pair in pairs:
                parts += pair
            self._pages.append(parts)
        first_key = bytes(pairs[0][0]) if pairs else b""
        self._pairs = []
        self._size = _PAGE.size
        self._add_child(0, first_key, page)

    def _add_child(self, height: int, first_key: bytes, page: int) -> None:
        if height == len(self._branches):
            self._branches.append(_Branch())
        branch = self._branches[height]
        branch.add(first_key, page)
        if branch.size >= _BRANCH_FILL_BYTES:
            # Two stay behind: no branch page may end up with a single child.
            full, branch.children = branch.children[:-2], branch.children[-2:]
            branch.size = 0
            self._end_branch(height, full)

    def _end_branch(self, height: int, children: list[tuple[bytes, int]]) -> None:
        page, _ = self._pages.allocate(PAGE_SIZE_BYTES)
        if self._pages.write:
            parts: list[bytes | memoryview] = [
                _PAGE.pack(page, _BRANCH, len(children), 0)
            ]
            position = _BRANCH_ELEMENT.size * len(children)
            for key, child in children:
                parts.append(_BRANCH_ELEMENT.pack(position, len(key), child))
                position += len(key) - _BRANCH_ELEMENT.size
            parts += [key for key, _ in children]
            self._pages.append(parts)
        self._add_child(height + 1, children[0][0], page)


class _Branch:
    """A branch page in the making."""

    __slots__ = ("children", "size")

    def __init__(self) -> None:
        # (first key below it, page number)
        self.children: list[tuple[bytes, int]] = []
        # Bytes of all children but the last two.
        self.size = 0

    def add(self, first_key: bytes, page: int) -> None:
        self.children.append((first_key, page))
        if len(self.children) > 2:
            self.size += _BRANCH_ELEMENT.size + len(self.children[-3][0])


def _fnv1a(data: bytes) -> int:
    """Return the FNV-1a hash of 64 bits, the checksum of a meta page."""
    value = 0xCBF29CE484222325
    for byte in data:
        value = (value ^ byte) * 0x100000001B3 & (1 << 64) - 1
    return value
