"""Changes of membership: making them, and telling which may not be applied."""

from miniet.engine.errors import (
    MemberExistsError,
    MemberNotFoundError,
    NotEnoughStartedMembersError,
    PeerUrlExistsError,
)
from miniet.engine.membership import Member, Membership
from miniet.errors import RequestError
from miniet.raft import ConfChange, ConfChangeType


def update_of_member(
    change_id: int, member_id: int, peer_urls: tuple[str, ...]
) -> ConfChange:
    """Make the change that gives a member other peer URLs."""
    context = Member(member_id, peer_urls).to_json()
    return ConfChange(change_id, ConfChangeType.UPDATE_NODE, member_id, context)


def removal_of_member(
    change_id: int, member_id: int, membership: Membership
) -> ConfChange:
    """Make the change that removes a member.

    Raises:
        NotEnoughStartedMembersError: it is the only one.
    """
    if [member.member_id for member in membership.members] == [member_id]:
        raise NotEnoughStartedMembersError
    return ConfChange(change_id, ConfChangeType.REMOVE_NODE, member_id)


def conf_change_error(
    change: ConfChange, membership: Membership
) -> RequestError | None:
    """Tell why a committed change must not be applied, or None.

    Every member comes to the same answer, since all have applied the same log.
    """
    known = membership.get(change.node_id)
    if change.type == ConfChangeType.ADD_NODE:
        if membership.is_removed(change.node_id):
            return MemberNotFoundError(change.node_id)
        return None if known is None else MemberExistsError(change.node_id)
    if known is None:
        return MemberNotFoundError(change.node_id)
    if change.type == ConfChangeType.UPDATE_NODE:
        urls = Member.from_json(change.context).peer_urls
        for member in membership.members:
            for url in urls:
                if member.member_id != change.node_id and url in member.peer_urls:
                    return PeerUrlExistsError(url)
    return None
