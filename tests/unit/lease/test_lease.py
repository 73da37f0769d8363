from math import inf

import pytest

from miniet.lease import FOREVER_REMAINING_S, Lease


def test_new_lease_has_no_time_and_no_keys() -> None:
    lease = Lease(7, 10)
    assert lease.expiry_s == inf
    assert lease.sorted_keys() == []
    assert lease.remaining_s(1e9) == FOREVER_REMAINING_S
    assert not lease.has_expired(1e9)


@pytest.mark.parametrize(
    ("passed_s", "remaining_s", "expired"),
    [
        (0.0, 10, False),
        (0.5, 9, False),
        (9.5, 0, False),
        (10.0, 0, True),
        (10.9, 0, True),
        (11.0, -1, True),
        (13.5, -3, True),
    ],
)
def test_remaining_is_cut_towards_zero(
    passed_s: float, remaining_s: int, expired: bool
) -> None:
    lease = Lease(7, 10)
    lease.refresh(100.0)
    assert lease.remaining_s(100.0 + passed_s) == remaining_s
    assert lease.has_expired(100.0 + passed_s) is expired


@pytest.mark.parametrize(
    ("remaining_ttl_s", "extend_s", "expiry_s"),
    [(0, 0.0, 160.0), (0, 1.5, 161.5), (20, 0.0, 120.0), (20, 1.0, 121.0)],
)
def test_refresh_grants_checkpointed_rest_before_ttl(
    remaining_ttl_s: int, extend_s: float, expiry_s: float
) -> None:
    lease = Lease(7, 60, remaining_ttl_s)
    lease.refresh(100.0, extend_s)
    assert lease.expiry_s == expiry_s


def test_last_key_detached_frees_the_set() -> None:
    lease = Lease(7, 60)
    lease.add_key(b"b")
    lease.add_key(b"a")
    assert lease.sorted_keys() == [b"a", b"b"]
    lease.discard_key(b"a")
    lease.discard_key(b"b")
    assert lease.key_count == 0
    assert lease._keys is None


def test_repr_shows_sizes_not_contents() -> None:
    lease = Lease(0x7BA4, 60)
    lease.add_key(b"secret")
    assert repr(lease) == "<Lease 0x7ba4 ttl=60s keys=1>"
