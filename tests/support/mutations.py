"""Valid messages spoilt: what a decoder meets that no encoder made."""

from collections.abc import Callable
from random import Random

from miniet.protowire import varint

_HUGE = (127, 128, 255, 2**14, 2**21, 2**28, 2**31 - 1, 2**31, 2**32, 2**63, 2**64 - 1)


def mutated(data: bytes, random: Random) -> bytes:
    """Spoil a message in one to three ways, now and then in none."""
    for _ in range(random.randrange(4)):
        data = random.choice(_WAYS)(data, random)
    return data


def _flip(data: bytes, random: Random) -> bytes:
    """One bit is another: a wire type, a field number, a length or what it holds."""
    if not data:
        return b"\x80"
    position = random.randrange(len(data))
    bit = data[position] ^ 1 << random.randrange(8)
    return data[:position] + bytes((bit,)) + data[position + 1 :]


def _cut(data: bytes, random: Random) -> bytes:
    return data[: random.randrange(len(data) + 1)]


def _repeat(data: bytes, random: Random) -> bytes:
    """A piece comes twice, or very often: lengths, tags, whole fields."""
    start, end = _span(data, random)
    return data[:end] + data[start:end] * random.choice((1, 1, 1, 300)) + data[end:]


def _lengthen(data: bytes, random: Random) -> bytes:
    """A huge number where another was, perhaps a length; perhaps one that overflows."""
    position = random.randrange(len(data) + 1)
    number = varint(random.choice(_HUGE))
    if random.random() < 0.2:
        number = b"\xff" * random.choice((9, 10, 11, 30)) + b"\x01"
    return data[:position] + number + data[position + 1 :]


def _unknown(data: bytes, random: Random) -> bytes:
    """A field of any number and wire type, with something behind it or nothing."""
    number = random.choice((0, 1, 2, 5, 15, 63, 64, 2047, 2**28))
    tag = varint(number << 3 | random.randrange(8))
    value = random.choice((b"", b"\x00", b"\x03abc", bytes(8), b"\xff" * 9))
    start = random.choice((0, len(data), random.randrange(len(data) + 1)))
    return data[:start] + tag + value + data[start:]


def _nest(data: bytes, random: Random) -> bytes:
    """The message in a field of itself, many times."""
    tag = bytes((random.randrange(1, 16) << 3 | 2,))
    for _ in range(random.choice((1, 2, 50, 99, 100, 101, 500))):
        data = tag + varint(len(data)) + data
    return data


def _group(data: bytes, random: Random) -> bytes:
    """Groups, which proto3 does not know: open, closed, nested, or closed unopened."""
    depth = random.choice((1, 2, 99, 100, 101, 1000))
    return data + b"\x63" * depth + b"\x64" * random.choice((0, 1, depth))


def _misspell(data: bytes, random: Random) -> bytes:
    """Bytes that are no UTF-8, in the place of others."""
    start, end = _span(data, random)
    wrong = random.choice((b"\xff", b"\xc0\x80", b"\xed\xa0\x80", b"\xf8\x88\x80\x80"))
    return data[:start] + (wrong * 100)[: end - start] + data[end:]


def _noise(data: bytes, random: Random) -> bytes:
    start, end = _span(data, random)
    return data[:start] + random.randbytes(end - start) + data[end:]


def _span(data: bytes, random: Random) -> tuple[int, int]:
    start = random.randrange(len(data) + 1)
    return start, min(start + random.choice((1, 2, 5, 50)), len(data))


_WAYS: tuple[Callable[[bytes, Random], bytes], ...] = (
    _flip,
    _cut,
    _repeat,
    _lengthen,
    _unknown,
    _nest,
    _group,
    _misspell,
    _noise,
)
