"""Applied requests against the model: a whole engine, its log and its backend.

Everything that changes state goes through the log here: puts, deletions, txns with
comparisons and nested txns, compactions, leases and their expiry. The engine is
stopped, or loses its power in the middle of a turn, at any point in between.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from miniet.engine.requests import RequestKind, txn_request
from miniet.engine.results import LeaseGrantResult, LeaseRevokeResult
from miniet.engine.validation import check_txn
from miniet.errors import RequestError
from miniet.pb import rpc_pb2
from tests.property.machines import effort
from tests.property.strategies import DELETES, LEASE_IDS, puts, ranges, txns
from tests.support.engine_rig import EngineRig
from tests.support.model import Model
from tests.support.model_api import DeleteRange, Put, Range, Txn
from tests.support.model_bridge import key_value, message, outcome, plain, query
from tests.support.retained import retained_counts, retained_names
from tests.support.stores import decoded, everything, stored_revisions

ELECTION_TIMEOUT_S = 1.0
TTLS_S = st.sampled_from([0, 3, 10, 9_000_000_001])
SOME_LEASE = st.sampled_from([*LEASE_IDS, 5])


@dataclass(frozen=True)
class Grant:
    lease_id: int
    ttl_s: int


@dataclass(frozen=True)
class Revoke:
    lease_id: int


Write = Put | DeleteRange | Txn | Grant | Revoke

WRITES = st.one_of(
    puts(),
    puts(),
    DELETES,
    txns(),
    txns(),
    st.builds(Grant, SOME_LEASE, TTLS_S),
    st.builds(Grant, SOME_LEASE, TTLS_S),
    st.builds(Revoke, SOME_LEASE),
)


def ask(rig: EngineRig, write: Write) -> list[Any]:
    """Put a request in; the list gets its answer when there is one."""
    match write:
        case Grant():
            grant = rpc_pb2.LeaseGrantRequest(ID=write.lease_id, TTL=write.ttl_s)
            return rig.ask(RequestKind.LEASE_GRANT, grant)
        case Revoke():
            revoke = rpc_pb2.LeaseRevokeRequest(ID=write.lease_id)
            return rig.ask(RequestKind.LEASE_REVOKE, revoke)
        case Put():
            return rig.ask(RequestKind.PUT, message(write))
        case DeleteRange():
            return rig.ask(RequestKind.DELETE_RANGE, message(write))
        case Txn():
            return rig.ask(RequestKind.TXN, message(write))


def carried_out(model: Model, write: Write) -> Any:
    """Carry a request out on the model; returns what its answer has to be."""
    calls: dict[type[Write], Callable[[], Any]] = {
        Put: partial(model.put, write),
        DeleteRange: partial(model.delete_range, write),
        Txn: partial(model.txn, write),
    }
    if isinstance(write, Grant):
        ttl_s = outcome(partial(model.grant, write.lease_id, write.ttl_s))
        if isinstance(ttl_s, int):
            return LeaseGrantResult(model.revision, write.lease_id, ttl_s)
        return ttl_s
    if isinstance(write, Revoke):
        keys = outcome(partial(model.revoke, write.lease_id))
        return LeaseRevokeResult(model.revision) if isinstance(keys, list) else keys
    return outcome(calls[type(write)])


def passes_the_api(write: Write) -> bool:
    """Tell whether a server would ask its engine at all."""
    if not isinstance(write, Txn):
        return True
    request = message(write)
    assert isinstance(request, rpc_pb2.TxnRequest)
    try:
        check_txn(txn_request(request), operations_max=128)
    except RequestError:
        return False
    return True


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


def state_of(rig: EngineRig) -> dict[str, Any]:
    """Return all that clients can see now, and at every revision left."""
    store, lessor = rig.engine.store, rig.engine.lessor
    first = max(store.compact_revision, 1)
    return {
        "revision": store.current_revision,
        "compact_revision": store.compact_revision,
        "pairs": [
            decoded(store.read().range(everything(at)).kvs)
            for at in range(first, store.current_revision + 1)
        ],
        "events": [
            (event.mod_revision, event.key, bool(event.type))
            for event in store.read_events(store.compact_revision + 1, 10**9)
        ],
        "leases": {
            lease.id: (lease.ttl_s, lease.sorted_keys()) for lease in lessor.leases()
        },
    }


def state_of_model(model: Model) -> dict[str, Any]:
    first = model.compact_revision
    return {
        "revision": model.revision,
        "compact_revision": first,
        "pairs": [
            [key_value(pair) for pair in model.pairs(at)]
            for at in range(max(first, 1), model.revision + 1)
        ],
        "events": [
            (change.revision, change.key, change.is_deletion)
            for change in model.changes()
            if change.revision > first
        ],
        "leases": {
            lease_id: (lease.ttl_s, model.keys_of(lease_id))
            for lease_id, lease in model.leases.items()
        },
    }


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

    def start(self, rig: EngineRig, unsure: Iterable[Write] = ()) -> None:
        """Start on what is left; time runs anew for all that is found in the log.

        Args:
            unsure: requests that may have been carried out, in order, up to some one.
        """
        self.rig = rig.started()
        self.model.demote()
        self.model.now_s = rig.clock.monotonic_s()
        found = state_of(self.rig)
        for write in unsure:
            if found != state_of_model(self.model):
                carried_out(self.model, write)
        self.model.promote(ELECTION_TIMEOUT_S)

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
        answered = [answers for answers in asked if answers]
        assert asked[: len(answered)] == answered, "answered out of order"
        for answers, write in zip(answered, writes, strict=False):
            assert [plain(a) for a in answers] == [carried_out(self.model, write)]
        self.start(self.rig.restarted(), writes[len(answered) :])

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
TestRequests.settings = effort(50, 12)
