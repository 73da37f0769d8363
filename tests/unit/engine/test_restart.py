"""A member started again, from every state that a crash can leave."""

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from miniet.engine.requests import RequestKind
from miniet.errors import DataError
from miniet.mvcc import RangeQuery
from miniet.pb import rpc_pb2
from miniet.raft import Entry, EntryType
from tests.support.engine_rig import EngineRig, MemoryLog
from tests.support.stores import pairs

Message = (
    rpc_pb2.PutRequest
    | rpc_pb2.DeleteRangeRequest
    | rpc_pb2.TxnRequest
    | rpc_pb2.CompactionRequest
    | rpc_pb2.LeaseGrantRequest
    | rpc_pb2.LeaseRevokeRequest
    | rpc_pb2.AlarmRequest
)
KINDS: dict[type, RequestKind] = {
    rpc_pb2.PutRequest: RequestKind.PUT,
    rpc_pb2.DeleteRangeRequest: RequestKind.DELETE_RANGE,
    rpc_pb2.TxnRequest: RequestKind.TXN,
    rpc_pb2.CompactionRequest: RequestKind.COMPACTION,
    rpc_pb2.LeaseGrantRequest: RequestKind.LEASE_GRANT,
    rpc_pb2.LeaseRevokeRequest: RequestKind.LEASE_REVOKE,
    rpc_pb2.AlarmRequest: RequestKind.ALARM,
}


# ---- a new member


def first_write(rig: EngineRig) -> None:
    ready = rig.engine.ready()
    assert ready is not None
    rig.log.write(ready)


BEGINNINGS: dict[str, Callable[[EngineRig], object]] = {
    "nothing was done": lambda rig: None,
    "the first entry was written": first_write,
    "the first entry was applied": EngineRig.turn,
    "it led": lambda rig: [rig.engine.campaign_soon(), rig.turn(), rig.turn()],
    "it served": EngineRig.started,
}


@pytest.mark.parametrize("name", BEGINNINGS)
@pytest.mark.parametrize("is_committed", [False, True])
def test_a_first_start_can_be_cut_off_after(name: str, is_committed: bool) -> None:
    rig = EngineRig()
    BEGINNINGS[name](rig)
    if is_committed:
        rig.backend.commit()
    whole = EngineRig().started()
    again = rig.restarted().started()
    assert again.state() == whole.state()
    assert again.put(b"k").revision == 2


def test_the_founding_entry_names_no_name() -> None:
    rig = EngineRig()
    rig.turn()
    [member] = rig.engine.membership.members
    assert (member.name, member.client_urls) == ("", ())
    assert not rig.engine.is_serving


# ---- exactly once


def test_what_the_backend_holds_is_not_applied_again() -> None:
    rig = EngineRig().started()
    rig.put(b"k")
    rig.put(b"k")
    again = rig.restarted(crash=False).started()
    assert again.state() == rig.state()
    assert again.engine.statistics().store.put_total == 0


def test_what_the_backend_lacks_is_applied_from_the_log() -> None:
    rig = EngineRig().started()
    rig.put(b"k")
    rig.backend.commit()
    rig.put(b"k")
    again = rig.restarted().started()
    assert again.state() == rig.state()
    assert again.engine.statistics().store.put_total == 1


def test_what_was_never_durable_is_gone() -> None:
    rig = EngineRig().started()
    rig.put(b"k")
    rig.ask(RequestKind.PUT, rpc_pb2.PutRequest(key=b"lost"))
    again = rig.restarted().started()
    assert again.state() == rig.state()
    assert pairs(again.engine.store) == {b"k": b"v"}


def test_leases_keep_their_keys_over_a_restart() -> None:
    rig = EngineRig().started()
    rig.grant(7, 60)
    rig.put(b"k", lease=7)
    again = rig.restarted(crash=False).started()
    again.revoke(7)
    assert pairs(again.engine.store) == {}


def test_a_restart_answers_nobody_of_before() -> None:
    rig = EngineRig().started()
    answers = rig.ask(RequestKind.PUT, rpc_pb2.PutRequest(key=b"k"))
    first_write(rig)
    again = rig.restarted().started()
    assert answers == []
    assert again.engine.store.current_revision == 2


# ---- what cannot be read


def rig_with_log_tail(data: bytes) -> EngineRig:
    rig = EngineRig().started()
    last = rig.log.entries[-1]
    log = MemoryLog()
    log.hard_state = rig.log.hard_state
    log.entries = [
        *rig.log.entries,
        Entry(last.term, last.index + 1, EntryType.NORMAL, data),
    ]
    return EngineRig(log, rig.backend.crashed())


