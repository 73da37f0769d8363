"""Is there an order in which a sequential server would have given these answers?

Clients call at the same time; each call has a begin, an end and an answer. The
history is linearizable if every call can be given one moment between its begin and
its end so that the calls, carried out one by one in the order of their moments,
are answered as they were. A call without an answer (its client was cut off) may
take effect at any moment after its begin, or never.

The search is Wing and Gong's with Lowe's memory: take any call that no other one
must precede, carry it out if its answer fits, go on; at a dead end go back. The
same calls carried out with the same state after them are tried only once.

Sources: J. Wing, C. Gong, Testing and Verifying Concurrent Objects, 1993; G. Lowe,
Testing for Linearizability, 2017. Of what is published for Python nothing is kept
up; Porcupine (Go) and Knossos (Clojure) do the same as this.
"""

from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass, field
from math import inf
from typing import Any, Generic, TypeVar

State = TypeVar("State")


@dataclass(frozen=True, slots=True)
class Operation:
    """One call as its client saw it.

    answer: in any form that the specification understands; None: none came.
    ended_s: when it came; `inf` without one.
    """

    client: str
    call: Any
    begun_s: float
    ended_s: float = inf
    answer: Any = None

    @property
    def is_answered(self) -> bool:
        return self.ended_s != inf


@dataclass(frozen=True)
class Specification(Generic[State]):
    """What a sequential server does.

    step: the state after an operation, the very one given if nothing changes; None:
        it would have answered otherwise. For an operation without an answer: the
        state if it takes effect; None: it has none now. What is given is not changed.
    key: what tells two states apart.
    """

    initial: State
    step: Callable[[State, Operation], State | None]
    key: Callable[[State], Hashable]


@dataclass
class Verdict(Generic[State]):
    """What the search found.

    order: the operations in an order that explains the history; where there is
        none, the longest that explains a part of it.
    state: after `order`.
    stuck: the answered operations of which one had to come next, and none could.
    is_decided: False if the search was given up.
    steps: operations carried out to find it.
    """

    order: list[Operation]
    state: State
    stuck: list[Operation] = field(default_factory=list)
    is_decided: bool = True
    steps: int = 0

    @property
    def is_linearizable(self) -> bool:
        return self.is_decided and not self.stuck


def check(
    operations: Sequence[Operation],
    specification: Specification[State],
    steps_max: int = 20_000,
) -> Verdict[State]:
    """Search for an order that explains all operations.

    Args:
        steps_max: carried out at most; the search can take exponentially many.
    """
    search = _Search(operations, specification)
    best: Verdict[State] = Verdict([], specification.initial)
    # One iterator per operation carried out, of what may come next.
    open_choices = [search.next_steps(0, specification.initial)]
    order: list[Operation] = []
    done, answered_best, steps = [0], -1, 0
    states = [specification.initial]
    while open_choices:
        found = next(open_choices[-1], None)
        if found is None:
            answered = search.answered_count(done[-1])
            if answered > answered_best:
                answered_best = answered
                stuck = search.candidates(done[-1])
                best = Verdict(list(order), states[-1], stuck)
                best.steps = steps
            if not best.stuck:
                return best
            open_choices.pop()
            done.pop()
            states.pop()
            if order:
                order.pop()
            continue
        position, state = found
        steps += 1
        if steps > steps_max:
            best.is_decided = False
            return best
        order.append(search.operations[position])
        done.append(done[-1] | 1 << position)
        states.append(state)
        open_choices.append(search.next_steps(done[-1], state))
    return best


class _Search(Generic[State]):
    """Which operations may come next, and which states were seen."""

    def __init__(
        self, operations: Sequence[Operation], specification: Specification[State]
    ) -> None:
        self.operations = sorted(operations, key=lambda o: o.begun_s)
        self._specification = specification
        self._seen: set[tuple[int, Hashable]] = set()
        each = list(enumerate(self.operations))
        self._answered = [position for position, o in each if o.is_answered]
        self._unanswered = [position for position, o in each if not o.is_answered]
        self._answered_mask = sum(1 << position for position in self._answered)

    def answered_count(self, done: int) -> int:
        """How many of those done have an answer."""
        return (done & self._answered_mask).bit_count()

    def candidates(self, done: int) -> list[Operation]:
        """The answered operations of which one must come next."""
        positions, _ = self._next_answered(done)
        return [self.operations[position] for position in positions]

    def next_steps(self, done: int, state: State) -> Iterator[tuple[int, State]]:
        """Carry out each operation that may come next and whose answer fits.

        Those without an answer come last: only where nothing else goes on must one
        of them have had its effect. One that leaves the state as it is (a read) is
        the only choice: in any order that has it later it may stand here as well.
        """
        positions, latest_s = self._next_answered(done)
        if not positions:
            return
        step, key = self._specification.step, self._specification.key
        operations = self.operations
        unanswered = (
            position
            for position in self._unanswered
            if not done >> position & 1 and operations[position].begun_s <= latest_s
        )
        for position in (*positions, *unanswered):
            after = step(state, operations[position])
            if after is None:
                continue
            seen = (done | 1 << position, key(after))
            if seen not in self._seen:
                self._seen.add(seen)
                yield position, after
            if after is state:
                return

    def _next_answered(self, done: int) -> tuple[list[int], float]:
        """Answered operations that none left precedes; and the first end of them."""
        positions: list[int] = []
        first_end_s = inf
        # Those done are a prefix but for the few that overlap.
        left = ~done & self._answered_mask
        while left:
            position = (left & -left).bit_length() - 1
            left &= left - 1
            operation = self.operations[position]
            if operation.begun_s > first_end_s:
                break
            positions.append(position)
            first_end_s = min(first_end_s, operation.ended_s)
        return positions, first_end_s
