"""What etcd's revisions, watchers and leases add to the search for an order."""

from math import inf
from typing import Any

from tests.simulation.calls import Expire, Grant, Read
from tests.simulation.specification import Etcd
from tests.support.linearizability import Operation, check
from tests.support.model_api import Change, Put, Range


def etcd_verdict(told: Any, *operations: Operation) -> bool:
    etcd = Etcd(told, revision_max=9)
    return check(operations, etcd.specification()).is_linearizable


def put(value: bytes, begun_s: float, ended_s: float, revision: int) -> Operation:
    answer = (revision, None) if revision else None
    return Operation("c", Put(b"k", value), begun_s, ended_s, answer)


def serializable(pairs: list[Any], begun_s: float, revision: int) -> Operation:
    call = Read(Range(b"k"), is_serializable=True)
    answer = (revision, pairs, len(pairs), False)
    return Operation("c", call, begun_s, begun_s + 1, answer)


FIRST, SECOND = (b"k", b"1", 2, 2, 1, 0), (b"k", b"2", 2, 3, 2, 0)


def test_revisions_say_the_order_of_writes() -> None:
    assert etcd_verdict({}, put(b"1", 0, 9, 3), put(b"2", 0, 9, 2))
    assert not etcd_verdict({}, put(b"1", 0, 1, 3), put(b"2", 2, 3, 2))
    assert not etcd_verdict({}, put(b"1", 0, 9, 2), put(b"2", 0, 9, 4))


def test_serializable_read_shows_a_state_of_before_as_it_was() -> None:
    puts = put(b"1", 0, 1, 2), put(b"2", 2, 3, 3)
    assert etcd_verdict({}, *puts, serializable([FIRST], 5, 2))
    assert etcd_verdict({}, *puts, serializable([SECOND], 5, 3))
    assert not etcd_verdict({}, *puts, serializable([SECOND], 5, 2))
    assert not etcd_verdict({}, *puts, serializable([FIRST], 5, 4))


def test_what_watchers_heard_decides_what_a_lost_call_did() -> None:
    lost = put(b"1", 0, inf, 0)
    after = put(b"2", 2, 3, 3)
    mine = {2: [Change(2, 0, b"k", b"1", create_revision=2, version=1)]}
    another = {2: [Change(2, 0, b"k", b"x", create_revision=2, version=1)]}
    assert etcd_verdict(mine, lost, after)
    assert not etcd_verdict(another, lost, after)


def test_lease_ends_by_itself_only_when_its_time_is_over() -> None:
    grant = Operation("c", Grant(7, 5), 0, 1, (1, 7, 5))
    leased = Operation("c", Put(b"k", b"1", 7), 1, 2, (2, None))

    def gone(begun_s: float) -> Operation:
        return Operation(
            "c", Read(Range(b"k")), begun_s, begun_s + 1, (3, [], 0, False)
        )

    expiry = Operation("server", Expire(7), 5)
    assert etcd_verdict({}, grant, leased, expiry, gone(6))
    assert not etcd_verdict({}, grant, leased, expiry, gone(3))
