"""Compactions under way: their batches, who waits for their end, and new ones due."""

from collections import deque

from miniet.engine.compactor import Compactor
from miniet.engine.errors import StoppedError
from miniet.engine.ports import EngineBackend
from miniet.engine.proposals import Proposals
from miniet.engine.requests import CompactionRequest
from miniet.engine.results import ApplyResult, CompactionResult
from miniet.engine.waiters import Answer
from miniet.errors import RequestError
from miniet.mvcc import CompactedError, Store


class Compactions:
    """Carries compactions out in batches, and asks for automatic ones.

    Memory: an entry per physical compaction that waits for its end.
    """

    def __init__(
        self,
        store: Store,
        backend: EngineBackend,
        proposals: Proposals,
        compactor: Compactor | None,
        *,
        batch_limit: int,
    ) -> None:
        self._store = store
        self._backend = backend
        self._proposals = proposals
        self._compactor = compactor
        self._batch_limit = batch_limit
        # Physical compactions accepted: who asked, and the result, in order.
        self._waiting: deque[tuple[Answer, CompactionResult]] = deque()

    def answer_when_done(self, request_id: int, result: CompactionResult) -> None:
        """Hold back the answer to a physical compaction until it is carried out.

        However long that takes: as in etcd, only the caller's deadline counts.
        """
        self._waiting.append((self._proposals.take(request_id), result))

    def stop(self) -> None:
        """Answer everyone: the server is going away."""
        while self._waiting:
            answer, _ = self._waiting.popleft()
            answer(StoppedError())

    def step(self) -> bool:
        """Carry out one batch; tell whether there is more."""
        if self._store.step_compaction(self._batch_limit):
            return True
        if self._waiting:
            self._backend.commit()
            while self._waiting:
                answer, result = self._waiting.popleft()
                answer(result)
        return False

    def step_automatic(self, *, is_leader: bool) -> None:
        """Propose a compaction if one is due."""
        compactor = self._compactor
        if compactor is None:
            return
        revision = compactor.step(self._store.current_revision, is_leader=is_leader)
        if revision is None:
            return

        def answer(outcome: ApplyResult | RequestError) -> None:
            if isinstance(outcome, CompactionResult | CompactedError):
                compactor.succeeded(revision)

        self._proposals.propose_own(CompactionRequest(revision), answer)
