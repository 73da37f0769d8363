import tracemalloc
from math import inf
from pathlib import Path

import pytest

import miniet.lease
from miniet.errors import InvariantError
from miniet.lease import (
    FOREVER_REMAINING_S,
    LEASE_TTL_S_MAX,
    LeaseExistsError,
    LeaseExpiredError,
    LeaseNotFoundError,
    LeaseTtlTooLargeError,
    Lessor,
    NotPrimaryError,
)
from tests.unit.lease.support import Bench, DictLeaseStore

# ---- grant


@pytest.mark.parametrize(
    ("asked_s", "granted_s"),
    [(-5, 2), (0, 2), (1, 2), (2, 2), (3, 3), (LEASE_TTL_S_MAX, LEASE_TTL_S_MAX)],
)
def test_grant_raises_ttl_to_the_minimum(asked_s: int, granted_s: int) -> None:
    bench = Bench()
    lease = bench.lessor.grant(7, asked_s)
    bench.lessor._check()
    assert lease.ttl_s == granted_s
    assert bench.store.records == {7: (granted_s, 0)}
    assert bench.remaining_s(7) == granted_s


@pytest.mark.parametrize(
    ("lease_id", "ttl_s", "error"),
    [
        (0, 10, LeaseNotFoundError),
        (8, LEASE_TTL_S_MAX + 1, LeaseTtlTooLargeError),
        (7, 10, LeaseExistsError),
        (7, LEASE_TTL_S_MAX + 1, LeaseTtlTooLargeError),
    ],
)
def test_refused_grant_changes_nothing(
    lease_id: int, ttl_s: int, error: type[Exception]
) -> None:
    bench = Bench()
    bench.lessor.grant(7, 60)
    before = bench.lessor.statistics()
    with pytest.raises(error):
        bench.lessor.grant(lease_id, ttl_s)
    bench.lessor._check()
    assert bench.lessor.statistics() == before
    assert bench.store.records == {7: (60, 0)}


@pytest.mark.parametrize("lease_id", [-1, -(2**63), 1, 2**63 - 1])
def test_any_int64_but_zero_is_an_id(lease_id: int) -> None:
    bench = Bench()
    bench.lessor.grant(lease_id, 10)
    assert bench.lessor.renew(lease_id) == 10


def test_grant_keeps_nothing_when_the_store_fails() -> None:
    class FullStore(DictLeaseStore):
        def save(self, lease_id: int, ttl_s: int, remaining_ttl_s: int) -> None:
            raise OSError("no space")

    bench = Bench()
    lessor = Lessor(bench.clock, FullStore())
    with pytest.raises(OSError, match="no space"):
        lessor.grant(7, 10)
    assert lessor.lookup(7) is None
    lessor._check()


# ---- revoke


def test_revoke_deletes_keys_in_byte_order_in_one_call() -> None:
    bench = Bench()
    bench.lessor.grant(7, 10)
    for key in (b"b", b"\xff", b"a\x00", b"a"):
        bench.keys.put(key, 7)
    bench.keys.put(b"other", 0)
    bench.lessor.revoke(7)
    bench.lessor._check()
    assert bench.keys.deletions == [[b"a", b"a\x00", b"b", b"\xff"]]
    assert bench.keys.keys == {b"other"}
    assert bench.lessor.lookup(7) is None
    assert bench.store.records == {}


def test_revoke_without_keys_does_not_call_the_store() -> None:
    bench = Bench()
    bench.lessor.grant(7, 10)
    bench.lessor.revoke(7)
    assert bench.keys.deletions == []


def test_revoke_forgets_attached_keys_that_do_not_exist() -> None:
    bench = Bench()
    bench.lessor.grant(7, 10)
    bench.lessor.attach(7, b"ghost")
    bench.lessor.revoke(7)
    bench.lessor._check()
    assert bench.lessor.lease_of(b"ghost") == 0


def test_revoke_of_unknown_lease_is_refused() -> None:
    with pytest.raises(LeaseNotFoundError) as caught:
        Bench().lessor.revoke(7)
    assert caught.value.lease_id == 7


def test_revoke_of_keys_needs_the_range_deleter() -> None:
    bench = Bench()
    bench.lessor.grant(7, 10)
    bench.lessor.attach(7, b"a")
    bench.lessor.range_deleter = None
    with pytest.raises(InvariantError):
        bench.lessor.revoke(7)
    bench.lessor._check()
    assert bench.lessor.lookup(7) is not None


