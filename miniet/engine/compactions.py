"""Compactions under way: their batches, who waits for their end, and new ones due."""

from collections import deque

from miniet.engine.compactor import Compactor
from miniet.engine.ports import EngineBackend
from miniet.engine.proposals import Proposals
from miniet.engine.requests import CompactionRequest
from miniet.engine.results import ApplyResult, CompactionResult
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
        # Physical compactions accepted: request id and result, in order.
        self._waiting: deque[tuple[int, ApplyResult]] = deque()

    def answer_when_done(self, request_id: int, result: ApplyResult) -> None:
        """Hold back the answer to a physical compaction until it is carried out."""
        self._waiting.append((request_id, result))

    def step(self) -> bool:
        """Carry out one batch; tell whether there is more."""
        if self._store.step_compaction(self._batch_limit):
            return True
        if self._waiting:
            self._backend.commit()
            while self._waiting:
                self._proposals.resolve(*self._waiting.popleft())
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
