import pytest

from miniet.engine.config import APPLY_LAG_MAX
from miniet.engine.errors import (
    RequestTimeoutError,
    RequestTooLargeError,
    StoppedError,
    TooManyRequestsError,
)
from miniet.engine.requests import PutRequest, RequestKind, encode
from miniet.engine.results import PutResult
from miniet.engine.waiters import ignore
from miniet.errors import RequestError
from miniet.pb import rpc_pb2
from miniet.raft import Entry, HardState
from miniet.raft.errors import ProposalDroppedError
from tests.support.engine_rig import MEMBER, EngineRig, MemoryLog

PUT = rpc_pb2.PutRequest(key=b"k", value=b"v")


def failed_total(rig: EngineRig) -> int:
    return rig.engine.statistics().proposals_failed_total


def test_an_answer_comes_when_the_entry_is_applied() -> None:
    rig = EngineRig().started()
    answers = rig.ask(RequestKind.PUT, PUT)
    assert rig.engine.statistics().proposals_pending == 1
    rig.run()
    assert answers == [PutResult(2)]
    assert rig.engine.statistics().proposals_pending == 0


def test_proposals_of_one_turn_share_one_write() -> None:
    rig = EngineRig().started()
    for _ in range(5):
        rig.ask(RequestKind.PUT, PUT)
    ready = rig.engine.ready()
    assert ready is not None
    assert len(ready.entries) == 5


def test_a_request_that_came_decoded_is_not_decoded_again() -> None:
    rig = EngineRig().started()
    body = PUT.SerializeToString()
    rig.engine.propose(RequestKind.PUT, body, ignore, PutRequest(b"as decoded"))
    rig.run()
    assert rig.engine.store.index.entry(b"as decoded") is not None


def test_another_entry_in_its_place_is_decoded() -> None:
    rig = EngineRig().started()
    proposals = rig.engine._proposals
    index = rig.engine.applied_index + 1
    body = PUT.SerializeToString()
    rig.engine.propose(RequestKind.PUT, body, ignore, PutRequest(b"as decoded"))
    rig.engine.ready()  # raft has it at that index now
    entry = Entry(1, index, data=encode(RequestKind.PUT, 7, body))
    assert proposals.decode(entry) == (7, PutRequest(b"k", b"v"))


def test_without_a_leader_proposals_are_dropped() -> None:
    rig = EngineRig()
    asked = [rig.ask(RequestKind.PUT, PUT) for _ in range(2)]
    rig.engine.ready()
    assert [type(answer) for [answer] in asked] == [ProposalDroppedError] * 2
    assert failed_total(rig) == 2


def test_an_entry_may_be_as_large_as_the_limit_and_no_larger() -> None:
    rig = EngineRig(max_request_bytes=1000).started()
    overhead = len(encode(RequestKind.PUT, 1 << 62, b""))

    def put_of(entry_bytes: int) -> rpc_pb2.PutRequest:
        put = rpc_pb2.PutRequest(key=b"k", value=bytes(900))
        spare = entry_bytes - overhead - 1 - put.ByteSize()
        return rpc_pb2.PutRequest(key=b"k", value=bytes(900 + spare))

    assert rig.propose(RequestKind.PUT, put_of(1000)) == PutResult(2)
    answer = rig.propose(RequestKind.PUT, put_of(1001))
    assert isinstance(answer, RequestTooLargeError)
    assert (answer.request_bytes, answer.request_bytes_max) == (1001, 1000)
    assert rig.engine.store.current_revision == 2


def test_a_request_times_out_and_may_still_be_applied() -> None:
    rig = EngineRig(request_timeout_s=7.0).started()
    answers = rig.ask(RequestKind.PUT, PUT)
    rig.clock.advance(6.9)
    rig.engine.tick()
    assert answers == []
    rig.clock.advance(0.1)
    rig.engine.tick()
    rig.run()
    assert [type(answer) for answer in answers] == [RequestTimeoutError]
    assert rig.engine.store.current_revision == 2
    assert failed_total(rig) == 1


@pytest.mark.parametrize(
    ("behind", "error"),
    [(APPLY_LAG_MAX, ProposalDroppedError), (APPLY_LAG_MAX + 1, TooManyRequestsError)],
)
def test_too_many_entries_to_apply_turn_requests_away(
    behind: int, error: type[RequestError]
) -> None:
    # As after a crash: all of the log is committed, nothing of it is applied yet.
    log = MemoryLog()
    log.entries = [Entry(1, index) for index in range(1, behind + 1)]
    log.hard_state = HardState(1, MEMBER.member_id, behind)
    rig = EngineRig(log)
    answers = rig.ask(RequestKind.PUT, PUT)
    rig.engine.ready()
    assert [type(answer) for answer in answers] == [error]


def test_a_stopped_member_applies_nothing_that_was_not_in_the_log() -> None:
    rig = EngineRig().started()
    rig.engine.stop()
    [answer] = rig.ask(RequestKind.PUT, PUT)
    assert isinstance(answer, StoppedError)
    assert not rig.turn()


def test_a_stop_forgets_what_raft_has_not_got() -> None:
    rig = EngineRig().started()
    answers = rig.ask(RequestKind.PUT, PUT)
    rig.engine.stop()
    assert [type(answer) for answer in answers] == [StoppedError]
    assert not rig.turn()
