"""Bytes and counts as text: one way for every table, plot and sentence."""

KIB = 1 << 10
MIB = 1 << 20

_UNITS = ("B", "KiB", "MiB", "GiB", "TiB")


def size(count: float) -> str:
    """Return bytes in the unit that suits them: `17 B`, `1.0 MiB`, `-3.2 KiB`.

    MiB goes up to 10,000: `2097.0 MiB` is compared with its neighbours at a glance,
    `2.0 GiB` is not.
    """
    unit = 0
    limit = 1000.0
    while abs(count) >= limit and unit < len(_UNITS) - 1:
        count /= 1024
        unit += 1
        limit = 10_000.0 if _UNITS[unit] == "MiB" else 1000.0
    if unit == 0:
        return f"{count:.0f} B"
    return f"{count:.1f} {_UNITS[unit]}"


def signed_size(count: float) -> str:
    """Return a difference: `+1.0 MiB`, `-3 B`, `0 B`."""
    return f"{'+' if count > 0 else ''}{size(count)}"


def number(count: float) -> str:
    """Return a count, thousands apart: `105,000`; a fraction with two digits."""
    if isinstance(count, int) or count.is_integer():
        return f"{count:,.0f}"
    return f"{count:,.2f}"


def counted(count: int, noun: str, plural: str = "") -> str:
    """Return a count with its noun: `1 key`, `2 entries`."""
    return f"{number(count)} {noun if count == 1 else plural or noun + 's'}"


def percent(share: float) -> str:
    """Return a share with its sign, as an error is written: `+3 %`, `-12 %`."""
    return f"{share * 100:+.0f} %"


def duration(seconds: float) -> str:
    """Return a time in the unit that suits it: `42 s`, `10 min`, `3.5 h`."""
    if seconds < 120:
        return f"{seconds:.0f} s"
    if seconds < 7200:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"
