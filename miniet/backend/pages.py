"""Reading an LMDB file by hand: is it whole, and how much of it is used?

LMDB trusts its file. A file cut short ends the process with SIGBUS, a page of zeros
with a failed assertion, so the file is looked through before LMDB sees it.
The length alone does not tell: pages that were allocated and freed within
one transaction are never written, so a healthy file may end before the last page
that its meta page counts. What must hold is that every page in use is there, and
that its nodes fill it as LMDB has packed them: end to end, up to the page's end.

A file is pages of equal size. Pages 0 and 1 are meta pages, the one with the higher
transaction id is valid; it holds the roots of two trees, the free list (0) and the
main one (1), whose leaves hold the roots of the buckets' trees:

    page:  number u64, pad u16, flags u16, lower u16, upper u16, node offsets u16...
    node:  low u16, high u16, flags u16, key size u16, key, data
           in a branch low, high and flags are the child's page number
    tree:  pad u32, flags u16, depth u16, branch, leaf and overflow pages u64, entries
           u64, root u64
    meta:  (page header) magic u32, version u32, address u64, map size u64, two trees,
           last page u64, transaction id u64; pad of the first tree is the page size

Source: LMDB 0.9 mdb.c, MDB_page, MDB_node, MDB_db, MDB_meta. No checksums exist at
this level: a flipped bit within a value is not seen here, nor is one in a key unless
its page is out of order then.
"""

import mmap
import os
import struct
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final

from miniet.backend.errors import BackendDamagedError

_MAGIC: Final = 0xBEEFC0DE
_VERSION: Final = 1
_NO_PAGE: Final = (1 << 64) - 1
META_PAGE_COUNT: Final = 2

_BRANCH, _LEAF, _OVERFLOW, _META = 0x01, 0x02, 0x04, 0x08
_BIG_DATA, _SUB_TREE = 0x01, 0x02
_INTEGER_KEY, _TREE_FLAGS = 0x08, 0xFF

_PAGE: Final = struct.Struct("<QHHHH")
_OVERFLOW_PAGE: Final = struct.Struct("<QHHI")
_NODE: Final = struct.Struct("<HHHH")
_TREE: Final = struct.Struct("<IHHQQQQQ")
_META_HEAD: Final = struct.Struct("<II")
_META_TAIL: Final = struct.Struct("<QQ")
_PAGE_NUMBER: Final = struct.Struct("<Q")
_KEY_BYTES: Final = struct.Struct("<H")

_TREES_OFFSET: Final = _PAGE.size + 24
_META_END: Final = _TREES_OFFSET + 2 * _TREE.size + _META_TAIL.size


@dataclass(frozen=True, slots=True)
class Tree:
    """One B+tree of the file, as its record counts it."""

    depth: int
    branch_page_count: int
    leaf_page_count: int
    overflow_page_count: int
    entry_count: int
    root: int
    pad: int
    flags: int

    @property
    def page_count(self) -> int:
        return self.branch_page_count + self.leaf_page_count + self.overflow_page_count


@dataclass(frozen=True, slots=True)
class Meta:
    """What the valid meta page says about the last commit."""

    page_size_bytes: int
    free_list: Tree
    main: Tree
    last_page: int
    transaction_id: int

    @property
    def size_bytes(self) -> int:
        return (self.last_page + 1) * self.page_size_bytes


def read_meta(fd: int, path: str) -> Meta:
    """Return the newer meta page of an open file.

    Raises:
        BackendDamagedError: not an LMDB file of the supported version.
    """
    first = _parse_meta(os.pread(fd, _META_END, 0), 0, path)
    offset = first.page_size_bytes
    second = _parse_meta(os.pread(fd, _META_END, offset), offset, path)
    return second if second.transaction_id > first.transaction_id else first


def check_pages(fd: int, path: str) -> int:
    """Walk every page in use and return how many there are.

    Checked of each: it lies within the file, carries its own number and the kind that
    its place in the tree asks for, nothing else uses it, its nodes fill it, and the
    keys above it lead to it. Of each tree: it has as many pages and entries as its
    record says. Of the free list: no page in it is in use or stands there twice,
    since LMDB would write over it.

    Raises:
        BackendDamagedError: something is not so.
    Cost: one read of every page and node header; a ninth of the time that the index
    then takes to be restored.
    """
    meta = read_meta(fd, path)
    with mmap.mmap(fd, 0, prot=mmap.PROT_READ) as view:
        walk = _Walk(view, meta, path)
        walk.check_tree(meta.free_list, _Role.FREE_LIST)
        walk.check_tree(meta.main, _Role.MAIN)
        walk.check_free_pages(meta.last_page)
        return walk.page_count


