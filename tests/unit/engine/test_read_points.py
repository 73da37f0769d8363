import pytest

from miniet.engine.errors import StoppedError
from miniet.engine.read_points import ReadPoints
from miniet.engine.requests import RequestKind
from miniet.errors import RequestError
from miniet.pb import rpc_pb2
from miniet.raft import ReadState
from tests.support.engine_rig import EngineRig


def add(points: ReadPoints) -> list[RequestError | None]:
    answers: list[RequestError | None] = []
    points.add(answers.append)
    return answers


def test_all_who_wait_share_one_question() -> None:
    points = ReadPoints()
    assert not points.is_asking_due
    first, second = add(points), add(points)
    assert points.is_asking_due
    points.ask(b"1")
    assert not points.is_asking_due
    points.confirm(ReadState(5, b"1"))
    points.release(5)
    assert first == second == [None]


def test_who_comes_after_the_question_waits_for_the_next() -> None:
    points = ReadPoints()
    add(points)
    points.ask(b"1")
    late = add(points)
    assert points.is_asking_due
    points.confirm(ReadState(5, b"1"))
    points.release(9)
    assert late == []


def test_a_reader_waits_until_the_state_has_caught_up() -> None:
    points = ReadPoints()
    answers = add(points)
    points.ask(b"1")
    points.confirm(ReadState(5, b"1"))
    points.release(4)
    assert answers == []
    points.release(5)
    points.release(6)
    assert answers == [None]


def test_an_answer_to_no_question_of_ours_is_passed_over() -> None:
    points = ReadPoints()
    answers = add(points)
    points.ask(b"1")
    points.confirm(ReadState(5, b"2"))
    points.release(5)
    assert answers == []


@pytest.mark.parametrize("stage", ["waiting", "asked", "confirmed"])
def test_a_stop_answers_readers_at_every_stage(stage: str) -> None:
    points = ReadPoints()
    answers = add(points)
    if stage != "waiting":
        points.ask(b"1")
    if stage == "confirmed":
        points.confirm(ReadState(5, b"1"))
    points.stop()
    points.stop()
    points.release(9)
    assert [type(answer) for answer in answers] == [StoppedError]


def test_a_read_sees_every_write_acknowledged_before_it() -> None:
    rig = EngineRig().started()
    seen: list[int] = []
    store = rig.engine.store
    for revision in range(2, 12):
        put = rig.ask(RequestKind.PUT, rpc_pb2.PutRequest(key=b"k"))
        while not put:
            rig.turn()
        rig.engine.read(lambda error: seen.append(store.current_revision))
        rig.run()
        assert seen[-1] == revision


def test_a_read_does_not_wait_for_a_write_that_is_not_acknowledged() -> None:
    rig = EngineRig().started()
    put = rig.ask(RequestKind.PUT, rpc_pb2.PutRequest(key=b"k"))
    read = rig.read()
    rig.turn()
    assert (put, read) == ([], [None])


def test_a_read_writes_nothing_to_the_log() -> None:
    rig = EngineRig().started()
    applied_index = rig.engine.applied_index
    answers = rig.read()
    rig.run()
    assert answers == [None]
    assert rig.engine.applied_index == applied_index


def test_a_read_that_comes_before_the_leader_waits_for_it() -> None:
    rig = EngineRig()
    answers = rig.read()
    rig.run()
    assert answers == []
    rig.started()
    assert answers == [None]


def test_a_read_at_the_start_of_a_term_sees_what_was_acknowledged_before() -> None:
    rig = EngineRig().started()
    rig.put(b"k")
    again = rig.restarted()
    again.engine.campaign_soon()
    while not again.engine.is_leader:
        again.turn()
    assert again.engine.store.current_revision == 1
    seen: list[int] = []
    again.engine.read(lambda error: seen.append(again.engine.store.current_revision))
    again.run()
    assert seen == [2]
