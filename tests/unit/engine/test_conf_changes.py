import pytest

from miniet.engine.conf_changes import (
    conf_change_error,
    removal_of_member,
    update_of_member,
)
from miniet.engine.errors import (
    MemberExistsError,
    MemberNotFoundError,
    NotEnoughStartedMembersError,
    PeerUrlExistsError,
)
from miniet.engine.membership import Member, Membership
from miniet.engine.results import DoneResult
from miniet.errors import RequestError
from miniet.raft import ConfChange, ConfChangeType
from tests.support.engine_rig import CLUSTER_ID, MEMBER, EngineRig
from tests.support.memory_backend import MemoryBackend

FIRST, SECOND = Member(1, ("http://a:1",)), Member(2, ("http://b:1",))


def membership_of(*members: Member) -> Membership:
    membership = Membership(MemoryBackend(), CLUSTER_ID)
    for member in members:
        membership.save(member)
    return membership


def addition(member: Member) -> ConfChange:
    return ConfChange(5, ConfChangeType.ADD_NODE, member.member_id, member.to_json())


def test_an_update_carries_id_and_urls_alone() -> None:
    assert update_of_member(5, 1, ("http://c:1",)) == ConfChange(
        5, ConfChangeType.UPDATE_NODE, 1, b'{"id":1,"peerURLs":["http://c:1"]}'
    )


def test_the_only_member_cannot_be_removed() -> None:
    with pytest.raises(NotEnoughStartedMembersError):
        removal_of_member(5, 1, membership_of(FIRST))


def test_one_of_two_can_be_removed() -> None:
    change = removal_of_member(5, 1, membership_of(FIRST, SECOND))
    assert change == ConfChange(5, ConfChangeType.REMOVE_NODE, 1)


@pytest.mark.parametrize(
    ("change", "error"),
    [
        pytest.param(addition(FIRST), MemberExistsError, id="add a member"),
        pytest.param(addition(Member(3, ())), MemberNotFoundError, id="add a removed"),
        pytest.param(
            update_of_member(5, 4, ("http://c:1",)), MemberNotFoundError, id="update"
        ),
        pytest.param(
            ConfChange(5, ConfChangeType.REMOVE_NODE, 4), MemberNotFoundError, id="gone"
        ),
        pytest.param(
            update_of_member(5, 1, ("http://c:1", "http://b:1")),
            PeerUrlExistsError,
            id="URL of another",
        ),
    ],
)
def test_must_not_be_applied(change: ConfChange, error: type[RequestError]) -> None:
    membership = membership_of(FIRST, SECOND)
    membership.apply(ConfChange(0, ConfChangeType.REMOVE_NODE, 3))
    assert isinstance(conf_change_error(change, membership), error)


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(addition(Member(4, ())), id="add a new member"),
        pytest.param(update_of_member(5, 1, ("http://a:1",)), id="own URL again"),
        pytest.param(ConfChange(5, ConfChangeType.REMOVE_NODE, 2), id="remove"),
    ],
)
def test_may_be_applied(change: ConfChange) -> None:
    assert conf_change_error(change, membership_of(FIRST, SECOND)) is None


# ---- through the log


def change_in(rig: EngineRig, change: ConfChange) -> list[object]:
    answers: list[object] = []
    rig.engine.propose_conf_change(change, answers.append)
    rig.run()
    return answers


def test_an_update_is_answered_when_it_is_applied() -> None:
    rig = EngineRig().started()
    change = update_of_member(77, MEMBER.member_id, ("http://new:2380",))
    assert change_in(rig, change) == [DoneResult()]
    [member] = rig.engine.membership.members
    assert (member.peer_urls, member.name) == (("http://new:2380",), "default")
    assert rig.restarted().started().state() == rig.state()


def test_one_that_is_turned_down_changes_nothing_and_does_not_block() -> None:
    rig = EngineRig().started()
    before = rig.state()
    for change in (
        ConfChange(77, ConfChangeType.REMOVE_NODE, 4),
        update_of_member(78, 4, ("http://new:2380",)),
    ):
        [answer] = change_in(rig, change)
        assert isinstance(answer, MemberNotFoundError)
    assert rig.state() == before
    update = update_of_member(79, MEMBER.member_id, ("http://new:2380",))
    assert change_in(rig, update) == [DoneResult()]
    again = rig.restarted().started()
    assert again.state() == rig.state()
    assert again.engine.is_leader


def test_one_that_cannot_be_run_is_refused_before_the_log() -> None:
    rig = EngineRig().started()
    [answer] = change_in(rig, addition(SECOND))
    assert isinstance(answer, RequestError)
    assert not rig.turn()
