"""Clocks: the machine's and the one that stands still."""

import pytest

from miniet.clock import Clock, ManualClock, SystemClock


def test_manual_clock_stands_still_until_moved() -> None:
    clock = ManualClock(monotonic_s=5.0, unix_s=100.0)
    assert (clock.monotonic_s(), clock.unix_s()) == (5.0, 100.0)
    assert (clock.monotonic_s(), clock.unix_s()) == (5.0, 100.0)
    clock.advance(2.5)
    assert (clock.monotonic_s(), clock.unix_s()) == (7.5, 102.5)
    clock.advance(0)
    assert (clock.monotonic_s(), clock.unix_s()) == (7.5, 102.5)


def test_manual_clock_refuses_to_go_back() -> None:
    clock = ManualClock()
    with pytest.raises(ValueError, match="does not go back"):
        clock.advance(-1)
    assert clock.monotonic_s() == 0.0


def test_system_clock_never_goes_back() -> None:
    clock: Clock = SystemClock()
    readings = [clock.monotonic_s() for _ in range(100)]
    assert readings == sorted(readings)


def test_system_clock_reads_seconds_since_1970() -> None:
    # Between the years 2020 and 2100, so in seconds and not another unit.
    assert 1_577_836_800 < SystemClock().unix_s() < 4_102_444_800