def test_revoked_lease_leaves_its_heap_element_until_it_is_the_earliest() -> None:
    bench = Bench()
    bench.lessor.grant(1, 10)
    bench.lessor.grant(2, 20)
    bench.lessor.revoke(2)
    assert bench.lessor.take_expired() == []
    assert bench.lessor.statistics().heap_element_count == 2
    bench.clock.advance(10)
    assert bench.lessor.take_expired() == [1]
    bench.lessor.revoke(1)
    assert bench.lessor.take_expired() == []
    assert bench.lessor.statistics().heap_element_count == 0
    bench.lessor._check()


def test_id_granted_again_uses_the_element_left_behind() -> None:
    bench = Bench()
    bench.lessor.grant(1, 10)
    bench.lessor.revoke(1)
    bench.lessor.grant(1, 60)
    bench.lessor._check()
    assert bench.lessor.statistics().heap_element_count == 1
    bench.clock.advance(10)
    assert bench.lessor.take_expired() == []


# ---- attach and detach


def test_attach_moves_a_key_between_leases() -> None:
    bench = Bench()
    bench.lessor.grant(1, 10)
    bench.lessor.grant(2, 10)
    bench.lessor.attach(1, b"k")
    bench.lessor.attach(2, b"k")
    bench.lessor._check()
    assert bench.lessor.lease_of(b"k") == 2
    assert bench.lessor.time_to_live(1, keys=True) == (10, 10, [])
    assert bench.lessor.time_to_live(2, keys=True) == (10, 10, [b"k"])
    assert bench.lessor.statistics().keyed_lease_count == 1


def test_attach_to_the_same_lease_again_changes_nothing() -> None:
    bench = Bench()
    bench.lessor.grant(1, 10)
    bench.lessor.attach(1, b"k")
    before = bench.lessor.statistics()
    (kept,) = bench.lessor._holder_of_key
    bench.lessor.attach(1, b"k")
    bench.lessor._check()
    assert bench.lessor.statistics() == before
    assert next(iter(bench.lessor._holder_of_key)) is kept


def test_attach_to_unknown_lease_leaves_the_key_where_it_was() -> None:
    bench = Bench()
    bench.lessor.grant(1, 10)
    bench.lessor.attach(1, b"k")
    with pytest.raises(LeaseNotFoundError):
        bench.lessor.attach(2, b"k")
    bench.lessor._check()
    assert bench.lessor.lease_of(b"k") == 1


@pytest.mark.parametrize(
    ("lease_id", "key", "held_by"),
    [(1, b"k", 0), (2, b"k", 1), (3, b"k", 1), (1, b"x", 1)],
    ids=["holder", "other lease", "unknown lease", "other key"],
)
def test_detach_touches_only_what_that_lease_holds(
    lease_id: int, key: bytes, held_by: int
) -> None:
    bench = Bench()
    bench.lessor.grant(1, 10)
    bench.lessor.grant(2, 10)
    bench.lessor.attach(1, b"k")
    bench.lessor.detach(lease_id, key)
    bench.lessor._check()
    assert bench.lessor.lease_of(b"k") == held_by


@pytest.mark.traced
def test_what_is_kept_is_allocated_by_the_package() -> None:
    bench = Bench()
    keys = [b"key-%d" % number for number in range(500)]
    lease_ids = [2**60 + number for number in range(500)]
    tracemalloc.start(8)
    before = tracemalloc.get_traced_memory()[0]
    for lease_id, key in zip(lease_ids, keys, strict=True):
        bench.lessor.grant(lease_id, 600)
        bench.lessor.attach(lease_id, key)
    grown = tracemalloc.get_traced_memory()[0] - before
    traces = tracemalloc.take_snapshot().traces
    tracemalloc.stop()
    package = str(Path(miniet.lease.__file__).parent)
    booked = sum(t.size for t in traces if t.traceback[-1].filename.startswith(package))
    # The rest is the test's own store.
    store = sum(t.size for t in traces if t.traceback[-1].filename.endswith("ort.py"))
    assert booked > 500 * 400
    assert booked + store > 0.95 * grown
    # Each key and id is a copy: nothing kept is the caller's object.
    assert not {id(key) for key in keys} & {id(k) for k in bench.lessor._holder_of_key}
    assert not {id(i) for i in lease_ids} & {id(i) for i in bench.lessor._leases}


