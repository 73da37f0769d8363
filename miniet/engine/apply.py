"""The one place where state changes: a request out of the log, carried out.

Source: etcd v3.4.9 etcdserver/apply.go. The chain of appliers there (corrupt,
no space, quota, backend) is the order of the checks in `Applier.apply` here.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from miniet.engine import txn
from miniet.engine.alarms import Alarms
from miniet.engine.errors import CorruptError, NoSpaceError
from miniet.engine.membership import Membership
from miniet.engine.ports import EngineBackend
from miniet.engine.quota import (
    LEASE_GRANT_COST_BYTES,
    Quota,
    put_cost_bytes,
    txn_cost_bytes,
)
from miniet.engine.requests import (
    AlarmRequest,
    AlarmType,
    ClusterVersionSetRequest,
    CompactionRequest,
    DeleteRangeRequest,
    LeaseCheckpointRequest,
    LeaseGrantRequest,
    LeaseRevokeRequest,
    MemberAttributesSetRequest,
    PutRequest,
    Request,
    TxnRequest,
)
from miniet.engine.results import (
    AlarmResult,
    ApplyResult,
    CompactionResult,
    DeleteRangeResult,
    DoneResult,
    LeaseGrantResult,
    LeaseRevokeResult,
    PutResult,
    TxnResult,
)
from miniet.lease import LeaseNotFoundError, Lessor
from miniet.mvcc import Store

# Looking a member up takes longer than the questions it is needed for.
_CORRUPT: Final = AlarmType.CORRUPT
_NOSPACE: Final = AlarmType.NOSPACE

# Requests that a member with a CORRUPT alarm refuses.
_REFUSED_WHEN_CORRUPT: Final = (
    PutRequest,
    DeleteRangeRequest,
    TxnRequest,
    CompactionRequest,
    LeaseGrantRequest,
    LeaseRevokeRequest,
)


@dataclass(slots=True)
class Applier:
    """Carries out requests on the state, one at a time, in log order."""

    backend: EngineBackend
    store: Store
    lessor: Lessor
    alarms: Alarms
    membership: Membership
    quota: Quota
    _handlers: dict[type, Callable[[Any], ApplyResult]] = field(init=False)

    def __post_init__(self) -> None:
        self._handlers = {
            PutRequest: self._put,
            DeleteRangeRequest: self._delete_range,
            TxnRequest: self._txn,
            CompactionRequest: self._compact,
            LeaseGrantRequest: self._lease_grant,
            LeaseRevokeRequest: self._lease_revoke,
            LeaseCheckpointRequest: self._lease_checkpoint,
            AlarmRequest: self._alarm,
            ClusterVersionSetRequest: self._cluster_version_set,
            MemberAttributesSetRequest: self._member_attributes_set,
        }

    def apply(self, request: Request) -> ApplyResult:
        """Carry out one request.

        Raises:
            RequestError: the state did not change. The exception is
                NoSpaceError when no NOSPACE alarm is up yet: the quota is found
                exceeded only now, and the write was carried out all the same,
                as every member must.
        """
        if self.alarms.is_up(_CORRUPT) and isinstance(request, _REFUSED_WHEN_CORRUPT):
            raise CorruptError
        cost_bytes = _cost_bytes(request)
        if cost_bytes and self.alarms.is_up(_NOSPACE):
            raise NoSpaceError
        fits = not cost_bytes or self.quota.allows(self.backend.size_bytes, cost_bytes)
        result = self._handlers[type(request)](request)
        if not fits:
            raise NoSpaceError
        return result

    def _put(self, request: PutRequest) -> PutResult:
        if request.lease and self.lessor.lookup(request.lease) is None:
            raise LeaseNotFoundError(request.lease)
        if request.ignore_value or request.ignore_lease:
            txn.check_put_applies(self.store.read(), request, self.lessor)
        with self.store.write() as write:
            return txn.put(write, request)

    def _delete_range(self, request: DeleteRangeRequest) -> DeleteRangeResult:
        with self.store.write() as write:
            return txn.delete_range(write, request)

    def _txn(self, request: TxnRequest) -> TxnResult:
        return txn.execute(request, self.store, self.lessor)

    def _compact(self, request: CompactionRequest) -> CompactionResult:
        self.store.compact(request.revision)
        return CompactionResult(self.store.current_revision, request.physical)

    def _lease_grant(self, request: LeaseGrantRequest) -> LeaseGrantResult:
        lease = self.lessor.grant(request.lease_id, request.ttl_s)
        return LeaseGrantResult(self.store.current_revision, lease.id, lease.ttl_s)

    def _lease_revoke(self, request: LeaseRevokeRequest) -> LeaseRevokeResult:
        self.lessor.revoke(request.lease_id)
        return LeaseRevokeResult(self.store.current_revision)

    def _lease_checkpoint(self, request: LeaseCheckpointRequest) -> DoneResult:
        for lease_id, remaining_s in request.checkpoints:
            self.lessor.checkpoint(lease_id, remaining_s)
        return DoneResult()

    def _alarm(self, request: AlarmRequest) -> AlarmResult:
        return AlarmResult(self.alarms.apply(request))

    def _cluster_version_set(self, request: ClusterVersionSetRequest) -> DoneResult:
        self.membership.set_version(request.version)
        return DoneResult()

    def _member_attributes_set(self, request: MemberAttributesSetRequest) -> DoneResult:
        self.membership.set_attributes(
            request.member_id, request.name, request.client_urls
        )
        return DoneResult()


def _cost_bytes(request: Request) -> int:
    """Return what the request may add to the backend; 0 needs no space."""
    if isinstance(request, PutRequest):
        return put_cost_bytes(request)
    if isinstance(request, TxnRequest):
        return txn_cost_bytes(request)
    if isinstance(request, LeaseGrantRequest):
        return LEASE_GRANT_COST_BYTES
    return 0
