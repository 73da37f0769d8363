from miniet.engine.errors import RequestTimeoutError, StoppedError
from miniet.engine.results import ApplyResult, DoneResult
from miniet.engine.waiters import Waiters
from miniet.errors import RequestError

Answers = list[ApplyResult | RequestError]


def waiting(waiters: Waiters, request_id: int, now_s: float = 0.0) -> Answers:
    answers: Answers = []
    waiters.add(request_id, answers.append, now_s)
    return answers


def test_a_result_goes_to_who_waits_for_it_once() -> None:
    waiters = Waiters(7.0)
    first, second = waiting(waiters, 1), waiting(waiters, 2)
    waiters.resolve(1, DoneResult())
    waiters.resolve(1, DoneResult())
    assert (first, second) == ([DoneResult()], [])
    assert len(waiters) == 1


def test_a_result_that_nobody_waits_for_is_dropped() -> None:
    Waiters(7.0).resolve(1, DoneResult())


def test_each_has_its_own_deadline() -> None:
    waiters = Waiters(7.0)
    first, second = waiting(waiters, 1, now_s=0.0), waiting(waiters, 2, now_s=1.0)
    assert waiters.expire(6.9) == 0
    assert waiters.expire(7.0) == 1
    assert ([type(each) for each in first], second) == ([RequestTimeoutError], [])
    assert waiters.expire(8.0) == 1
    assert [type(each) for each in second] == [RequestTimeoutError]


def test_who_was_answered_does_not_expire() -> None:
    waiters = Waiters(7.0)
    answers = waiting(waiters, 1)
    waiters.resolve(1, DoneResult())
    assert waiters.expire(100.0) == 0
    assert answers == [DoneResult()]


def test_answered_requests_leave_no_deadlines_behind() -> None:
    waiters = Waiters(7.0)
    for request_id in range(1000):
        waiting(waiters, request_id)
        waiters.resolve(request_id, DoneResult())
    waiters.expire(0.0)
    assert not waiters._deadlines


def test_what_is_taken_has_no_deadline() -> None:
    waiters = Waiters(7.0)
    answers = waiting(waiters, 1)
    answer = waiters.take(1)
    assert waiters.expire(100.0) == 0
    answer(DoneResult())
    assert answers == [DoneResult()]
    assert len(waiters) == 0


def test_an_answer_may_ask_again() -> None:
    waiters = Waiters(7.0)
    again: list[Answers] = []
    waiters.add(1, lambda _: again.append(waiting(waiters, 2, now_s=7.0)), 0.0)
    assert waiters.expire(7.0) == 1
    waiters.resolve(2, DoneResult())
    assert again == [[DoneResult()]]


def test_a_stop_answers_everyone() -> None:
    waiters = Waiters(7.0)
    both = [waiting(waiters, 1), waiting(waiters, 2)]
    waiters.stop()
    assert [[type(each) for each in answers] for answers in both] == [
        [StoppedError]
    ] * 2
    assert len(waiters) == 0
