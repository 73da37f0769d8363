"""Where miniet, etcd 3.4.23 and etcd 3.5.1 answer in different ways, one by one.

A comparison of random commands (`lockstep.py`) steers around each of these, or knows
it by a field of `Release`; the tables are in README.md.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conformance.api.conftest import NEEDS_ETCD, NEEDS_ETCD_3_5
from tests.conformance.api.targets import (
    ETCD,
    ETCD_3_5,
    MINIET_ON_DISK,
    Target,
    running,
)
from tests.support.api_client import Refusal

EACH = [
    MINIET_ON_DISK,
    pytest.param(ETCD, marks=NEEDS_ETCD),
    pytest.param(ETCD_3_5, marks=NEEDS_ETCD_3_5),
]

MEMBER_NOT_FOUND = Refusal("NOT_FOUND", "etcdserver: member not found")


@pytest.fixture(params=EACH)
def server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Target]:
    with running(request.param, tmp_path) as target:
        yield target


def is_etcd(server: Target) -> bool:
    return server.kind != MINIET_ON_DISK


def test_answer_to_an_alarm_call_has_a_header_in_3_5_alone(server: Target) -> None:
    for action in ("GET", "ACTIVATE", "DEACTIVATE"):
        answer = server.call("Alarm", action=action, memberID=1, alarm="NOSPACE")
        assert answer.HasField("header") == (server.kind == ETCD_3_5)


@pytest.mark.parametrize("kind", EACH)
def test_negative_lease_is_lost_by_3_5_1_in_a_restart(
    kind: str, tmp_path: Path
) -> None:
    with running(kind, tmp_path) as server:
        for lease_id in (-4, 4):
            server.call("LeaseGrant", ID=lease_id, TTL=1000)
            server.call("Put", key=b"%d" % lease_id, lease=lease_id)
    with running(kind, tmp_path) as server:
        leases = {lease.ID for lease in server.call("LeaseLeases").leases}
        assert leases == ({4} if kind == ETCD_3_5 else {-4, 4})
        # The key stays, and keeps the id of a lease that will never end.
        assert server.call("Range", key=b"-4").kvs[0].lease == -4


def test_equals_are_sorted_by_key_up_to_a_number_of_results(server: Target) -> None:
    unstable = []
    for count in (6, 7, 12):
        keys = [b"%d-%02d" % (count, position) for position in range(count)]
        # The first is put twice, the others are equal.
        server.put_all(*((key, b"") for key in (*keys, keys[0])))
        answer = server.call(
            "Range",
            key=b"%d-" % count,
            range_end=b"%d." % count,
            sort_target="VERSION",
        )
        if [pair.key for pair in answer.kvs] != [*keys[1:], keys[0]]:
            unstable.append(count)
    assert unstable == ([7, 12] if server.kind == ETCD_3_5 else [])


def test_more_equals_are_sorted_by_key_by_miniet_alone(server: Target) -> None:
    keys = [b"%03d" % position for position in range(60)]
    server.put_all(*((key, b"") for key in (*keys, *keys[::2])))
    answer = server.call("Range", key=b"0", range_end=b"1", sort_target="VERSION")
    in_order = [pair.key for pair in answer.kvs] == [*keys[1::2], *keys[::2]]
    assert in_order != is_etcd(server)


def test_promotion_of_no_member_is_a_log_entry_in_etcd_alone(server: Target) -> None:
    def entries(name: str) -> int:
        before = server.call("Status").raftIndex
        assert server.refusal(name, ID=999) == MEMBER_NOT_FOUND
        return int(server.call("Status").raftIndex - before)

    assert entries("MemberPromote") == is_etcd(server)
    assert (entries("MemberUpdate"), entries("MemberRemove")) == (1, 1)


def test_negative_watch_after_a_compaction_at_zero_is_cancelled_by_miniet_alone(
    server: Target,
) -> None:
    server.call("Compact", revision=0)
    stream = server.watch(key=b"a", start_revision=-1)
    assert stream.receive().created
    # etcd tells by a compact revision other than 0 that it is the watcher's end.
    notice = stream.receive()
    assert notice.canceled != is_etcd(server)
    assert (notice.header.revision, notice.compact_revision) == (0, 0)
    # A watcher of its key hears of this put, that one does not.
    assert stream.created(key=b"a").watch_id == 1
    server.call("Put", key=b"a")
    assert stream.receive().watch_id == 1
    server.call("Put", key=b"a")
    assert stream.receive().watch_id == 1
