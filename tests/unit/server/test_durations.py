import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from miniet.server.durations import parse_duration_ns, parse_retention

HOUR_NS = 3600 * 10**9


@pytest.mark.parametrize(
    ("text", "length_ns"),
    [
        ("0", 0),
        ("+0", 0),
        ("-0", 0),
        ("0s", 0),
        ("1ns", 1),
        ("7us", 7_000),
        ("7µs", 7_000),
        ("7μs", 7_000),
        ("100ms", 100_000_000),
        ("5s", 5 * 10**9),
        ("2h", 2 * HOUR_NS),
        ("1h30m", HOUR_NS * 3 // 2),
        ("1m1h", HOUR_NS + 60 * 10**9),
        ("1.5h", HOUR_NS * 3 // 2),
        (".5s", 5 * 10**8),
        ("1.s", 10**9),
        ("-1.5s", -15 * 10**8),
        ("0.3333333333333333333h", 1_199_999_999_999),
        ("2562047h47m16.854775807s", 2**63 - 1),
    ],
)
def test_duration_is_read_as_go_reads_it(text: str, length_ns: int) -> None:
    assert parse_duration_ns(text) == length_ns


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", 'invalid duration ""'),
        ("-", 'invalid duration "-"'),
        ("foo", 'invalid duration "foo"'),
        (".s", 'invalid duration ".s"'),
        ("1h ", 'unknown unit "h " in duration "1h "'),
        ("5", 'missing unit in duration "5"'),
        ("1h5", 'missing unit in duration "1h5"'),
        ("1d", 'unknown unit "d" in duration "1d"'),
        ("1H", 'unknown unit "H" in duration "1H"'),
        ("--1s", 'invalid duration "--1s"'),
        ("2562048h", 'invalid duration "2562048h"'),
        ("٣s", 'invalid duration "٣s"'),
    ],
)
def test_what_is_no_duration_is_refused(text: str, reason: str) -> None:
    with pytest.raises(ValueError) as caught:  # noqa: PT011 (its text is the claim)
        parse_duration_ns(text)
    assert str(caught.value) == reason


@settings(max_examples=50, deadline=None)
@given(
    st.integers(0, 10**12), st.sampled_from([("ns", 1), ("us", 10**3), ("s", 10**9)])
)
def test_whole_numbers_scale_by_their_unit(count: int, unit: tuple[str, int]) -> None:
    name, unit_ns = unit
    if count * unit_ns < 2**63:
        assert parse_duration_ns(f"{count}{name}") == count * unit_ns


@settings(max_examples=200, deadline=None)
@given(st.text("0159.+-hmsnuµ ", max_size=12))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        length_ns = parse_duration_ns(text)
    except ValueError:
        return
    assert abs(length_ns) < 2**63


@pytest.mark.parametrize(
    ("mode", "text", "retention"),
    [
        ("periodic", "", 0),
        ("periodic", "0", 0),
        ("periodic", "1", HOUR_NS),
        ("periodic", "+2", 2 * HOUR_NS),
        ("periodic", "30m", HOUR_NS // 2),
        ("periodic", "1h30m", HOUR_NS * 3 // 2),
        ("revision", "0", 0),
        ("revision", "1000", 1000),
        ("revision", "1us", 1000),
    ],
)
def test_retention_counts_what_its_mode_says(
    mode: str, text: str, retention: int
) -> None:
    assert parse_retention(mode, text) == retention


@pytest.mark.parametrize("text", ["foo", "-1", "-1h", "-1ns", "1.5"])
@pytest.mark.parametrize("mode", ["periodic", "revision"])
def test_what_is_no_retention_is_refused(mode: str, text: str) -> None:
    with pytest.raises(ValueError, match="duration"):
        parse_retention(mode, text)
