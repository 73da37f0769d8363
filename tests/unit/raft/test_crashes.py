"""Whatever happens and whenever it crashes, a node keeps what it acknowledged."""

from contextlib import suppress
from random import Random
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from miniet.raft import CompactedError, ProposalDroppedError, Ready
from tests.unit.raft.member import Member


class AloneWithCrashes(RuleBasedStateMachine):
    """Ticks, proposals, reads, half-done Readys, compactions and crashes at random."""

    def __init__(self) -> None:
        super().__init__()
        self.member = Member(election_ticks=2)
        self.under_way: Ready | None = None
        self.written = False
        self.proposed = 0
        # Data by index, once it was handed out as committed.
        self.acknowledged: dict[int, bytes] = {}
        self.term = 0

    @rule(count=st.integers(1, 5))
    def tick(self, count: int) -> None:
        for _ in range(count):
            self.member.node.tick()

    @rule(count=st.integers(1, 4))
    def propose(self, count: int) -> None:
        for _ in range(count):
            self.proposed += 1
            try:
                self.member.node.propose(b"%d" % self.proposed)
            except ProposalDroppedError:
                return

    @rule()
    def read(self) -> None:
        # Answered with a read point that covers all that was acknowledged by now.
        self.member.node.read_index(b"%d" % max(self.acknowledged, default=0))

    @precondition(lambda self: self.under_way is None and self.member.node.has_ready())
    @rule()
    def take_ready(self) -> None:
        self.under_way, self.written = self.member.node.ready(), False

    @precondition(lambda self: self.under_way is not None and not self.written)
    @rule()
    def write(self) -> None:
        assert self.under_way is not None
        self.member.persist(self.under_way)
        self.written = True

    @precondition(lambda self: self.under_way is not None and self.written)
    @rule()
    def apply_and_advance(self) -> None:
        assert self.under_way is not None
        for entry in self.under_way.committed_entries:
            known = self.acknowledged.setdefault(entry.index, entry.data)
            assert known == entry.data
        for read in self.under_way.read_states:
            assert read.index >= int(read.context)
        self.member.apply(self.under_way)
        self.member.node.advance()
        self.under_way = None

    @rule(back=st.integers(0, 5))
    def compact(self, back: int) -> None:
        applied = self.member.node.status().applied
        if applied > self.member.storage.snapshot().index:
            with suppress(CompactedError):
                self.member.compact(max(1, applied - back))

    @rule(seed=st.integers(0, 9))
    def crash(self, seed: int) -> None:
        conf_state = self.member.conf_state
        if self.member.disk.hard_state.is_empty:
            return  # the fresh start was not written: nothing to come back to
        self.member = Member(self.member.disk, election_ticks=2, random=Random(seed))
        self.member.conf_state = conf_state
        self.under_way = None

    @invariant()
    def holds(self) -> None:
        self.member.check()
        status = self.member.node.status()
        assert self.member.storage.last_index() >= max(self.acknowledged, default=0)
        disk_term = self.member.disk.hard_state.term
        assert disk_term >= self.term
        self.term = disk_term
        assert status.hard_state.term >= disk_term

    def teardown(self) -> None:
        if self.under_way is not None:
            if not self.written:
                self.write()
            self.apply_and_advance()
        self.member.elect()
        kept: dict[int, Any] = {e.index: e.data for e in self.member.applied}
        snapshot_index = self.member.disk.snapshot.index
        for index, data in self.acknowledged.items():
            assert index <= snapshot_index or kept[index] == data


AloneWithCrashes.TestCase.settings = settings(
    max_examples=60, stateful_step_count=40, deadline=None
)
TestAloneWithCrashes = AloneWithCrashes.TestCase