def test_key_is_kept_once_for_both_maps() -> None:
    bench = Bench()
    lease = bench.lessor.grant(1, 10)
    bench.lessor.attach(1, b"key")
    (in_lease,) = lease.sorted_keys()
    (in_map,) = bench.lessor._holder_of_key
    assert in_lease is in_map


# ---- renew and time


def test_renew_starts_the_ttl_anew() -> None:
    bench = Bench()
    bench.lessor.grant(7, 10)
    bench.clock.advance(9)
    assert bench.remaining_s(7) == 1
    assert bench.lessor.renew(7) == 10
    bench.lessor._check()
    assert bench.remaining_s(7) == 10
    bench.clock.advance(9)
    assert bench.lessor.take_expired() == []


@pytest.mark.parametrize(
    ("primary", "lease_id", "error"),
    [
        (False, 7, NotPrimaryError),
        (False, 8, NotPrimaryError),
        (True, 8, LeaseNotFoundError),
        (True, 7, LeaseExpiredError),
    ],
)
def test_renew_is_refused(primary: bool, lease_id: int, error: type[Exception]) -> None:
    bench = Bench(primary=primary)
    bench.lessor.grant(7, 10)
    bench.clock.advance(10)
    with pytest.raises(error) as caught:
        bench.lessor.renew(lease_id)
    assert type(caught.value) is error
    assert bench.lessor.statistics().renewed_total == 0


def test_expired_lease_still_exists_until_it_is_revoked() -> None:
    bench = Bench()
    bench.lessor.grant(7, 10)
    bench.clock.advance(12.5)
    assert bench.lessor.time_to_live(7, keys=False) == (-2, 10, [])
    bench.lessor.attach(7, b"k")
    bench.lessor.revoke(7)
    assert bench.lessor.time_to_live(7, keys=False) is None


def test_only_leases_that_ran_out_count_as_expired() -> None:
    bench = Bench()
    bench.lessor.grant(1, 10)
    bench.lessor.grant(2, 20)
    bench.clock.advance(10)
    bench.lessor.revoke(1)
    bench.lessor.revoke(2)
    statistics = bench.lessor.statistics()
    assert (statistics.expired_total, statistics.revoked_total) == (1, 2)


# ---- expiry


def test_expired_leases_come_earliest_first_and_up_to_the_limit() -> None:
    bench = Bench()
    for lease_id, ttl_s in [(1, 30), (2, 10), (3, 20), (4, 40)]:
        bench.lessor.grant(lease_id, ttl_s)
    bench.clock.advance(30)
    assert bench.lessor.take_expired(limit=2) == [2, 3]
    assert bench.lessor.take_expired(limit=2) == [1]
    bench.lessor._check()


def test_expired_lease_comes_up_again_after_the_retry_interval() -> None:
    bench = Bench()
    bench.lessor.grant(7, 10)
    bench.clock.advance(10)
    assert bench.lessor.take_expired() == [7]
    bench.clock.advance(6.5)
    assert bench.lessor.take_expired() == []
    bench.clock.advance(0.5)
    assert bench.lessor.take_expired() == [7]
    bench.lessor._check()


def test_no_more_than_500_expire_per_call() -> None:
    bench = Bench()
    for lease_id in range(1, 702):
        bench.lessor.grant(lease_id, 10)
    bench.clock.advance(10)
    first, second = bench.lessor.take_expired(), bench.lessor.take_expired()
    assert (len(first), len(second)) == (500, 201)
    assert {*first, *second} == set(range(1, 702))


def test_nothing_expires_where_no_time_runs() -> None:
    bench = Bench(primary=False)
    bench.lessor.grant(7, 10)
    bench.clock.advance(1000)
    assert bench.lessor.take_expired() == []
    assert bench.lessor.time_to_live(7, keys=False) == (FOREVER_REMAINING_S, 10, [])


def test_leases_are_listed_by_remaining_time() -> None:
    bench = Bench()
    for lease_id, ttl_s in [(1, 30), (2, 10), (3, 20)]:
        bench.lessor.grant(lease_id, ttl_s)
    assert [lease.id for lease in bench.lessor.leases()] == [2, 3, 1]
    bench.lessor.renew(2)
    bench.clock.advance(15)
    bench.lessor.renew(3)
    assert [lease.id for lease in bench.lessor.leases()] == [2, 1, 3]


# ---- promote and demote


