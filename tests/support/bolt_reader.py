"""A strict reader of bbolt files, written apart from the writer it checks."""

import struct
from collections.abc import Iterator
from itertools import pairwise

PAGE = 4096


def fnv1a_64(data: bytes) -> int:
    value = 14695981039346656037
    for byte in data:
        value = ((value ^ byte) * 1099511628211) % 2**64
    return value


class BoltFile:
    """All buckets of a bbolt file in memory; raises AssertionError on any flaw.

    With `exact`, also on what bbolt itself may do but the writer does not: both meta
    pages of one parity, bytes left over from other uses of a page.
    """

    def __init__(self, data: bytes, *, exact: bool = True) -> None:
        self.data = data
        self.exact = exact
        metas = [self._meta(page) for page in (0, 1)]
        self.root, self.high_water, self.txid = max(metas, key=lambda meta: meta[2])
        assert len(data) == self.high_water * PAGE
        # Every page that some tree reaches, overflow included.
        self.reached = {0, 1}
        self.buckets: dict[bytes, list[tuple[bytes, bytes]]] = {}
        for name, value in self._tree(self.root, element_flags=1):
            root, sequence = struct.unpack_from("<QQ", value)
            assert sequence == 0
            self.buckets[name] = list(
                self._tree(root) if root else self._elements(value[16:], 0)
            )
        assert list(self.buckets) == sorted(self.buckets)
        for pairs in self.buckets.values():
            keys = [key for key, _ in pairs]
            assert all(a < b for a, b in pairwise(keys))

    def _meta(self, page: int) -> tuple[int, int, int]:
        at = page * PAGE
        number, flags, count, overflow = struct.unpack_from("<QHHI", self.data, at)
        assert (number, flags, count, overflow) == (page, 4, 0, 0)
        magic, version, page_size, meta_flags = struct.unpack_from(
            "<IIII", self.data, at + 16
        )
        assert (magic, version, page_size, meta_flags) == (0xED0CDAED, 2, PAGE, 0)
        root, sequence, free_list, high_water, txid, checksum = struct.unpack_from(
            "<QQQQQQ", self.data, at + 32
        )
        assert sequence == 0
        assert free_list == 2**64 - 1
        assert not self.exact or txid % 2 == page
        assert checksum == fnv1a_64(self.data[at + 16 : at + 72])
        return root, high_water, txid

    def _tree(self, page: int, element_flags: int = 0) -> Iterator[tuple[bytes, bytes]]:
        at = page * PAGE
        number, flags, count, overflow = struct.unpack_from("<QHHI", self.data, at)
        assert number == page
        run = set(range(page, page + overflow + 1))
        assert not run & self.reached
        assert max(run) < self.high_water
        self.reached |= run
        image = self.data[at : at + PAGE * (overflow + 1)]
        if flags == 2:
            assert not overflow or count == 1 or not self.exact
            yield from self._elements(image, element_flags)
            return
        assert flags == 1
        assert count >= 2
        assert overflow == 0
        for i in range(count):
            start = 16 + 16 * i
            position, key_bytes, child = struct.unpack_from("<IIQ", image, start)
            assert start + position + key_bytes <= len(image)
            first = image[start + position : start + position + key_bytes]
            pairs = self._tree(child, element_flags)
            pair = next(pairs)
            assert pair[0] == first
            yield pair
            yield from pairs

    def _elements(
        self, image: bytes, element_flags: int
    ) -> Iterator[tuple[bytes, bytes]]:
        _, flags, count, _ = struct.unpack_from("<QHHI", image)
        assert flags == 2
        expected = 16 + 16 * count
        for i in range(count):
            start = 16 + 16 * i
            element, position, key_bytes, value_bytes = struct.unpack_from(
                "<IIII", image, start
            )
            assert element == element_flags
            key = start + position
            assert key == expected
            expected = key + key_bytes + value_bytes
            assert expected <= len(image)
            yield image[key : key + key_bytes], image[key + key_bytes : expected]
        assert not self.exact or not any(image[expected:])
