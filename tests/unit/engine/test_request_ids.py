from miniet.engine.request_ids import RequestIds

MEMBER_ID = 0xDE347C11059B7BA4


def test_an_id_is_16_bits_of_the_member_then_time_then_a_count() -> None:
    unix_s = 1_600_000_000.0
    ids = RequestIds(MEMBER_ID, unix_s)
    milliseconds = 1_600_000_000_000 & (1 << 40) - 1
    assert ids.next() == 0x7BA4 << 48 | milliseconds << 8 | 1
    assert ids.next() == 0x7BA4 << 48 | milliseconds << 8 | 2


def test_ids_look_like_those_seen_on_a_real_server() -> None:
    # 7ba4a2041717b8xx: the middle is milliseconds modulo 2**40.
    ids = RequestIds(MEMBER_ID, ((1 << 40) + 0xA2041717B8) / 1000)
    assert ids.next_lease_id({}.get) == 0x7BA4A2041717B801


def test_the_count_runs_over_into_the_time() -> None:
    ids = RequestIds(1, 1.0)
    for _ in range(256):
        last = ids.next()
    assert last == 1 << 48 | 1001 << 8


def test_the_count_wraps_and_leaves_the_member_alone() -> None:
    ids = RequestIds(1, ((1 << 40) - 1) / 1000)
    for _ in range(255):
        assert ids.next() >> 48 == 1
    assert ids.next() == 1 << 48
    assert ids.next() == 1 << 48 | 1


def test_a_lease_id_is_a_positive_int64() -> None:
    ids = RequestIds(0xFFFF, 1_600_000_000.0)
    lease_ids = [ids.next_lease_id({}.get) for _ in range(1000)]
    assert all(0 < lease_id < 1 << 63 for lease_id in lease_ids)
    assert len(set(lease_ids)) == 1000


def test_a_lease_id_is_never_zero() -> None:
    ids = RequestIds(0x8000, ((1 << 40) - 1) / 1000)
    for _ in range(255):
        ids.next()
    assert ids.next_lease_id({}.get) == 1


def test_a_lease_id_is_not_that_of_a_lease_after_a_clock_went_back() -> None:
    before = RequestIds(MEMBER_ID, 1_600_000_000.0)
    leases = {before.next_lease_id({}.get): "lease" for _ in range(3)}
    after = RequestIds(MEMBER_ID, 1_600_000_000.0)
    assert after.next_lease_id(leases.get) == max(leases) + 1


def test_a_restart_a_millisecond_later_repeats_nothing() -> None:
    before = RequestIds(1, 1_600_000_000.000)
    used = {before.next() for _ in range(256)}
    assert RequestIds(1, 1_600_000_000.001).next() not in used
