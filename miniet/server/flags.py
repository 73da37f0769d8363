"""What a flag is: its names, the values it takes, its default and its help."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from miniet.server.durations import NS_PER_S, parse_duration_ns
from miniet.server.urls import parse_url, parse_urls


@dataclass(frozen=True, slots=True)
class Kind:
    """The values that a setting takes.

    Both functions raise ValueError with the reason, in etcd's words where etcd has
    any.
    """

    metavar: str
    """How the help calls a value."""
    parse: Callable[[str], Any]
    """Read a value as written on the command line or in the environment."""
    check: Callable[[Any], None]
    """Refuse a value that a program gave and no text could have meant."""


@dataclass(frozen=True, slots=True)
class Flag:
    """One setting as a user writes it."""

    names: tuple[str, ...]
    """Without dashes; the first is shown, the others are names of other releases."""
    kind: Kind
    default_text: str
    """The default as one would write it."""
    help: str
    section: str

    @property
    def name(self) -> str:
        """The name shown."""
        return self.names[0]


def environment_name(flag_name: str) -> str:
    """Return the variable that sets a flag: `data-dir` is `ETCD_DATA_DIR`."""
    return "ETCD_" + flag_name.upper().replace("-", "_")


def setting(
    section: str,
    names: str,
    kind: Kind,
    default_text: str,
    help_text: str,
    *,
    derived: bool = False,
) -> Any:
    """Declare a field of `Settings`.

    Args:
        names: blank-separated, the one to show first.
        derived: the default is None, and `default_text` says where it comes from.
    """
    flag = Flag(tuple(names.split()), kind, default_text, help_text, section)
    default = None if derived else kind.parse(default_text)
    return field(default=default, metadata={"flag": flag})


# ---- kinds


def _refuse_unless(claim: bool, expected: str, value: object) -> None:
    if not claim:
        raise ValueError(f"expected {expected}, not {value!r}")


def _check_text(value: object) -> None:
    _refuse_unless(isinstance(value, str), "a text", value)


def _check_bool(value: object) -> None:
    _refuse_unless(isinstance(value, bool), "True or False", value)


def _check_seconds(value: object) -> None:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    _refuse_unless(is_number, "seconds", value)
    assert isinstance(value, int | float)
    _refuse_unless(0 <= value < 2**63 / NS_PER_S, "0 to 292 years in seconds", value)


def _check_urls(value: object) -> None:
    _refuse_unless(isinstance(value, tuple), "a tuple of URLs", value)
    assert isinstance(value, tuple)
    for url in value:
        _check_text(url)
        parse_url(url)


def _parse_bool(text: str) -> bool:
    if text in ("1", "t", "T", "true", "TRUE", "True"):
        return True
    if text in ("0", "f", "F", "false", "FALSE", "False"):
        return False
    raise ValueError("parse error")


def _parse_seconds(text: str) -> float:
    try:
        length_ns = parse_duration_ns(text)
    except ValueError:
        raise ValueError("parse error") from None
    if length_ns < 0:
        raise ValueError("negative duration")
    return length_ns / NS_PER_S


def _integer(metavar: str, lowest: int, highest: int) -> Kind:
    def parse(text: str) -> int:
        try:
            number = int(text, 0)  # base from the prefix, as Go's flags
        except ValueError:
            raise ValueError("parse error") from None
        if number < 0 <= lowest:
            raise ValueError("parse error")
        if not lowest <= number <= highest:
            raise ValueError("value out of range")
        return number

    def check(value: object) -> None:
        is_number = isinstance(value, int) and not isinstance(value, bool)
        _refuse_unless(is_number, "an integer", value)
        assert isinstance(value, int)
        expected = f"an integer from {lowest} to {highest}"
        _refuse_unless(lowest <= value <= highest, expected, value)

    return Kind(metavar, parse, check)


def choice(*values: str) -> Kind:
    """Make the kind that takes one of `values`."""

    def parse(text: str) -> str:
        if text not in values:
            raise ValueError("invalid value")
        return text

    def check(value: object) -> None:
        _refuse_unless(value in values, " or ".join(values), value)

    return Kind("|".join(values), parse, check)


TEXT = Kind("TEXT", str, _check_text)
BOOL = Kind("BOOL", _parse_bool, _check_bool)
UINT = _integer("N", 0, 2**64 - 1)
UINT32 = _integer("N", 0, 2**32 - 1)
INT = _integer("N", -(2**63), 2**63 - 1)
DURATION = Kind("DURATION", _parse_seconds, _check_seconds)
URLS = Kind("URLS", parse_urls, _check_urls)