def _parse_meta(page: bytes, offset: int, path: str) -> Meta:
    if len(page) < _META_END:
        raise BackendDamagedError(
            "the file ends inside its meta pages", path=path, offset=offset
        )
    magic, version = _META_HEAD.unpack_from(page, _PAGE.size)
    flags = _PAGE.unpack_from(page)[2]
    if flags != _META or magic != _MAGIC:
        raise BackendDamagedError("not an LMDB file", path=path, offset=offset)
    if version != _VERSION:
        raise BackendDamagedError(
            f"LMDB file format {version}, only {_VERSION} is supported",
            path=path,
            offset=offset,
        )
    page_size_bytes = _TREE.unpack_from(page, _TREES_OFFSET)[0]
    last_page, transaction_id = _META_TAIL.unpack_from(
        page, _TREES_OFFSET + 2 * _TREE.size
    )
    if page_size_bytes < 256 or page_size_bytes & (page_size_bytes - 1):
        raise BackendDamagedError(
            f"impossible page size {page_size_bytes}", path=path, offset=offset
        )
    return Meta(
        page_size_bytes=page_size_bytes,
        free_list=_parse_tree(page, _TREES_OFFSET),
        main=_parse_tree(page, _TREES_OFFSET + _TREE.size),
        last_page=last_page,
        transaction_id=transaction_id,
    )


def _parse_tree(buffer: bytes | mmap.mmap, offset: int) -> Tree:
    pad, flags, depth, branches, leaves, overflows, entries, root = _TREE.unpack_from(
        buffer, offset
    )
    return Tree(depth, branches, leaves, overflows, entries, root, pad, flags)


class _Role(Enum):
    """What a tree is for: the leaves of the main one hold the roots of the buckets."""

    FREE_LIST = auto()
    MAIN = auto()
    BUCKET = auto()


class _Found:
    """What a walk has met of one tree."""

    __slots__ = ("entry_count", "pages", "role")

    def __init__(self, role: _Role) -> None:
        self.role = role
        self.pages = {_BRANCH: 0, _LEAF: 0, _OVERFLOW: 0}
        self.entry_count = 0


