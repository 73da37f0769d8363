from miniet.engine.alarms import ALARM_BUCKET, Alarms
from miniet.engine.requests import AlarmAction, AlarmRequest, AlarmType
from tests.support.memory_backend import MemoryBackend

NONE, NOSPACE, CORRUPT = AlarmType
GET, ACTIVATE, DEACTIVATE = AlarmAction


class Bench:
    def __init__(self) -> None:
        self.backend = MemoryBackend()
        self.alarms = Alarms(self.backend)

    def ask(self, action: int, kind: int, member_id: int = 1) -> list[tuple[int, int]]:
        answer = self.alarms.apply(AlarmRequest(action, member_id, kind))
        again = Alarms(self.backend)
        again.restore()
        assert sorted(again.matching(NONE)) == sorted(self.alarms.matching(NONE))
        return answer


def test_raising_answers_that_one_alarm_also_when_it_is_up() -> None:
    bench = Bench()
    bench.ask(ACTIVATE, CORRUPT)
    assert bench.ask(ACTIVATE, NOSPACE) == [(1, NOSPACE)]
    assert bench.ask(ACTIVATE, NOSPACE) == [(1, NOSPACE)]
    assert bench.ask(GET, NONE) == [(1, CORRUPT), (1, NOSPACE)]


def test_any_member_id_may_be_named() -> None:
    bench = Bench()
    for member_id in (0, 42, 2**64 - 1):
        assert bench.ask(ACTIVATE, NOSPACE, member_id) == [(member_id, NOSPACE)]
    assert len(bench.ask(GET, NONE)) == 3


def test_asking_for_a_kind_looks_at_no_member() -> None:
    bench = Bench()
    bench.ask(ACTIVATE, NOSPACE, 1)
    bench.ask(ACTIVATE, NOSPACE, 2)
    bench.ask(ACTIVATE, CORRUPT, 2)
    assert bench.ask(GET, NOSPACE, 3) == [(1, NOSPACE), (2, NOSPACE)]
    assert bench.ask(GET, CORRUPT, 3) == [(2, CORRUPT)]
    assert len(bench.ask(GET, NONE, 3)) == 3


def test_lifting_takes_exactly_the_one_named() -> None:
    bench = Bench()
    bench.ask(ACTIVATE, NOSPACE, 1)
    bench.ask(ACTIVATE, NOSPACE, 2)
    assert bench.ask(DEACTIVATE, CORRUPT, 1) == []
    assert bench.ask(DEACTIVATE, NOSPACE, 0) == []
    assert bench.ask(DEACTIVATE, NOSPACE, 1) == [(1, NOSPACE)]
    assert bench.ask(DEACTIVATE, NOSPACE, 1) == []
    assert bench.ask(GET, NONE) == [(2, NOSPACE)]


def test_no_kind_can_neither_be_raised_nor_lifted() -> None:
    bench = Bench()
    bench.ask(ACTIVATE, NOSPACE)
    assert bench.ask(ACTIVATE, NONE) == []
    assert bench.ask(DEACTIVATE, NONE) == []
    assert bench.ask(GET, NONE) == [(1, NOSPACE)]


def test_an_unknown_action_does_nothing() -> None:
    bench = Bench()
    bench.ask(ACTIVATE, NOSPACE)
    assert bench.ask(7, NOSPACE) == []
    assert bench.ask(GET, NONE) == [(1, NOSPACE)]


def test_a_kind_is_up_while_any_member_has_it() -> None:
    bench = Bench()
    bench.ask(ACTIVATE, NOSPACE, 1)
    bench.ask(ACTIVATE, NOSPACE, 2)
    bench.ask(DEACTIVATE, NOSPACE, 1)
    assert bench.alarms.is_up(NOSPACE)
    assert not bench.alarms.is_up(CORRUPT)
    bench.ask(DEACTIVATE, NOSPACE, 2)
    assert not bench.alarms.is_up(NOSPACE)


def test_the_bucket_holds_alarm_members_as_keys() -> None:
    bench = Bench()
    bench.ask(ACTIVATE, NOSPACE, 300)
    bench.ask(ACTIVATE, CORRUPT, 0)
    keys = [bytes(key) for key, _ in bench.backend.batch_tx.range(ALARM_BUCKET, b"")]
    assert keys == [b"\x08\xac\x02\x10\x01", b"\x10\x02"]
