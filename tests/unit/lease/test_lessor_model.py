"""Any sequence of calls: the lessor against the most naive one."""

from dataclasses import dataclass, field
from math import ceil

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from miniet.errors import RequestError
from miniet.lease import LeaseExpiredError, LeaseNotFoundError, NotPrimaryError
from tests.unit.lease.support import Bench

MIN_TTL_S, RETRY_S, CHECKPOINT_S = 2, 7.0, 300.0

lease_ids = st.integers(1, 6)
keys = st.sampled_from([b"a", b"b", b"cc", b"\xff"])
ttls_s = st.sampled_from([0, 2, 5, 10, 301, 700])


@dataclass
class NaiveLease:
    ttl_s: int
    remaining_ttl_s: int = 0
    expiry_s: float | None = None  # None: no time runs
    offer_s: float | None = None  # when it is offered for revocation
    keys: set[bytes] = field(default_factory=set)


class LessorMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.bench = Bench(primary=False, checkpoints=True, persist=True)
        self.lessor = self.bench.lessor
        self.model: dict[int, NaiveLease] = {}
        self.primary = False
        self.lease_count_max = self.key_count_max = 0

    @property
    def now_s(self) -> float:
        return self.bench.clock.monotonic_s()

    def refresh(self, lease: NaiveLease, extend_s: float = 0.0) -> None:
        rest_s = lease.remaining_ttl_s or lease.ttl_s
        lease.expiry_s = lease.offer_s = self.now_s + rest_s + extend_s

    @rule(lease_id=lease_ids, ttl_s=ttls_s)
    def grant(self, lease_id: int, ttl_s: int) -> None:
        if lease_id in self.model:
            self.expect(RequestError, lambda: self.lessor.grant(lease_id, ttl_s))
            return
        lease = self.model[lease_id] = NaiveLease(max(ttl_s, MIN_TTL_S))
        assert self.lessor.grant(lease_id, ttl_s).ttl_s == lease.ttl_s
        if self.primary:
            self.refresh(lease)

    @rule(lease_id=lease_ids)
    def revoke(self, lease_id: int) -> None:
        if lease_id not in self.model:
            self.expect(LeaseNotFoundError, lambda: self.lessor.revoke(lease_id))
            return
        lease = self.model.pop(lease_id)
        before = self.bench.keys.keys.copy()
        self.lessor.revoke(lease_id)
        assert before - self.bench.keys.keys == lease.keys

    @rule(lease_id=lease_ids)
    def renew(self, lease_id: int) -> None:
        lease = self.model.get(lease_id)
        if not self.primary:
            self.expect(NotPrimaryError, lambda: self.lessor.renew(lease_id))
        elif lease is None:
            self.expect(LeaseNotFoundError, lambda: self.lessor.renew(lease_id))
        elif lease.expiry_s is not None and lease.expiry_s <= self.now_s:
            self.expect(LeaseExpiredError, lambda: self.lessor.renew(lease_id))
        else:
            assert self.lessor.renew(lease_id) == lease.ttl_s
            self.refresh(lease)

    @rule(key=keys, lease_id=st.one_of(st.just(0), lease_ids))
    def put(self, key: bytes, lease_id: int) -> None:
        if lease_id and lease_id not in self.model:
            self.expect(LeaseNotFoundError, lambda: self.lessor.attach(lease_id, key))
            return
        for lease in self.model.values():
            lease.keys.discard(key)
        if lease_id:
            self.model[lease_id].keys.add(key)
        self.bench.keys.put(key, lease_id)

    @rule(seconds=st.sampled_from([0.25, 1.0, 2.0, 6.5, 100.0, 300.0]))
    def wait(self, seconds: float) -> None:
        self.bench.clock.advance(seconds)

    @rule(extend_s=st.sampled_from([0.0, 1.5]))
    def promote(self, extend_s: float) -> None:
        self.lessor.promote(extend_s)
        self.primary = True
        for lease in self.model.values():
            self.refresh(lease, extend_s)

    @rule()
    def demote(self) -> None:
        self.lessor.demote()
        self.primary = False
        for lease in self.model.values():
            lease.expiry_s = lease.offer_s = None

    @rule()
    def restart(self) -> None:
        self.lessor.restore()
        self.primary = False
        self.lease_count_max = self.key_count_max = 0
        for lease_id, lease in self.model.items():
            lease.expiry_s = lease.offer_s = None
            for key in lease.keys:
                self.lessor.attach(lease_id, key)

    @rule(limit=st.integers(1, 4))
    def take_expired(self, limit: int) -> None:
        due = {
            lease_id: lease.offer_s
            for lease_id, lease in self.model.items()
            if lease.offer_s is not None and lease.offer_s <= self.now_s
        }
        taken = self.lessor.take_expired(limit)
        assert len(taken) == len(set(taken)) == min(limit, len(due))
        assert [due[lease_id] for lease_id in taken] == sorted(due.values())[:limit]
        for lease_id in taken:
            self.model[lease_id].offer_s = self.now_s + RETRY_S

    @rule(apply=st.booleans())
    def take_checkpoints(self, apply: bool) -> None:
        for lease_id, remaining_s in self.lessor.take_checkpoints():
            lease = self.model[lease_id]
            assert lease.expiry_s is not None
            assert 0 < remaining_s == ceil(lease.expiry_s - self.now_s) < lease.ttl_s
            if apply:
                self.checkpoint(lease_id, remaining_s)

    @rule(lease_id=lease_ids, remaining_s=st.sampled_from([0, 1, 400]))
    def checkpoint(self, lease_id: int, remaining_s: int) -> None:
        self.lessor.checkpoint(lease_id, remaining_s)
        if lease_id in self.model:
            self.model[lease_id].remaining_ttl_s = remaining_s

    @invariant()
    def agrees_with_the_model(self) -> None:
        self.lessor._check()
        assert {lease.id for lease in self.lessor.leases()} == set(self.model)
        holder = {key: i for i, lease in self.model.items() for key in lease.keys}
        for key in (b"a", b"b", b"cc", b"\xff"):
            assert self.lessor.lease_of(key) == holder.get(key, 0)
        for lease_id, lease in self.model.items():
            answer = self.lessor.time_to_live(lease_id, keys=True)
            assert answer is not None
            assert answer[1:] == (lease.ttl_s, sorted(lease.keys))
            if lease.expiry_s is not None:
                assert answer[0] == int(lease.expiry_s - self.now_s)
        assert self.bench.store.records == {
            lease_id: (lease.ttl_s, lease.remaining_ttl_s)
            for lease_id, lease in self.model.items()
        }
        statistics = self.lessor.statistics()
        assert statistics.is_primary == self.primary
        assert statistics.attached_key_bytes == sum(map(len, holder))
        assert statistics.attached_key_count == len(holder)
        self.lease_count_max = max(self.lease_count_max, len(self.model))
        self.key_count_max = max(self.key_count_max, len(holder))
        assert statistics.lease_count_max == self.lease_count_max
        assert statistics.attached_key_count_max == self.key_count_max

    def expect(self, error: type[Exception], call: object) -> None:
        """Make a call that must be refused with exactly such an error."""
        before = self.lessor.statistics()
        try:
            assert callable(call)
            call()
        except error:
            assert self.lessor.statistics() == before
        else:
            raise AssertionError(f"{error.__name__} expected")


TestLessor = LessorMachine.TestCase
TestLessor.settings = settings(max_examples=120, stateful_step_count=40, deadline=None)