class _Walk:
    """One pass over the trees of a file; marks the pages it meets."""

    def __init__(self, view: mmap.mmap, meta: Meta, path: str) -> None:
        self._view = view
        self._page_size = meta.page_size_bytes
        self._path = path
        # A byte per page: 1 = met, so every walk ends, as no page may be met twice;
        # 2 = free.
        page_end = min(len(view) // meta.page_size_bytes, meta.last_page + 1)
        self._met = bytearray(page_end)
        self._met[:META_PAGE_COUNT] = b"\x01" * META_PAGE_COUNT
        # Where the lists of free pages lie: page of their node, offset, bytes.
        self._free_lists: list[tuple[int, int, int]] = []

    @property
    def page_count(self) -> int:
        return self._met.count(1)

    def check_tree(self, tree: Tree, role: _Role, listed_in: int = 0) -> None:
        """Visit all pages of `tree`, and of the trees that lie in its leaves.

        Args:
            listed_in: page that holds its record.
        """
        found = _Found(role)
        height = 0
        if tree.root != _NO_PAGE:
            height = tree.depth
            self._visit(tree.root, height, found)
        recorded = {
            _BRANCH: tree.branch_page_count,
            _LEAF: tree.leaf_page_count,
            _OVERFLOW: tree.overflow_page_count,
        }
        if found.pages != recorded:
            raise self._damage("pages of a tree are missing or too many", listed_in)
        if found.entry_count != tree.entry_count or height != tree.depth:
            raise self._damage("entries of a tree are missing or too many", listed_in)
        if role is _Role.FREE_LIST:
            # Its record holds flags of the file, too, and the page size as pad.
            is_known = tree.flags & _TREE_FLAGS == _INTEGER_KEY
        else:
            is_known = not tree.flags and not tree.pad
        if not is_known:
            raise self._damage("a tree of an unknown kind", listed_in)

    def check_free_pages(self, last_page: int) -> None:
        """Check what the free list holds; comes after all trees."""
        for number, offset, size in self._free_lists:
            try:
                pages = struct.unpack_from(f"<{size // 8}Q", self._view, offset)
            except struct.error as error:
                raise self._damage("a node reaches beyond the file", number) from error
            if not pages or pages[0] != len(pages) - 1:
                raise self._damage("a list of free pages of another length", number)
            for page in pages[1:]:
                self._check_free(page, last_page, number)

    def _check_free(self, page: int, last_page: int, listed_in: int) -> None:
        if not META_PAGE_COUNT <= page <= last_page:
            raise self._damage(f"free page {page} does not exist", listed_in)
        if page >= len(self._met):
            return  # freed before it was ever written
        if self._met[page]:
            raise self._damage(f"free page {page} is in use, or free twice", listed_in)
        self._met[page] = 2

    def _visit(self, number: int, height: int, found: _Found) -> tuple[bytes, bytes]:
        """Visit one page and all below it; return its first and last key."""
        if height != 1:
            return self._visit_children(number, height, found)
        lower, upper = self._check_header(number, _LEAF)
        found.pages[_LEAF] += 1
        places = self._places(number, lower)
        found.entry_count += len(places)
        base = number * self._page_size
        page = self._view[base : base + self._page_size]
        unpack = _NODE.unpack_from
        filled = 0
        # Plain, because most of the time goes here.
        for place in places:
            low, high, flags, key_bytes = unpack(page, place)
            if flags & _BIG_DATA:
                end = place + _NODE.size + key_bytes + _PAGE_NUMBER.size
            else:
                end = place + _NODE.size + key_bytes + (low | high << 16)
            end += end & 1
            if end > self._page_size:
                raise self._damage(f"page {number} has a node out of place", number)
            filled += end - place
            if flags or found.role is not _Role.BUCKET:
                self._visit_value(number, base + place, found)
        self._check_filled(number, places, upper, filled)
        if not places:
            return b"", b""
        return self._key(base + places[0]), self._key(base + places[-1])

    def _visit_children(
        self, number: int, height: int, found: _Found
    ) -> tuple[bytes, bytes]:
        """Visit a branch page and those below it, to which its keys must lead."""
        lower, upper = self._check_header(number, _BRANCH)
        found.pages[_BRANCH] += 1
        places = self._places(number, lower)
        filled = 0
        first = last = b""
        for position, place in enumerate(places):
            node = number * self._page_size + place
            low, high, flags, key_bytes = _NODE.unpack_from(self._view, node)
            size = _NODE.size + key_bytes
            filled += size + (size & 1)
            child = low | high << 16 | flags << 32
            child_first, child_last = self._visit(child, height - 1, found)
            if position == 0:  # its key is never looked at
                first = child_first
            elif (
                found.role is not _Role.FREE_LIST  # whose keys are numbers
                and not last < self._key(node) <= child_first
            ):
                raise self._damage(f"page {number} has keys out of order", number)
            last = child_last
        self._check_filled(number, places, upper, filled)
        return first, last

    def _visit_value(self, number: int, node: int, found: _Found) -> None:
        """Follow a value that lies elsewhere, or is a tree or a list of pages."""
        low, high, flags, key_bytes = _NODE.unpack_from(self._view, node)
        data = node + _NODE.size + key_bytes
        value_bytes = low | high << 16
        if flags == _SUB_TREE and found.role is _Role.MAIN:
            if value_bytes != _TREE.size:
                raise self._damage("a tree's record of another length", number)
            self.check_tree(_parse_tree(self._view, data), _Role.BUCKET, number)
        elif flags == _BIG_DATA:
            (first,) = _PAGE_NUMBER.unpack_from(self._view, data)
            found.pages[_OVERFLOW] += self._check_overflow(first, value_bytes)
            data = first * self._page_size + _PAGE.size
        elif flags or found.role is _Role.MAIN:
            raise self._damage(f"page {number} has a node of an unknown kind", number)
        if found.role is _Role.FREE_LIST:
            self._free_lists.append((number, data, value_bytes))

    def _places(self, number: int, lower: int) -> tuple[int, ...]:
        """Read where in a page its nodes are; each has room for its header."""
        count = (lower - _PAGE.size) // 2
        base = number * self._page_size
        places = struct.unpack_from(f"<{count}H", self._view, base + _PAGE.size)
        if count and max(places) > self._page_size - _NODE.size:
            raise self._damage(f"page {number} has a node out of place", number)
        return places

    def _check_filled(
        self, number: int, places: tuple[int, ...], upper: int, filled: int
    ) -> None:
        """Check that nodes of `filled` bytes take the page from `upper` to its end."""
        if filled != self._page_size - upper or (places and min(places) != upper):
            raise self._damage(f"page {number} is not filled by its nodes", number)

    def _key(self, node: int) -> bytes:
        start = node + _NODE.size
        (key_bytes,) = _KEY_BYTES.unpack_from(self._view, node + _NODE.size - 2)
        return self._view[start : start + key_bytes]

    def _check_header(self, number: int, kind: int) -> tuple[int, int]:
        """Check one page of a tree; return where node offsets end and nodes begin."""
        self._meet(number, 1)
        base = number * self._page_size
        own, _, flags, lower, upper = _PAGE.unpack_from(self._view, base)
        if own != number or flags != kind:
            raise self._damage(f"page {number} is not what its tree expects", number)
        if lower & 1 or not _PAGE.size <= lower <= upper <= self._page_size:
            raise self._damage(f"page {number} has an impossible header", number)
        return lower, upper

    def _check_overflow(self, number: int, value_bytes: int) -> int:
        """Check the pages of one large value; return how many they are."""
        self._meet(number, 1)
        base = number * self._page_size
        own, _, flags, page_count = _OVERFLOW_PAGE.unpack_from(self._view, base)
        if own != number or flags != _OVERFLOW:
            raise self._damage(f"page {number} is not what its tree expects", number)
        if page_count * self._page_size < _PAGE.size + value_bytes:
            raise self._damage(f"page {number} is too small for its value", number)
        self._meet(number + 1, page_count - 1)
        return int(page_count)

    def _meet(self, number: int, page_count: int) -> None:
        end = number + page_count
        if end > len(self._met):
            raise self._damage(f"page {number} in use lies beyond the end", number)
        if 1 in self._met[number:end]:
            raise self._damage(f"page {number} is used twice", number)
        self._met[number:end] = b"\x01" * page_count

    def _damage(self, message: str, page: int) -> BackendDamagedError:
        return BackendDamagedError(
            message,
            path=self._path,
            offset=page * self._page_size,
        )