def test_an_entry_that_cannot_be_read_stops_the_member_and_is_named() -> None:
    rig = rig_with_log_tail(b"\xff\xff")
    with pytest.raises(DataError, match="entry 5 of the log"):
        rig.started()
    assert rig.engine.applied_index == 4
    # Nothing of the log may be skipped for good.
    assert not rig.engine.is_serving


# ---- any history, any crash


def put(key: bytes, value: bytes, lease: int) -> rpc_pb2.PutRequest:
    return rpc_pb2.PutRequest(key=key, value=value, lease=lease)


def delete(key: bytes, end: bytes) -> rpc_pb2.DeleteRangeRequest:
    return rpc_pb2.DeleteRangeRequest(key=key, range_end=end)


def txn(
    version: int, first: rpc_pb2.PutRequest, second: rpc_pb2.DeleteRangeRequest
) -> rpc_pb2.TxnRequest:
    request = rpc_pb2.TxnRequest()
    request.compare.add(key=first.key, target="VERSION", version=version)
    request.success.add(request_put=first)
    request.success.add(request_put=rpc_pb2.PutRequest(key=b"other", value=b"w"))
    request.failure.add(request_delete_range=second)
    return request


def alarm(action: int, member_id: int) -> rpc_pb2.AlarmRequest:
    request = rpc_pb2.AlarmRequest(memberID=member_id, alarm="NOSPACE")
    request.action = action  # type: ignore[assignment]
    return request


KEYS = st.sampled_from([b"a", b"b", b"c"])
LEASES = st.sampled_from([0, 0, 0, 1, 2])
PUTS = st.builds(put, KEYS, st.sampled_from([b"", b"x", b"yy"]), LEASES)
DELETES = st.builds(delete, KEYS, st.sampled_from([b"", b"z", b"\x00"]))
MESSAGES: st.SearchStrategy[Message] = st.one_of(
    PUTS,
    PUTS,
    DELETES,
    st.builds(txn, st.integers(0, 2), PUTS, DELETES),
    st.builds(
        lambda revision: rpc_pb2.CompactionRequest(revision=revision),
        st.integers(0, 12),
    ),
    st.builds(
        lambda lease_id: rpc_pb2.LeaseGrantRequest(ID=lease_id, TTL=60),
        st.integers(1, 2),
    ),
    st.builds(
        lambda lease_id: rpc_pb2.LeaseRevokeRequest(ID=lease_id), st.integers(1, 2)
    ),
    st.builds(alarm, st.integers(1, 2), st.integers(1, 1)),
)
# What happens around a request: nothing, or a crash at some point of its way.
EVENTS = st.sampled_from(
    ["", "", "", "commit", "compact", "lost", "durable", "applied", "killed"]
)


def finish_compactions(rig: EngineRig) -> None:
    while rig.engine.step_compaction():
        pass


def do(rig: EngineRig, message: Message, event: str) -> EngineRig:
    """Carry a request out, once, whatever the event; return the rig to go on with."""
    kind = KINDS[type(message)]
    if event == "lost":
        rig.ask(kind, message)
        rig = rig.restarted().started()
    if event == "durable":
        rig.ask(kind, message)
        first_write(rig)
        return rig.restarted().started()
    rig.propose(kind, message)
    if event == "applied":
        return rig.restarted().started()
    if event == "killed":
        return rig.restarted(crash=False).started()
    if event == "commit":
        rig.backend.commit()
    if event == "compact":
        rig.engine.step_compaction()
    return rig


def state(rig: EngineRig) -> dict[str, object]:
    """Return everything but the hash, and every pair.

    The hash may depend on how far a compaction has come, as etcd's does when no key
    is left.
    """
    query = RangeQuery(b"\x00", b"\x00")
    return rig.state() | {"hash": rig.engine.store.read().range(query).kvs}


@settings(deadline=None)
@given(st.lists(st.tuples(MESSAGES, EVENTS), max_size=25))
def test_restarts_at_any_point_change_nothing(
    history: list[tuple[Message, str]],
) -> None:
    straight = EngineRig().started()
    broken = EngineRig(snapshot_count=6, catchup_entries=2).started()
    for message, event in history:
        straight = do(straight, message, "")
        broken = do(broken, message, event)
        assert state(broken) == state(straight)
    again = broken.restarted().started()
    for rig in (straight, broken, again):
        finish_compactions(rig)
        assert rig.state() == straight.state()
