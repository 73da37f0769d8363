import pytest

from miniet.lease import Lease
from miniet.lease.promotion import REVOKE_RATE, spread_pile_ups

NOW_S, EXTEND_S = 50.0, 1.0


def refreshed(count: int, ttl_s: int = 10) -> list[Lease]:
    leases = [Lease(number, ttl_s) for number in range(1, count + 1)]
    for lease in leases:
        lease.refresh(NOW_S, EXTEND_S)
    return leases


def expiries_after(leases: list[Lease]) -> list[float]:
    """Spread them and return by how much each expiry is beyond the first."""
    leases.sort(key=lambda lease: lease.expiry_s)
    first_s = leases[0].expiry_s
    spread_pile_ups(leases, NOW_S, EXTEND_S)
    return [lease.expiry_s - first_s for lease in leases]


def test_fewer_leases_than_the_rate_stay_together() -> None:
    assert set(expiries_after(refreshed(REVOKE_RATE - 1))) == {0.0}


def test_first_750_of_a_pile_keep_their_expiry() -> None:
    later_s = expiries_after(refreshed(REVOKE_RATE))
    assert set(later_s[:750]) == {0.0}
    assert later_s[750] == pytest.approx(751 / 750)
    assert later_s[999] == pytest.approx(1000 / 750)


def test_no_second_of_a_big_pile_holds_more_than_the_rate() -> None:
    later_s = sorted(expiries_after(refreshed(10_000)))
    for position in range(len(later_s) - REVOKE_RATE):
        assert later_s[position + REVOKE_RATE] - later_s[position] > 1.0
    assert later_s[-1] == pytest.approx(10_000 / 750)


def test_delay_within_a_window_counts_from_its_beginning() -> None:
    # 800 at 10 s, 200 at 11 s: still the first window, which ends a second after
    # its beginning, so the later ones need a second less of delay.
    later_s = expiries_after(refreshed(800) + refreshed(200, ttl_s=11))
    assert later_s[799] == pytest.approx(800 / 750)
    assert later_s[800] == pytest.approx(801 / 750)


def test_leases_beyond_the_window_start_a_new_one() -> None:
    later_s = expiries_after(refreshed(700) + refreshed(700, ttl_s=12))
    assert later_s == [0.0] * 700 + [2.0] * 700


def test_new_window_counts_its_first_lease() -> None:
    later_s = expiries_after(refreshed(700) + refreshed(751, ttl_s=12))
    assert later_s[700:1450] == [2.0] * 750
    assert later_s[1450] == pytest.approx(2 + 751 / 750)


def test_delay_moves_the_end_of_the_window() -> None:
    # The last one ends 1.001 s after the window's beginning; the 1000 before it have
    # moved the window's end beyond that.
    leases = [*refreshed(1000), *refreshed(1)]
    leases[-1].expiry_s += 1.001
    assert expiries_after(leases)[-1] == pytest.approx(1001 / 750 - 1.001)
