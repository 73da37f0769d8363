"""The service `etcdserverpb.Cluster`, for a cluster of one member.

Adding a member needs replication, which this server does not have: it is
refused, after etcd's own checks, rather than leaving a cluster without quorum.
"""

from miniet.engine.conf_changes import removal_of_member, update_of_member
from miniet.engine.errors import (
    BadMemberUrlsError,
    MemberNotFoundError,
    MemberNotLearnerError,
    PeerUrlExistsError,
)
from miniet.engine.membership import Member
from miniet.pb import rpc_pb2
from miniet.server.convert import response
from miniet.server.methods import Kind, Method
from miniet.server.rpc_errors import CallError, Code
from miniet.server.service import Service
from miniet.server.urls import parse_url


class ClusterService(Service):
    """Who the members are."""

    def methods(self) -> list[Method]:
        """Return the rows of this service."""
        return [
            Method(f"/etcdserverpb.Cluster/{name}", request_type, Kind.UNARY, handler)
            for name, request_type, handler in (
                ("MemberAdd", rpc_pb2.MemberAddRequest, self.member_add),
                ("MemberRemove", rpc_pb2.MemberRemoveRequest, self.member_remove),
                ("MemberUpdate", rpc_pb2.MemberUpdateRequest, self.member_update),
                ("MemberList", rpc_pb2.MemberListRequest, self.member_list),
                ("MemberPromote", rpc_pb2.MemberPromoteRequest, self.member_promote),
            )
        ]

    async def member_list(self, request: rpc_pb2.MemberListRequest) -> bytes:
        """List the members."""
        if request.linearizable:
            await self._driver.read_point()
        return response(
            self._membership_header(),
            rpc_pb2.MemberListResponse(members=self._members()),
        )

    async def member_add(self, request: rpc_pb2.MemberAddRequest) -> bytes:
        """Refuse: there is no replication to another member."""
        if not request.peerURLs or not all(map(_is_peer_url, request.peerURLs)):
            raise BadMemberUrlsError
        for member in self._engine.membership.members:
            for url in request.peerURLs:
                if url in member.peer_urls:
                    raise PeerUrlExistsError(url)
        raise CallError(
            Code.UNIMPLEMENTED, "miniet serves one member and cannot add another"
        )

    async def member_remove(self, request: rpc_pb2.MemberRemoveRequest) -> bytes:
        """Remove a member; never the only one."""
        engine = self._engine
        change = removal_of_member(
            engine.request_ids.next(), request.ID, engine.membership
        )
        await self._driver.call(
            lambda answer: engine.propose_conf_change(change, answer)
        )
        return response(
            self._membership_header(),
            rpc_pb2.MemberRemoveResponse(members=self._members()),
        )

    async def member_update(self, request: rpc_pb2.MemberUpdateRequest) -> bytes:
        """Change the peer URLs of a member."""
        engine = self._engine
        change = update_of_member(
            engine.request_ids.next(), request.ID, tuple(request.peerURLs)
        )
        await self._driver.call(
            lambda answer: engine.propose_conf_change(change, answer)
        )
        return response(
            self._membership_header(),
            rpc_pb2.MemberUpdateResponse(members=self._members()),
        )

    async def member_promote(self, request: rpc_pb2.MemberPromoteRequest) -> bytes:
        """Refuse: the only member votes already."""
        if self._engine.membership.get(request.ID) is None:
            raise MemberNotFoundError(request.ID)
        raise MemberNotLearnerError(request.ID)

    def _members(self) -> list[rpc_pb2.Member]:
        return [_member(member) for member in self._engine.membership.members]


def _member(member: Member) -> rpc_pb2.Member:
    return rpc_pb2.Member(
        ID=member.member_id,
        name=member.name,
        peerURLs=member.peer_urls,
        clientURLs=member.client_urls,
        isLearner=member.is_learner,
    )


def _is_peer_url(url: str) -> bool:
    try:
        parse_url(url)
    except ValueError:
        return False
    return True