def test_promote_gives_every_lease_its_ttl_and_the_extension() -> None:
    bench = Bench(primary=False)
    bench.lessor.grant(1, 10)
    bench.lessor.grant(2, 20)
    bench.clock.advance(500)
    bench.lessor.promote(1.5)
    bench.lessor._check()
    assert [lease.expiry_s for lease in bench.lessor.leases()] == [1511.5, 1521.5]
    bench.clock.advance(11.5)
    assert bench.lessor.take_expired() == [1]


def test_promote_spreads_a_pile_of_leases() -> None:
    bench = Bench(primary=False)
    for lease_id in range(1, 2001):
        bench.lessor.grant(lease_id, 10)
    bench.lessor.promote(1.0)
    bench.lessor._check()
    bench.clock.advance(11)
    assert len(bench.lessor.take_expired(limit=5000)) == 750
    bench.clock.advance(1)
    assert len(bench.lessor.take_expired(limit=5000)) == 0
    bench.clock.advance(1)
    assert len(bench.lessor.take_expired(limit=5000)) == 750


def test_demote_stops_time_and_empties_the_heaps() -> None:
    bench = Bench(checkpoints=True)
    bench.lessor.grant(1, 10)
    bench.lessor.grant(2, 1000)
    bench.lessor.revoke(1)
    assert bench.lessor.statistics().checkpoint_element_count == 1
    bench.lessor.demote()
    bench.lessor._check()
    statistics = bench.lessor.statistics()
    assert not statistics.is_primary
    assert not bench.lessor.is_primary
    assert (statistics.heap_element_count, statistics.checkpoint_element_count) == (
        0,
        0,
    )
    bench.clock.advance(2000)
    assert bench.lessor.take_expired() == []
    assert bench.lessor.take_checkpoints() == []
    with pytest.raises(NotPrimaryError):
        bench.lessor.renew(2)


def test_promote_again_after_demote_starts_the_ttl_anew() -> None:
    bench = Bench()
    bench.lessor.grant(1, 10)
    bench.clock.advance(9)
    bench.lessor.demote()
    bench.lessor.promote(0.0)
    bench.lessor._check()
    assert bench.remaining_s(1) == 10


def test_promote_twice_schedules_once() -> None:
    bench = Bench(checkpoints=True)
    bench.lessor.grant(1, 1000)
    bench.lessor.promote(0.0)
    bench.lessor._check()
    statistics = bench.lessor.statistics()
    assert statistics.heap_element_count == 1
    assert statistics.checkpoint_element_count == 1


# ---- checkpoints


@pytest.mark.parametrize(
    ("ttl_s", "checkpoints", "scheduled"),
    [(300, True, 0), (301, True, 1), (301, False, 0)],
)
def test_only_a_rest_longer_than_the_interval_is_scheduled(
    ttl_s: int, checkpoints: bool, scheduled: int
) -> None:
    bench = Bench(checkpoints=checkpoints)
    bench.lessor.grant(7, ttl_s)
    assert bench.lessor.statistics().checkpoint_element_count == scheduled


def test_checkpoints_follow_one_another_until_the_rest_is_short() -> None:
    bench = Bench(checkpoints=True)
    bench.lessor.grant(7, 700)
    bench.clock.advance(299.5)
    assert bench.lessor.take_checkpoints() == []
    bench.clock.advance(1)
    assert bench.lessor.take_checkpoints() == [(7, 400)]
    assert bench.lessor.take_checkpoints() == []
    bench.lessor.checkpoint(7, 400)
    bench.clock.advance(300)
    assert bench.lessor.take_checkpoints() == [(7, 100)]
    bench.lessor.checkpoint(7, 100)
    bench.lessor._check()
    assert bench.lessor.statistics().checkpoint_element_count == 0


@pytest.mark.parametrize("why", ["revoked", "expired", "just renewed"])
def test_due_checkpoint_is_skipped(why: str) -> None:
    bench = Bench(checkpoints=True)
    bench.lessor.grant(7, 301)
    if why == "revoked":
        bench.lessor.revoke(7)
    if why == "just renewed":
        bench.clock.advance(299.5)
        bench.lessor.renew(7)
    bench.clock.advance(301 if why == "expired" else 300)
    if why == "just renewed":
        bench.lessor.renew(7)
    assert bench.lessor.take_checkpoints() == []
    assert bench.lessor.statistics().checkpoint_element_count == 0


def test_checkpoints_are_taken_up_to_the_limit() -> None:
    bench = Bench(checkpoints=True)
    for lease_id in range(1, 6):
        bench.lessor.grant(lease_id, 600)
    bench.clock.advance(300)
    assert len(bench.lessor.take_checkpoints(limit=3)) == 3
    assert len(bench.lessor.take_checkpoints(limit=3)) == 2


