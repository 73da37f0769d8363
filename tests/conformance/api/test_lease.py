"""Leases: ids, times to live, renewal, and what goes with them."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from miniet.pb import rpc_pb2
from tests.conformance.api.conftest import REAL
from tests.conformance.api.refusals import (
    LEASE_EXISTS,
    LEASE_NOT_FOUND,
    TTL_TOO_LARGE,
)
from tests.conformance.api.targets import MINIET, Target, running

TTL_MAX_S = 9_000_000_000


def wait_until(condition: Callable[[], bool], seconds: float = 10.0) -> None:
    deadline_s = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline_s, "it did not happen in time"
        time.sleep(0.02)


def renewed(server: Target, *lease_ids: int) -> list[tuple[int, int]]:
    """Renew on one stream; return (lease id, TTL) of each answer."""
    stream = server.keep_alive()
    answers = []
    for lease_id in lease_ids:
        stream.send(rpc_pb2.LeaseKeepAliveRequest(ID=lease_id))
        answer = stream.receive()
        answers.append((answer.ID, answer.TTL))
    stream.cancel()
    return answers


@pytest.fixture(params=[MINIET, REAL])
def slow_server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Target]:
    """A server with the election timeout that it has by default."""
    flags = ("--heartbeat-interval=100", "--election-timeout=1000")
    with running(request.param, tmp_path, *flags) as target:
        yield target


@pytest.mark.parametrize(("ttl", "granted"), [(0, 2), (-5, 2), (1, 2), (2, 2), (3, 3)])
def test_ttl_is_at_least_that_of_three_half_elections(
    slow_server: Target, ttl: int, granted: int
) -> None:
    granted_s = slow_server.call("LeaseGrant", TTL=ttl).TTL
    assert granted_s == granted


def test_server_chooses_positive_ids(server: Target) -> None:
    ids = [server.call("LeaseGrant", TTL=100).ID for _ in range(3)]
    assert all(lease_id > 0 for lease_id in ids)
    assert len(set(ids)) == 3
    # The member's id is in front of it.
    member_id = server.call("Status").leader
    assert ids[0] >> 48 == member_id & 0x7FFF


@pytest.mark.parametrize("lease_id", [1, -1, 2**63 - 1, -(2**63)])
def test_client_may_choose_any_id(server: Target, lease_id: int) -> None:
    granted_id = server.call("LeaseGrant", ID=lease_id, TTL=100).ID
    assert granted_id == lease_id
    server.call("Put", key=b"a", lease=lease_id)
    assert server.call("Range", key=b"a").kvs[0].lease == lease_id
    assert [each.ID for each in server.call("LeaseLeases").leases] == [lease_id]


def test_id_in_use_is_refused(server: Target) -> None:
    server.call("LeaseGrant", ID=7, TTL=100)
    assert server.refusal("LeaseGrant", ID=7, TTL=200) == LEASE_EXISTS
    assert server.call("LeaseTimeToLive", ID=7).grantedTTL == 100


def test_ttl_has_a_largest(server: Target) -> None:
    assert server.call("LeaseGrant", ID=7, TTL=TTL_MAX_S).TTL == TTL_MAX_S
    assert server.refusal("LeaseGrant", TTL=TTL_MAX_S + 1) == TTL_TOO_LARGE
    assert server.refusal("LeaseGrant", ID=7, TTL=TTL_MAX_S + 1) == TTL_TOO_LARGE


def test_grant_makes_no_revision(server: Target) -> None:
    server.call("LeaseGrant", TTL=100)
    assert server.revision() == 1


def test_revoke_of_an_unknown_lease_is_refused(server: Target) -> None:
    assert server.refusal("LeaseRevoke", ID=7) == LEASE_NOT_FOUND
    assert server.refusal("LeaseRevoke", ID=0) == LEASE_NOT_FOUND


def test_revoke_deletes_the_keys_in_order_and_in_one_revision(server: Target) -> None:
    server.call("LeaseGrant", ID=7, TTL=100)
    for key in (b"c", b"a", b"b"):
        server.call("Put", key=key, lease=7)
    watch = server.watch(key=b"\x00", range_end=b"\x00")
    assert watch.receive().created
    assert server.call("LeaseRevoke", ID=7).header.revision == 5
    answer = watch.receive()
    assert [event.kv.key for event in answer.events] == [b"a", b"b", b"c"]
    assert {event.kv.mod_revision for event in answer.events} == {5}
    watch.cancel()


def test_revoke_of_a_lease_without_keys_makes_no_revision(server: Target) -> None:
    server.call("LeaseGrant", ID=7, TTL=100)
    assert server.call("LeaseRevoke", ID=7).header.revision == 1
    assert server.refusal("LeaseRevoke", ID=7) == LEASE_NOT_FOUND


def test_id_is_free_after_revoke(server: Target) -> None:
    server.call("LeaseGrant", ID=7, TTL=100)
    server.call("LeaseRevoke", ID=7)
    assert server.call("LeaseGrant", ID=7, TTL=50).TTL == 50


def test_time_to_live_tells_what_is_left_in_whole_seconds(server: Target) -> None:
    server.call("LeaseGrant", ID=7, TTL=100)
    answer = server.call("LeaseTimeToLive", ID=7)
    assert (answer.ID, answer.grantedTTL) == (7, 100)
    assert answer.TTL in (98, 99)


def test_time_to_live_names_keys_only_when_asked(server: Target) -> None:
    server.call("LeaseGrant", ID=7, TTL=100)
    for key in (b"b", b"a"):
        server.call("Put", key=key, lease=7)
    assert not server.call("LeaseTimeToLive", ID=7).keys
    keys = server.call("LeaseTimeToLive", ID=7, keys=True).keys
    assert sorted(keys) == [b"a", b"b"]


def test_time_to_live_of_an_unknown_lease_is_minus_one(server: Target) -> None:
    answer = server.call("LeaseTimeToLive", ID=7, keys=True)
    assert (answer.ID, answer.TTL, answer.grantedTTL) == (7, -1, 0)


def test_leases_are_listed_soonest_first(server: Target) -> None:
    for lease_id, ttl in ((1, 300), (2, 100), (3, 200)):
        server.call("LeaseGrant", ID=lease_id, TTL=ttl)
    assert [each.ID for each in server.call("LeaseLeases").leases] == [2, 3, 1]


def test_key_belongs_to_its_last_lease(server: Target) -> None:
    for lease_id in (1, 2):
        server.call("LeaseGrant", ID=lease_id, TTL=100)
        server.call("Put", key=b"a", lease=lease_id)
    assert not server.call("LeaseTimeToLive", ID=1, keys=True).keys
    server.call("LeaseRevoke", ID=1)
    assert server.call("Range", key=b"a").count == 1
    server.call("LeaseRevoke", ID=2)
    assert server.call("Range", key=b"a").count == 0


def test_one_stream_renews_many_leases_in_order(server: Target) -> None:
    for lease_id in (1, 2, 3):
        server.call("LeaseGrant", ID=lease_id, TTL=100 * lease_id)
    assert renewed(server, 3, 1, 3, 2) == [(3, 300), (1, 100), (3, 300), (2, 200)]


def test_renewal_of_an_unknown_lease_says_zero_and_goes_on(server: Target) -> None:
    server.call("LeaseGrant", ID=7, TTL=100)
    assert renewed(server, 9, 7, 0) == [(9, 0), (7, 100), (0, 0)]


def test_renewal_stream_ends_with_the_clients_side(server: Target) -> None:
    server.call("LeaseGrant", ID=7, TTL=100)
    stream = server.keep_alive()
    stream.send(rpc_pb2.LeaseKeepAliveRequest(ID=7))
    stream.half_close()
    assert stream.receive().TTL == 100
    with pytest.raises(EOFError):
        stream.receive()


def test_expired_lease_takes_its_keys_in_order_and_in_one_revision(
    server: Target,
) -> None:
    watch = server.watch(key=b"\x00", range_end=b"\x00", filters=["NOPUT"])
    assert watch.receive().created
    server.call("LeaseGrant", ID=7, TTL=1)
    for key in (b"b", b"c", b"a"):
        server.call("Put", key=key, lease=7)
    answer = watch.receive()
    assert [event.kv.key for event in answer.events] == [b"a", b"b", b"c"]
    assert {event.kv.mod_revision for event in answer.events} == {5}
    assert server.call("LeaseTimeToLive", ID=7).TTL == -1
    assert renewed(server, 7) == [(7, 0)]
    watch.cancel()


def test_renewed_lease_outlives_its_first_term(server: Target) -> None:
    for lease_id in (1, 2):
        server.call("LeaseGrant", ID=lease_id, TTL=1)
        server.call("Put", key=b"%d" % lease_id, lease=lease_id)

    def first_is_gone() -> bool:
        assert renewed(server, 2) == [(2, 1)]
        return server.call("Range", key=b"1").count == 0

    wait_until(first_is_gone)
    assert server.call("Range", key=b"2").count == 1
