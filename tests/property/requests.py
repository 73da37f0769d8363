"""Everything that changes a member's state, asked of an engine and of the model."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

from google.protobuf.message import Message
from hypothesis import strategies as st

from miniet.engine import Engine
from miniet.engine.requests import RequestKind, txn_request
from miniet.engine.results import LeaseGrantResult, LeaseRevokeResult
from miniet.engine.validation import check_txn
from miniet.errors import RequestError
from miniet.pb import rpc_pb2
from tests.property.strategies import DELETES, LEASE_IDS, puts, txns
from tests.support.model import Model
from tests.support.model_api import DeleteRange, Put, Txn
from tests.support.model_bridge import key_value, message, outcome, plain
from tests.support.stores import decoded, everything

TTLS_S = st.sampled_from([0, 3, 10, 9_000_000_001])
SOME_LEASE = st.sampled_from([*LEASE_IDS, 5])


class Member(Protocol):
    """An engine that can be asked."""

    engine: Engine

    def ask(self, kind: RequestKind, message: Message) -> list[Any]: ...


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


def ask(member: Member, write: Write) -> list[Any]:
    """Put a request in; the list gets its answer when there is one."""
    match write:
        case Grant():
            grant = rpc_pb2.LeaseGrantRequest(ID=write.lease_id, TTL=write.ttl_s)
            return member.ask(RequestKind.LEASE_GRANT, grant)
        case Revoke():
            revoke = rpc_pb2.LeaseRevokeRequest(ID=write.lease_id)
            return member.ask(RequestKind.LEASE_REVOKE, revoke)
        case Put():
            return member.ask(RequestKind.PUT, message(write))
        case DeleteRange():
            return member.ask(RequestKind.DELETE_RANGE, message(write))
        case Txn():
            return member.ask(RequestKind.TXN, message(write))


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


def state_of(member: Member) -> dict[str, Any]:
    """Return all that clients can see now, and at every revision left."""
    store, lessor = member.engine.store, member.engine.lessor
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


def reconcile(
    model: Model, member: Member, writes: list[Write], asked: list[list[Any]]
) -> None:
    """Bring the model to what a member that came back holds of its last requests.

    Those answered before the power went must have been carried out; of the others
    a beginning may have been.
    """
    answered = [answers for answers in asked if answers]
    assert asked[: len(answered)] == answered, "answered out of order"
    for answers, write in zip(answered, writes, strict=False):
        assert [plain(a) for a in answers] == [carried_out(model, write)]
    found = state_of(member)
    for write in writes[len(answered) :]:
        if found != state_of_model(model):
            carried_out(model, write)
    assert found == state_of_model(model)