def test_promote_continues_from_the_checkpoint() -> None:
    bench = Bench(primary=False, checkpoints=True)
    bench.lessor.grant(7, 1000)
    bench.lessor.checkpoint(7, 400)
    bench.lessor.promote(1.0)
    bench.lessor._check()
    assert bench.remaining_s(7) == 401
    assert bench.lessor.statistics().checkpoint_element_count == 1


def test_renew_grants_the_ttl_once_the_checkpoint_is_reset() -> None:
    bench = Bench(checkpoints=True)
    bench.lessor.grant(7, 1000)
    assert not bench.lessor.needs_checkpoint_reset(7)
    bench.lessor.checkpoint(7, 400)
    assert bench.lessor.needs_checkpoint_reset(7)
    bench.lessor.renew(7)
    assert bench.remaining_s(7) == 400
    bench.lessor.checkpoint(7, 0)
    bench.lessor.renew(7)
    assert bench.remaining_s(7) == 1000
    assert not bench.lessor.needs_checkpoint_reset(8)


def test_without_checkpoints_a_restored_rest_stays() -> None:
    bench = Bench()
    bench.store.records = {7: (1000, 400)}
    bench.lessor.restore()
    bench.lessor.promote(0.0)
    assert not bench.lessor.needs_checkpoint_reset(7)
    bench.lessor.renew(7)
    assert bench.remaining_s(7) == 400


def test_checkpoint_of_unknown_lease_is_ignored() -> None:
    bench = Bench(checkpoints=True)
    bench.lessor.checkpoint(7, 100)
    bench.lessor._check()
    assert bench.store.records == {}


@pytest.mark.parametrize(("persist", "stored_s"), [(False, 0), (True, 100)])
def test_checkpoint_reaches_the_store_only_if_asked(
    persist: bool, stored_s: int
) -> None:
    bench = Bench(checkpoints=True, persist=persist)
    bench.lessor.grant(7, 600)
    bench.lessor.checkpoint(7, 100)
    assert bench.store.records == {7: (600, stored_s)}


# ---- restore and reset


def test_restore_takes_over_the_store_without_time() -> None:
    bench = Bench()
    bench.lessor.grant(99, 10)
    bench.store.records = {-3: (60, 0), 5: (1, 0), 6: (600, 50)}
    bench.lessor.restore()
    bench.lessor._check()
    assert not bench.lessor.is_primary
    assert {
        lease.id: (lease.ttl_s, lease.remaining_ttl_s, lease.expiry_s)
        for lease in bench.lessor.leases()
    } == {-3: (60, 0, inf), 5: (2, 0, inf), 6: (600, 50, inf)}


def test_reset_forgets_everything_but_the_store_and_the_totals() -> None:
    bench = Bench(checkpoints=True)
    bench.lessor.grant(1, 600)
    bench.lessor.attach(1, b"k")
    bench.lessor.reset()
    bench.lessor._check()
    statistics = bench.lessor.statistics()
    assert statistics.lease_count == statistics.attached_key_count == 0
    assert statistics.keyed_lease_count == statistics.attached_key_bytes == 0
    assert statistics.granted_total == 1
    assert bench.store.records == {1: (600, 0)}


# ---- errors, repr, _check


def test_errors_carry_what_they_speak_of() -> None:
    assert str(LeaseNotFoundError(255)) == "lease 0xff not found"
    assert str(LeaseExistsError(255)) == "lease 0xff already exists"
    assert LeaseTtlTooLargeError(10**10).ttl_s == 10**10
    assert issubclass(LeaseExpiredError, LeaseNotFoundError)


def test_repr_shows_sizes_not_contents() -> None:
    bench = Bench()
    bench.lessor.grant(1, 600)
    bench.lessor.attach(1, b"k")
    assert repr(bench.lessor) == "<Lessor primary leases=1 keys=1 heap=1>"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("_keyed_lease_count", 2),
        ("_attached_key_bytes", 7),
        ("_holder_of_key", {}),
        ("_is_primary", False),
        ("_min_ttl_s", 700),
    ],
)
def test_check_sees_a_wrong_field(field: str, value: object) -> None:
    bench = Bench()
    bench.lessor.grant(1, 600)
    bench.lessor.attach(1, b"k")
    setattr(bench.lessor, field, value)
    with pytest.raises(InvariantError):
        bench.lessor._check()
