"""The service `etcdserverpb.Lease`."""

from functools import partial

from miniet.engine.quota import LEASE_GRANT_COST_BYTES
from miniet.engine.requests import RequestKind
from miniet.pb import rpc_pb2
from miniet.server.convert import Headers, response
from miniet.server.driver import Driver
from miniet.server.methods import Kind, Method, Stream
from miniet.server.recorders import Durations
from miniet.server.service import Service


class LeaseService(Service):
    """Grant, revoke, keep alive, and questions."""

    def __init__(self, driver: Driver, headers: Headers, durations: Durations) -> None:
        super().__init__(driver, headers)
        self._durations = durations

    def methods(self) -> list[Method]:
        """Return the rows of this service."""
        unary = (
            ("LeaseGrant", rpc_pb2.LeaseGrantRequest, self.grant),
            ("LeaseRevoke", rpc_pb2.LeaseRevokeRequest, self.revoke),
            ("LeaseTimeToLive", rpc_pb2.LeaseTimeToLiveRequest, self.time_to_live),
            ("LeaseLeases", rpc_pb2.LeaseLeasesRequest, self.leases),
        )
        return [
            *(
                Method(f"/etcdserverpb.Lease/{name}", request_type, Kind.UNARY, handler)
                for name, request_type, handler in unary
            ),
            Method(
                "/etcdserverpb.Lease/LeaseKeepAlive",
                rpc_pb2.LeaseKeepAliveRequest,
                Kind.BIDI_STREAM,
                self.keep_alive,
            ),
        ]

    async def grant(self, request: rpc_pb2.LeaseGrantRequest) -> bytes:
        """Create a lease; the server chooses the id if the client did not."""
        self._engine.check_quota(LEASE_GRANT_COST_BYTES)
        if request.ID == 0:
            engine = self._engine
            request.ID = engine.request_ids.next_lease_id(engine.lessor.lookup)
        result = await self._driver.propose(
            RequestKind.LEASE_GRANT, request.SerializeToString()
        )
        self._durations.lease_ttl_s.observe(result.ttl_s)
        return response(
            self._header(result.revision),
            rpc_pb2.LeaseGrantResponse(ID=result.lease_id, TTL=result.ttl_s),
        )

    async def revoke(self, request: rpc_pb2.LeaseRevokeRequest) -> bytes:
        """End a lease and delete its keys."""
        result = await self._driver.propose(
            RequestKind.LEASE_REVOKE, request.SerializeToString()
        )
        return self._header(result.revision)

    async def time_to_live(self, request: rpc_pb2.LeaseTimeToLiveRequest) -> bytes:
        """Tell what a lease has left; -1 for one that does not exist."""
        answer = rpc_pb2.LeaseTimeToLiveResponse(ID=request.ID, TTL=-1)
        found = self._engine.lessor.time_to_live(request.ID, request.keys)
        if found is not None:
            remaining_s, granted_s, keys = found
            answer.TTL, answer.grantedTTL = remaining_s, granted_s
            answer.keys.extend(keys)
        return response(self._header(), answer)

    async def leases(self, request: rpc_pb2.LeaseLeasesRequest) -> bytes:
        """List all leases, soonest to expire first."""
        leases = [
            rpc_pb2.LeaseStatus(ID=lease.id) for lease in self._engine.lessor.leases()
        ]
        return response(self._header(), rpc_pb2.LeaseLeasesResponse(leases=leases))

    async def keep_alive(self, stream: Stream) -> None:
        """Renew each lease named, in order; TTL 0 says that it is gone."""
        while (request := await stream.receive()) is not None:
            # Before the renewal: no success may show a revision after the lease.
            header = self._header()
            lease_id: int = request.ID
            ttl_s = await self._driver.call(partial(self._engine.renew, lease_id))
            await stream.send(
                response(header, rpc_pb2.LeaseKeepAliveResponse(ID=lease_id, TTL=ttl_s))
            )
