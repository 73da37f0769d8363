"""Membership of a cluster of one, and the health service."""

import pytest

from miniet.pb import health_pb2
from tests.conformance.api.refusals import (
    BAD_MEMBER_URLS,
    MEMBER_NOT_FOUND,
    MEMBER_NOT_LEARNER,
    NOT_ENOUGH_STARTED,
    PEER_URL_EXISTS,
)
from tests.conformance.api.targets import Target
from tests.support.api_client import Refusal


def test_member_list_names_the_only_member(server: Target) -> None:
    answer = server.call("MemberList")
    (member,) = answer.members
    assert answer.header.member_id == member.ID
    assert member.name
    assert len(member.peerURLs) == 1
    assert list(member.clientURLs) == [f"http://{server.endpoint}"]
    assert not member.isLearner
    assert server.call("MemberList", linearizable=True).members == answer.members


def test_only_member_cannot_be_removed(server: Target) -> None:
    member = server.call("MemberList").members[0]
    assert server.refusal("MemberRemove", ID=member.ID) == NOT_ENOUGH_STARTED


def test_unknown_member_cannot_be_changed(server: Target) -> None:
    for name in ("MemberUpdate", "MemberPromote"):
        assert server.refusal(name, ID=42) == MEMBER_NOT_FOUND


def test_removal_of_an_unknown_member_is_refused(server: Target) -> None:
    assert server.refusal("MemberRemove", ID=42) == MEMBER_NOT_FOUND


def test_voter_cannot_be_promoted(server: Target) -> None:
    member = server.call("MemberList").members[0]
    assert server.refusal("MemberPromote", ID=member.ID) == MEMBER_NOT_LEARNER


def test_update_replaces_the_peer_urls_alone(server: Target) -> None:
    before = server.call("MemberList").members[0]
    urls = ["http://127.0.0.1:2", "http://127.0.0.1:1"]
    after = server.call("MemberUpdate", ID=before.ID, peerURLs=urls).members[0]
    assert sorted(after.peerURLs) == sorted(urls)
    assert (after.name, after.clientURLs) == (before.name, before.clientURLs)
    assert server.call("MemberList").members[0] == after


def test_update_takes_the_members_own_urls_and_any_text(server: Target) -> None:
    before = server.call("MemberList").members[0]
    for urls in (list(before.peerURLs), ["not a URL"]):
        answer = server.call("MemberUpdate", ID=before.ID, peerURLs=urls)
        assert list(answer.members[0].peerURLs) == urls


@pytest.mark.parametrize(
    "urls",
    [
        [],
        [""],
        ["127.0.0.1:2380"],
        ["http://127.0.0.1"],
        ["ftp://127.0.0.1:2380"],
        ["http://127.0.0.1:2380/path"],
        ["http://127.0.0.1:1", "http://"],
        ["http://127.0.0.1:1x"],
        ["http://[::1"],
        ["unix://127.0.0.1"],
    ],
)
def test_addition_with_bad_urls_is_refused(server: Target, urls: list[str]) -> None:
    refusal = server.refusal("MemberAdd", peerURLs=urls)
    assert refusal == BAD_MEMBER_URLS


def test_addition_of_a_known_url_is_refused(server: Target) -> None:
    url = server.call("MemberList").members[0].peerURLs[0]
    assert server.refusal("MemberAdd", peerURLs=[url]) == PEER_URL_EXISTS


def test_health_is_serving_for_the_server_as_a_whole(server: Target) -> None:
    answer = server.call("Check")
    assert answer.status == health_pb2.HealthCheckResponse.SERVING


def test_health_of_an_unknown_service_is_not_found(server: Target) -> None:
    refusal = server.refusal("Check", service="etcdserverpb.KV")
    assert refusal == Refusal("NOT_FOUND", "unknown service")
