"""Applied requests against the model: a whole engine, its log and its backend.

Everything that changes state goes through the log here: puts, deletions, txns with
comparisons and nested txns, compactions, leases and their expiry. The engine is
stopped, or loses its power in the middle of a turn, at any point in between.
"""

from collections.abc import Iterator
from functools import partial

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from miniet.engine.requests import RequestKind
from miniet.errors import RequestError
from miniet.pb import rpc_pb2
from tests.property.machines import effort
from tests.property.requests import (
    SOME_LEASE,
    WRITES,
    Write,
    ask,
    carried_out,
    passes_the_api,
    reconcile,
    state_of,
    state_of_model,
)
from tests.property.strategies import ranges
from tests.support.engine_rig import EngineRig
from tests.support.model import Model
from tests.support.model_api import Range
from tests.support.model_bridge import outcome, plain, query
from tests.support.retained import retained_counts, retained_names
from tests.support.stores import stored_revisions

ELECTION_TIMEOUT_S = 1.0


def turn_by_parts(rig: EngineRig) -> Iterator[None]:
    """Do turns for ever, and stop wherever the power may go."""
    while (ready := rig.engine.ready()) is not None:
        yield
        rig.log.write(ready)
        yield
        rig.engine.apply(ready)
        yield
        rig.engine.persisted(ready)
        yield


class RequestMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.model = Model()
        self.start(
            EngineRig(
                snapshot_count=15,
                catchup_entries=3,
                compaction_batch_limit=2,
                election_timeout_s=ELECTION_TIMEOUT_S,
            )
        )
        self.model.promote(ELECTION_TIMEOUT_S)

    def start(self, rig: EngineRig) -> None:
        """Start on what is left; time runs anew for all that is found in the log."""
        self.rig = rig.started()
        self.model.demote()
        self.model.now_s = rig.clock.monotonic_s()

    @rule(writes=st.lists(WRITES, min_size=1, max_size=5))
    def write(self, writes: list[Write]) -> None:
        for write in filter(passes_the_api, writes):
            answers = ask(self.rig, write)
            self.rig.run()
            assert [plain(a) for a in answers] == [carried_out(self.model, write)]

    @rule(requests=st.lists(ranges(), min_size=1, max_size=5))
    def read(self, requests: list[Range]) -> None:
        view = self.rig.engine.store.read()
        for request in requests:
            expected = outcome(partial(self.model.range, request))
            assert outcome(partial(view.range, query(request))) == expected

    @rule(back=st.integers(-1, 6), physical=st.booleans(), steps=st.integers(0, 4))
    def compact(self, back: int, physical: bool, steps: int) -> None:
        revision = self.model.revision - back
        expected = outcome(partial(self.model.compact, revision))
        answers = self.rig.ask(
            RequestKind.COMPACTION,
            rpc_pb2.CompactionRequest(revision=revision, physical=physical),
        )
        self.rig.run()
        if physical:
            while self.rig.engine.step_compaction():
                pass
        for _ in range(steps):
            self.rig.engine.step_compaction()
        [answer] = answers
        if isinstance(answer, RequestError):
            assert plain(answer) == expected
        else:
            assert answer.revision == expected

    @rule(seconds=st.sampled_from([0.2, 1.0, 2.5, 9.0]))
    def wait(self, seconds: float) -> None:
        """Let time pass; what expires meanwhile is revoked."""
        self.rig.clock.advance(seconds)
        self.model.now_s = self.rig.clock.monotonic_s()
        before = self.model.revision
        self.rig.engine.step_leases()
        self.rig.run()
        # Which of two that expire together goes first is left open.
        deleted_at = {
            event.key: event.mod_revision
            for event in self.rig.engine.store.read_events(before + 1, 10**9)
        }
        for lease_id in sorted(
            self.model.expired(),
            key=lambda i: [deleted_at.get(key, 0) for key in self.model.keys_of(i)],
        ):
            self.model.revoke(lease_id)

    @rule(lease_id=SOME_LEASE)
    def renew(self, lease_id: int) -> None:
        known = lease_id in self.model.leases
        assert self.rig.renew(lease_id) == [self.model.renew(lease_id) if known else 0]

    @rule()
    def restart(self) -> None:
        self.start(self.rig.restarted(crash=False))
        self.model.promote(ELECTION_TIMEOUT_S)

    @rule(
        writes=st.lists(WRITES, max_size=3),
        parts=st.integers(0, 14),
        commit_at=st.integers(0, 14),
    )
    def power_failure(self, writes: list[Write], parts: int, commit_at: int) -> None:
        """The power goes while requests are on their way; what was answered holds."""
        writes = list(filter(passes_the_api, writes))
        asked = [ask(self.rig, write) for write in writes]
        for number, _ in zip(range(parts), turn_by_parts(self.rig), strict=False):
            if number == commit_at:
                self.rig.backend.commit()
        self.start(self.rig.restarted())
        reconcile(self.model, self.rig, writes, asked)
        self.model.promote(ELECTION_TIMEOUT_S)

    @invariant()
    def state_is_that_of_the_model(self) -> None:
        self.rig.check()
        assert state_of(self.rig) == state_of_model(self.model)
        lessor = self.rig.engine.lessor
        for lease_id in self.model.leases:
            left_s, *_ = lessor.time_to_live(lease_id, keys=False) or (None,)
            assert left_s == int(self.model.remaining_s(lease_id))
        store = self.rig.engine.store
        if not store.compaction_pending:
            statistics, at = store.statistics(), self.model.compact_revision
            for name, count in vars(retained_counts(self.model, at)).items():
                assert getattr(statistics, name) == count, name
            assert stored_revisions(store) == retained_names(self.model, at)


TestRequests = RequestMachine.TestCase
TestRequests.settings = effort(35, 12)
