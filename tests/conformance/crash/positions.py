"""Where what lies in a file: positions of each class, found in real files.

Read with parsers of its own, so that a mistake in miniet's readers shows.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass

Position = tuple[str, int]
"""A class of positions, in words, and one offset of it."""

PAGE = 4096
_BRANCH, _LEAF, _OVERFLOW = 0x01, 0x02, 0x04
_NO_PAGE = (1 << 64) - 1

_TREE_FIELDS = (
    # Of the first tree of a meta page the pad is the page size.
    ("pad", 0),
    ("flags", 4),
    ("depth", 6),
    ("branch page count", 8),
    ("leaf page count", 16),
    ("overflow page count", 24),
    ("entry count", 32),
    ("root", 40),
)
_TREE_BYTES = 48


# ---- the log


def of_segment(content: bytes) -> Iterator[Position]:
    """Walk one segment: every field of every record, and what follows them."""
    start = 0
    while start + 8 <= len(content) and any(content[start : start + 8]):
        length = int.from_bytes(content[start : start + 7], "little")
        padding = content[start + 7] & 7
        body = start + 8
        kind = _RECORD_TYPES[content[body + 1]]
        yield f"{kind}: length, low byte", start
        yield f"{kind}: length, high byte", start + 6
        yield f"{kind}: padding count", start + 7
        yield f"{kind}: type tag", body
        yield f"{kind}: type", body + 1
        yield f"{kind}: CRC tag", body + 2
        yield f"{kind}: CRC", body + 3
        data = body + 3
        while content[data] & 0x80:
            data += 1
        yield f"{kind}: CRC, last byte", data
        data += 1
        end = body + length
        if data < end:
            yield f"{kind}: data tag", data
            yield f"{kind}: data length", data + 1
            yield f"{kind}: data, first byte", data + 2
            yield f"{kind}: data, middle", (data + end) // 2
            yield f"{kind}: data, last byte", end - 1
        if padding:
            yield f"{kind}: padding", end
        start = end + padding
    if start < len(content):
        yield "blank tail: next length", start
        yield "blank tail: same sector", start // 512 * 512 + 511
        yield "blank tail: next sector", start // 512 * 512 + 512
        yield "blank tail: last byte", len(content) - 1


_RECORD_TYPES = ("", "metadata", "entry", "state", "crc", "snapshot")


# ---- the backend


@dataclass(frozen=True, slots=True)
class _Page:
    """One page of a tree, and the words for it."""

    number: int
    words: str
    content: bytes

    @property
    def base(self) -> int:
        return self.number * PAGE

    def node_offsets(self) -> list[int]:
        (lower,) = struct.unpack_from("<H", self.content, self.base + 12)
        count = (lower - 16) // 2
        return [
            self.base + place
            for place in struct.unpack_from(f"<{count}H", self.content, self.base + 16)
        ]


def of_backend(content: bytes) -> Iterator[Position]:
    """Walk an LMDB file: both meta pages, all trees, and the pages in no tree."""
    ids = [struct.unpack_from("<Q", content, page * PAGE + 144)[0] for page in (0, 1)]
    newer = ids.index(max(ids))
    yield from _meta(newer, "newer meta page")
    yield from _meta(1 - newer, "older meta page")
    used = {0, 1}
    for name, record in (("free list", 40), ("main tree", 88)):
        yield from _tree(content, newer * PAGE + record, name, used)
    for number in range(2, len(content) // PAGE):
        if number not in used:
            yield "unused page: header", number * PAGE + 10
            yield "unused page: body", number * PAGE + 2000


def _meta(page: int, words: str) -> Iterator[Position]:
    base = page * PAGE
    fields = [
        ("page number", 0),
        ("page flags", 10),
        ("magic", 16),
        ("format version", 20),
        ("map address", 24),
        ("map size", 32),
        *((f"free list {name}", 40 + at) for name, at in _TREE_FIELDS),
        *((f"main tree {name}", 88 + at) for name, at in _TREE_FIELDS),
        ("last page", 136),
        ("transaction id", 144),
        ("rest", 160),
    ]
    for name, at in fields:
        yield f"{words}: {name}", base + at


def _tree(
    content: bytes, record: int, words: str, used: set[int]
) -> Iterator[Position]:
    (root,) = struct.unpack_from("<Q", content, record + 40)
    if root != _NO_PAGE:
        yield from _tree_page(content, root, words, used)


def _tree_page(
    content: bytes, number: int, words: str, used: set[int]
) -> Iterator[Position]:
    used.add(number)
    (flags,) = struct.unpack_from("<H", content, number * PAGE + 10)
    kind = "branch" if flags & _BRANCH else "leaf"
    page = _Page(number, f"{words}, {kind} page", content)
    for name, at in (
        ("page number", 0),
        ("page number, high byte", 7),
        ("pad", 8),
        ("flags", 10),
        ("lower", 12),
        ("lower, high byte", 13),
        ("upper", 14),
        ("upper, high byte", 15),
        ("first node offset", 16),
        ("first node offset, high byte", 17),
    ):
        yield f"{page.words}: {name}", page.base + at
    offsets = page.node_offsets()
    gap = page.base + 16 + 2 * len(offsets)
    if gap < min(offsets):
        yield f"{page.words}: free space", gap
    for position, node in enumerate(offsets):
        low, high, flags, key_bytes = struct.unpack_from("<HHHH", content, node)
        yield from _node(page, kind, node, key_bytes, is_first=position == 0)
        if kind == "branch":
            child = low | high << 16 | flags << 32
            yield from _tree_page(content, child, words, used)
            continue
        data = node + 8 + key_bytes
        if flags & 2:
            name = content[node + 8 : data].decode()
            for field, at in _TREE_FIELDS:
                yield f"tree record: {field}", data + at
            yield from _tree(content, data, f"bucket {name}", used)
        elif flags & 1:
            (first,) = struct.unpack_from("<Q", content, data)
            yield f"{page.words}: overflow page number", data
            yield from _overflow(content, first, words, used)
        elif words == "free list":
            yield "free list: count", data
            yield "free list: page id", data + 8
            yield "free list: page id, high byte", data + 15
        elif low:
            yield f"{page.words}: value, first byte", data
            yield f"{page.words}: value, last byte", data + low - 1


def _node(
    page: _Page, kind: str, node: int, key_bytes: int, *, is_first: bool
) -> Iterator[Position]:
    names = (
        ("child page", 0, "child page, high byte", 5)
        if kind == "branch"
        else ("value size", 0, "value size, high byte", 3)
    )
    yield f"{page.words}: node {names[0]}", node + names[1]
    yield f"{page.words}: node {names[2]}", node + names[3]
    if kind == "leaf":
        yield f"{page.words}: node flags", node + 4
    # The first key of a branch page is never looked at.
    if kind == "leaf" or not is_first:
        yield f"{page.words}: node key size", node + 6
        yield f"{page.words}: node key size, high byte", node + 7
        if key_bytes:
            yield f"{page.words}: key", node + 8 + key_bytes // 2


def _overflow(
    content: bytes, first: int, words: str, used: set[int]
) -> Iterator[Position]:
    base = first * PAGE
    (count,) = struct.unpack_from("<I", content, base + 12)
    used.update(range(first, first + count))
    yield f"{words}, overflow page: page number", base
    yield f"{words}, overflow page: flags", base + 10
    yield f"{words}, overflow page: page count", base + 12
    yield f"{words}, overflow page: value, first byte", base + 16
    yield f"{words}, overflow page: value, second page", base + PAGE + 100
