"""`Call`: what a client says of a call before its messages."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

Header = tuple[bytes, bytes]

_UNITS_S: Final = {
    b"H": 3600.0, b"M": 60.0, b"S": 1.0, b"m": 1e-3, b"u": 1e-6, b"n": 1e-9,
}  # fmt: skip
_TIMEOUT_DIGITS_MAX: Final = 8


@dataclass(slots=True, frozen=True)
class Call:
    """One call's headers, checked.

    Shared by all calls whose headers are the same bytes.

    path: `/package.Service/Method`.
    encoding: how messages may be compressed.
    timeout_s: the client's deadline from now, None without one.
    content_length: bytes of DATA it announced, None if it did not.
    metadata: everything else, by name in lower case; of several values the last.
    """

    path: str
    encoding: str
    timeout_s: float | None
    content_length: int | None
    metadata: Mapping[str, str]


def timeout_s(text: bytes) -> float:
    """Read `grpc-timeout`: up to eight digits and a unit.

    Raises:
        ValueError: it is malformed.
    """
    digits, unit = text[:-1], text[-1:]
    if not digits.isdigit() or len(digits) > _TIMEOUT_DIGITS_MAX:
        raise ValueError(f"malformed grpc-timeout: {text.decode('latin-1')!r}")
    try:
        return int(digits) * _UNITS_S[unit]
    except KeyError:
        raise ValueError(
            f"malformed grpc-timeout: {text.decode('latin-1')!r}"
        ) from None
