"""Linearizable reads: many waiting readers, one question to raft."""

from collections.abc import Callable
from itertools import chain

from miniet.engine.errors import StoppedError
from miniet.errors import RequestError
from miniet.raft.messages import ReadState

ReadAnswer = Callable[[RequestError | None], None]
"""Called once: with None when the state may be read, else with why not."""


class ReadPoints:
    """Batches readers between two questions, then until the state has caught up.

    A reader first waits to be asked for, then for raft's read index, then for
    the applied index to reach it.
    """

    def __init__(self) -> None:
        self._waiting: list[ReadAnswer] = []
        self._asked: dict[bytes, list[ReadAnswer]] = {}
        self._confirmed: list[tuple[int, list[ReadAnswer]]] = []
        self._stopped = False

    @property
    def is_asking_due(self) -> bool:
        """Tell whether readers wait for whom raft was not asked yet."""
        return bool(self._waiting)

    def add(self, answer: ReadAnswer) -> None:
        """Let a reader wait for the next read point."""
        if self._stopped:
            answer(StoppedError())
        else:
            self._waiting.append(answer)

    def ask(self, context: bytes) -> None:
        """Note that raft is asked on behalf of all who wait, under `context`."""
        self._asked[context] = self._waiting
        self._waiting = []

    def confirm(self, read_state: ReadState) -> None:
        """Take raft's answer."""
        readers = self._asked.pop(read_state.context, None)
        if readers:
            self._confirmed.append((read_state.index, readers))

    def release(self, applied_index: int) -> None:
        """Let those read whose read point the state has reached."""
        if not self._confirmed:
            return
        ready = [
            readers for index, readers in self._confirmed if index <= applied_index
        ]
        self._confirmed = [
            (index, readers)
            for index, readers in self._confirmed
            if index > applied_index
        ]
        for readers in ready:
            for answer in readers:
                answer(None)

    def stop(self) -> None:
        """Answer everyone: the server is going away."""
        self._stopped = True
        readers = [
            *self._waiting,
            *chain.from_iterable(self._asked.values()),
            *chain.from_iterable(confirmed for _, confirmed in self._confirmed),
        ]
        self._waiting, self._asked, self._confirmed = [], {}, []
        for answer in readers:
            answer(StoppedError())
