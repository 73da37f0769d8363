"""`Lessor` against the model: any sequence of calls, with a clock that is moved."""

from collections.abc import Callable
from functools import partial
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from tests.property.machines import effort
from tests.support.model import Model
from tests.support.model_api import Put, Refusal
from tests.support.model_bridge import outcome
from tests.unit.lease.support import Bench

RETRY_S = 7.0

lease_ids = st.integers(0, 5)
keys = st.sampled_from([b"a", b"b", b"cc", b"\xff"])
ttls_s = st.sampled_from([-1, 0, 2, 5, 10, 301, 700, 9_000_000_001])


class LessorMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.bench = Bench(primary=False, checkpoints=True, persist=True)
        self.lessor = self.bench.lessor
        self.model = Model(now_s=self.bench.clock.monotonic_s())
        # When a lease is offered for its revocation, first or again.
        self.offer_s: dict[int, float] = {}
        self.lease_count_max = self.key_count_max = 0

    def both(self, of_model: Callable[[], Any], of_lessor: Callable[[], Any]) -> Any:
        """Make a call of both; they must agree, and a refused one change nothing."""
        before = self.lessor.statistics()
        expected, answer = outcome(of_model), outcome(of_lessor)
        assert answer == expected
        if isinstance(expected, Refusal):
            assert self.lessor.statistics() == before
        return expected

    def offer_anew(self, lease_id: int) -> None:
        expiry_s = self.model.leases[lease_id].expiry_s
        if expiry_s is not None:
            self.offer_s[lease_id] = expiry_s

    @rule(lease_id=lease_ids, ttl_s=ttls_s)
    def grant(self, lease_id: int, ttl_s: int) -> None:
        ttl = self.both(
            partial(self.model.grant, lease_id, ttl_s),
            lambda: self.lessor.grant(lease_id, ttl_s).ttl_s,
        )
        if isinstance(ttl, int):
            self.offer_anew(lease_id)

    @rule(lease_id=lease_ids)
    def revoke(self, lease_id: int) -> None:
        def revoked() -> list[bytes]:
            before = self.bench.keys.keys.copy()
            self.lessor.revoke(lease_id)
            return sorted(before - self.bench.keys.keys)

        self.both(partial(self.model.revoke, lease_id), revoked)
        self.offer_s.pop(lease_id, None)

    @rule(lease_id=lease_ids)
    def renew(self, lease_id: int) -> None:
        ttl = self.both(
            partial(self.model.renew, lease_id), partial(self.lessor.renew, lease_id)
        )
        if isinstance(ttl, int):
            self.offer_anew(lease_id)

    @rule(key=keys, lease_id=st.one_of(st.just(0), lease_ids), detach=st.booleans())
    def put(self, key: bytes, lease_id: int, detach: bool) -> None:
        """The store detaches a key from its old lease first, or leaves it to attach."""
        if lease_id and lease_id not in self.model.leases:
            attach = partial(self.lessor.attach, lease_id, key)
            assert outcome(attach) == Refusal.LEASE_NOT_FOUND
            return
        self.model.put(Put(key, b"", lease_id))
        if detach or not lease_id:
            self.bench.keys.put(key, lease_id)
        else:
            self.bench.keys.keys.add(key)
            self.lessor.attach(lease_id, key)

    @rule(key=keys, lease_id=lease_ids)
    def detach_from_another_lease(self, key: bytes, lease_id: int) -> None:
        if lease_id != self.lessor.lease_of(key):
            self.lessor.detach(lease_id, key)

    @rule(seconds=st.sampled_from([0.25, 1.0, 2.0, 6.5, 100.0, 300.0]))
    def wait(self, seconds: float) -> None:
        self.bench.clock.advance(seconds)
        self.model.now_s = self.bench.clock.monotonic_s()

    @rule(extend_s=st.sampled_from([0.0, 1.5]))
    def promote(self, extend_s: float) -> None:
        self.lessor.promote(extend_s)
        self.model.promote(extend_s)
        for lease_id in self.model.leases:
            self.offer_anew(lease_id)

    @rule()
    def demote(self) -> None:
        self.lessor.demote()
        self.model.demote()
        self.offer_s.clear()

    @rule()
    def restart(self) -> None:
        self.lessor.restore()
        self.model.demote()
        self.offer_s.clear()
        self.lease_count_max = self.key_count_max = 0
        for lease_id in self.model.leases:
            for key in self.model.keys_of(lease_id):
                self.lessor.attach(lease_id, key)

    @rule(limit=st.integers(1, 4))
    def take_expired(self, limit: int) -> None:
        due = {i: when for i, when in self.offer_s.items() if when <= self.model.now_s}
        assert set(due) <= self.model.expired()
        taken = self.lessor.take_expired(limit)
        assert len(taken) == len(set(taken)) == min(limit, len(due))
        assert [due[lease_id] for lease_id in taken] == sorted(due.values())[:limit]
        for lease_id in taken:
            self.offer_s[lease_id] = self.model.now_s + RETRY_S

    @rule(apply=st.booleans())
    def take_checkpoints(self, apply: bool) -> None:
        for lease_id, remaining_s in self.lessor.take_checkpoints():
            assert remaining_s == self.model.checkpoint_rest_s(lease_id)
            if apply:
                self.checkpoint(lease_id, remaining_s)

    @rule(lease_id=lease_ids, remaining_s=st.sampled_from([0, 1, 400]))
    def checkpoint(self, lease_id: int, remaining_s: int) -> None:
        self.lessor.checkpoint(lease_id, remaining_s)
        self.model.checkpoint(lease_id, remaining_s)

    @invariant()
    def agrees_with_the_model(self) -> None:
        self.lessor._check()
        model = self.model
        assert {lease.id for lease in self.lessor.leases()} == set(model.leases)
        held = [pair for pair in model.pairs(model.revision) if pair.lease]
        holder = {pair.key: pair.lease for pair in held}
        for key in (b"a", b"b", b"cc", b"\xff"):
            assert self.lessor.lease_of(key) == holder.get(key, 0)
        for lease_id, lease in model.leases.items():
            answer = self.lessor.time_to_live(lease_id, keys=True)
            assert answer is not None
            assert answer[1:] == (lease.ttl_s, model.keys_of(lease_id))
            if model.is_primary:
                assert answer[0] == int(model.remaining_s(lease_id))
        assert self.bench.store.records == {
            lease_id: (lease.ttl_s, lease.remaining_ttl_s)
            for lease_id, lease in model.leases.items()
        }
        statistics = self.lessor.statistics()
        assert statistics.is_primary == model.is_primary
        assert statistics.attached_key_bytes == sum(map(len, holder))
        assert statistics.attached_key_count == len(holder)
        assert statistics.keyed_lease_count == len(set(holder.values()))
        self.lease_count_max = max(self.lease_count_max, len(model.leases))
        self.key_count_max = max(self.key_count_max, len(holder))
        assert statistics.lease_count_max == self.lease_count_max
        assert statistics.attached_key_count_max == self.key_count_max


TestLessor = LessorMachine.TestCase
TestLessor.settings = effort(80, 30)
