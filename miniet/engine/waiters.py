"""Who waits for what: callers of proposals, each with a deadline."""

from collections import deque
from collections.abc import Callable

from miniet.engine.errors import RequestTimeoutError, StoppedError
from miniet.engine.results import ApplyResult
from miniet.errors import RequestError

Answer = Callable[[ApplyResult | RequestError], None]
"""Called exactly once per request, with its result or why there is none."""


def ignore(outcome: ApplyResult | RequestError) -> None:
    """Answer nobody."""


class Waiters:
    """Answers owed, by request id.

    All requests get the same time, so they expire in the order they came in
    and a queue is enough.

    Memory: an entry per request in flight.
    """

    def __init__(self, timeout_s: float) -> None:
        self._timeout_s = timeout_s
        self._answers: dict[int, Answer] = {}
        # Invariant: deadlines ascend; ids already answered are skipped.
        self._deadlines: deque[tuple[float, int]] = deque()

    def __len__(self) -> int:
        return len(self._answers)

    def add(self, request_id: int, answer: Answer, now_s: float) -> None:
        """Owe `answer` a call for this request."""
        self._answers[request_id] = answer
        self._deadlines.append((now_s + self._timeout_s, request_id))

    def resolve(self, request_id: int, outcome: ApplyResult | RequestError) -> None:
        """Give the outcome to whoever waits for it; nobody may."""
        self._answers.pop(request_id, ignore)(outcome)

    def take(self, request_id: int) -> Answer:
        """Leave the answer to the caller; there is no deadline any more.

        A request that nobody waits for gets an answer that goes nowhere.
        """
        return self._answers.pop(request_id, ignore)

    def expire(self, now_s: float) -> int:
        """Answer who has waited too long and return how many those were.

        The request may still be applied later, as with any timeout.
        """
        expired = 0
        deadlines = self._deadlines
        while deadlines and (
            deadlines[0][0] <= now_s or deadlines[0][1] not in self._answers
        ):
            answer = self._answers.pop(deadlines.popleft()[1], None)
            if answer is not None:
                expired += 1
                answer(RequestTimeoutError())
        return expired

    def stop(self) -> None:
        """Answer everyone: the server is going away."""
        answers, self._answers = self._answers, {}
        self._deadlines.clear()
        for answer in answers.values():
            answer(StoppedError())
