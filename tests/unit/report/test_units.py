import pytest

from miniet.report.units import counted, duration, number, percent, signed_size, size

MIB = 1 << 20


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.0 KiB"),
        (MIB, "1.0 MiB"),
        (2097 * MIB, "2097.0 MiB"),
        (10_000 * MIB, "9.8 GiB"),
        (-3277, "-3.2 KiB"),
        (1 << 60, "1048576.0 TiB"),
    ],
)
def test_size_is_in_the_unit_that_suits_it(count: int, text: str) -> None:
    assert size(count) == text


@pytest.mark.parametrize(
    ("count", "text"), [(MIB, "+1.0 MiB"), (0, "0 B"), (-3, "-3 B")]
)
def test_difference_has_its_sign(count: int, text: str) -> None:
    assert signed_size(count) == text


@pytest.mark.parametrize(
    ("count", "text"), [(105_000, "105,000"), (3.0, "3"), (1.00781, "1.01")]
)
def test_number_is_whole_or_has_two_digits(count: float, text: str) -> None:
    assert number(count) == text


@pytest.mark.parametrize(
    ("count", "text"), [(0, "0 entries"), (1, "1 entry"), (1005, "1,005 entries")]
)
def test_noun_follows_its_count(count: int, text: str) -> None:
    assert counted(count, "entry", "entries") == text


@pytest.mark.parametrize(
    ("share", "text"), [(0.034, "+3 %"), (-0.12, "-12 %"), (0.0, "+0 %")]
)
def test_error_has_its_sign(share: float, text: str) -> None:
    assert percent(share) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.4, "0 s"), (119, "119 s"), (600, "10 min"), (9000, "2.5 h")],
)
def test_duration_is_in_the_unit_that_suits_it(seconds: float, text: str) -> None:
    assert duration(seconds) == text
