"""Lengths of time as etcd's flags write them: Go's, such as `1h30m` or `100ms`."""

import re

NS_PER_S = 1_000_000_000

_UNIT_NS = {
    "ns": 1,
    "us": 1_000,
    "µs": 1_000,  # micro sign
    "μs": 1_000,  # Greek mu
    "ms": 1_000_000,
    "s": NS_PER_S,
    "m": 60 * NS_PER_S,
    "h": 3600 * NS_PER_S,
}

_PART = re.compile(r"([0-9]*)(?:\.([0-9]*))?([^0-9.]*)")

_INT64_MAX = 2**63 - 1


def parse_duration_ns(text: str) -> int:
    """Read a Go duration; fractions below a nanosecond are cut off.

    Returns:
        Nanoseconds; negative if the text begins with a minus.
    Raises:
        ValueError: not a duration, or longer than 2^63 - 1 ns (292 years).
    """
    rest = text[1:] if text[:1] in ("+", "-") else text
    if rest == "0":
        return 0
    if not rest:
        raise ValueError(f'invalid duration "{text}"')
    total_ns = position = 0
    while position < len(rest):
        part = _PART.match(rest, position)
        assert part is not None  # every piece of it may be empty
        whole, fraction, unit = part.groups(default="")
        if not whole and not fraction:
            raise ValueError(f'invalid duration "{text}"')
        if not unit:
            raise ValueError(f'missing unit in duration "{text}"')
        if unit not in _UNIT_NS:
            raise ValueError(f'unknown unit "{unit}" in duration "{text}"')
        digits, scale = int(whole + fraction), 10 ** len(fraction)
        total_ns += digits * _UNIT_NS[unit] // scale
        position = part.end()
    if total_ns > _INT64_MAX:
        raise ValueError(f'invalid duration "{text}"')
    return -total_ns if text[0] == "-" else total_ns


def parse_retention(mode: str, text: str) -> int:
    """Read how much history auto-compaction leaves.

    A plain number means hours in mode `periodic`, revisions in mode `revision`.
    Anything else is a duration, in mode `revision` too, where its nanoseconds are
    the number of revisions: etcd's rule, odd as it is.

    Returns:
        Nanoseconds in mode `periodic`, revisions in mode `revision`; 0 = off.
    Raises:
        ValueError: neither, or negative (which etcd takes, and then compacts
            without a pause).
    Source: etcd v3.4.9 embed/etcd.go, parseCompactionRetention.
    """
    if re.fullmatch(r"\+?[0-9]+", text):
        number = int(text)
        return number if mode == "revision" else number * 3600 * NS_PER_S
    length = parse_duration_ns(text) if text else 0
    if length < 0:
        raise ValueError(f'negative duration "{text}"')
    return length
