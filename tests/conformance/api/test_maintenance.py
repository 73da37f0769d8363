"""Maintenance: status, hashes, snapshot, defragmentation, leadership."""

import hashlib
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import pytest

from tests.conformance.api.conftest import NEEDS_ETCD
from tests.conformance.api.refusals import (
    BAD_TRANSFEREE,
    COMPACTED,
    FUTURE_REVISION,
)
from tests.conformance.api.targets import ETCD, MINIET_ON_DISK, Target, running
from tests.support.api_client import CallRefused, Refusal
from tests.support.api_requests import delete, put

# Status


def test_status_describes_a_fresh_member(durable_server: Target) -> None:
    status = durable_server.call("Status")
    assert status.version == "3.4.23"
    assert status.leader == status.header.member_id
    assert status.raftTerm == status.header.raft_term
    assert status.raftIndex == status.raftAppliedIndex >= 3
    assert 0 < status.dbSizeInUse <= status.dbSize
    assert not status.isLearner
    assert list(status.errors) == []


def test_status_of_3_4_has_no_newer_fields(durable_server: Target) -> None:
    status = durable_server.call("Status")
    assert (status.storageVersion, status.dbSizeQuota) == ("", 0)
    assert not status.HasField("downgradeInfo")


def test_each_write_is_one_log_entry_and_a_read_is_none(server: Target) -> None:
    before = server.call("Status").raftIndex
    server.put_all((b"a", b"1"), (b"b", b"1"))
    server.call("Txn")
    server.call("Range", key=b"a")
    assert server.call("Status").raftIndex == before + 2


# Alarms


def test_alarms_are_raised_listed_and_lifted_by_member_and_kind(server: Target) -> None:
    def alarms(**fields: Any) -> list[tuple[int, int]]:
        answer = server.call("Alarm", **fields)
        return [(alarm.memberID, alarm.alarm) for alarm in answer.alarms]

    assert alarms() == []
    assert alarms(action="ACTIVATE", memberID=42, alarm="NOSPACE") == [(42, 1)]
    assert alarms(action="ACTIVATE", memberID=42, alarm="NOSPACE") == [(42, 1)]
    assert alarms(action="ACTIVATE", memberID=43, alarm="NOSPACE") == [(43, 1)]
    assert sorted(alarms()) == [(42, 1), (43, 1)]
    assert sorted(alarms(alarm="NOSPACE", memberID=9)) == [(42, 1), (43, 1)]
    assert alarms(alarm="CORRUPT") == []
    assert alarms(action="DEACTIVATE", memberID=0, alarm="NOSPACE") == []
    assert alarms(action="DEACTIVATE", memberID=42, alarm="CORRUPT") == []
    assert alarms(action="DEACTIVATE", memberID=42, alarm="NOSPACE") == [(42, 1)]
    assert alarms(action="DEACTIVATE", memberID=42, alarm="NOSPACE") == []
    assert alarms() == [(43, 1)]


def test_status_names_each_alarm(durable_server: Target) -> None:
    durable_server.call("Alarm", action="ACTIVATE", memberID=42, alarm="NOSPACE")
    errors = durable_server.call("Status").errors
    assert list(errors) == ["memberID:42 alarm:NOSPACE "]


# Hashes

_KEYS = [b"a", b"b", b"c"]


def write_history(server: Target, seed: int) -> int:
    """Write about 30 revisions of a few keys, deletes and txns; return the last."""
    random = Random(seed)
    for _ in range(30):
        key = random.choice(_KEYS)
        choice = random.random()
        if choice < 0.5:
            server.call("Put", key=key, value=random.randbytes(random.randrange(9)))
        elif choice < 0.8:
            server.call("DeleteRange", key=key, range_end=random.choice(_KEYS))
        else:
            server.call("Txn", success=[put(b"x"), delete(key), put(b"y", key)])
    return server.revision()


def hash_kv(server: Target, revision: int) -> tuple[int, int] | Refusal:
    try:
        answer = server.call("HashKV", revision=revision)
    except CallRefused as error:
        return error.refusal
    return answer.hash, answer.compact_revision


@pytest.fixture(params=[pytest.param((MINIET_ON_DISK, ETCD), marks=NEEDS_ETCD)])
def both(
    request: pytest.FixtureRequest, tmp_path: Path
) -> Iterator[tuple[Target, Target]]:
    """A miniet and a real etcd."""
    ours, theirs = request.param
    with running(ours, tmp_path) as left, running(theirs, tmp_path) as right:
        yield left, right


def test_hash_kv_of_known_histories(server: Target) -> None:
    assert hash_kv(server, 0) == (1084519789, -1)
    server.put_all((b"a", b"b"))
    server.call("DeleteRange", key=b"a")
    server.put_all((b"b", b"x"), (b"b", b"y"))
    assert hash_kv(server, 0) == hash_kv(server, 5) == (3329272321, -1)
    assert hash_kv(server, 3) == (2765545382, -1)
    server.call("Compact", revision=3, physical=True)
    assert hash_kv(server, 0) == (2004935383, 3)
    assert hash_kv(server, 4) == (3966414695, 3)
    server.call("Compact", revision=5, physical=True)
    assert hash_kv(server, 0) == (3473285360, 5)
    server.call("DeleteRange", key=b"b")
    assert hash_kv(server, 0) == (3295600495, 5)


def test_hash_kv_is_refused_beyond_both_ends(server: Target) -> None:
    server.put_all((b"a", b"1"), (b"a", b"2"), (b"a", b"3"))
    server.call("Compact", revision=3, physical=True)
    refused = [hash_kv(server, revision) for revision in (1, 2, 3, 5)]
    assert refused == [COMPACTED, COMPACTED, COMPACTED, FUTURE_REVISION]
    assert hash_kv(server, 4) == hash_kv(server, 0)


@pytest.mark.parametrize("seed", range(2))
def test_hash_kv_is_etcds_at_every_revision_after_every_compaction(
    both: tuple[Target, Target], seed: int
) -> None:
    ours, theirs = both
    last = write_history(ours, seed)
    assert write_history(theirs, seed) == last
    for compaction in range(1, last + 1):
        for server in both:
            server.call("Compact", revision=compaction, physical=True)
        for revision in (0, *range(compaction - 1, last + 2)):
            assert hash_kv(ours, revision) == hash_kv(theirs, revision), (
                f"at {revision}, compacted at {compaction} of {last}"
            )


def test_hash_changes_with_the_data_alone(durable_server: Target) -> None:
    def hash_now() -> int:
        value: int = durable_server.call("Hash").hash
        return value

    first = hash_now()
    assert hash_now() == first
    durable_server.put_all((b"a", b"1"))
    second = hash_now()
    assert second != first
    durable_server.call("Defragment")
    assert hash_now() == second


# Snapshot


def test_snapshot_ends_with_the_sha256_of_what_came_before(
    durable_server: Target,
) -> None:
    for i in range(8):
        durable_server.call("Put", key=b"%d" % i, value=bytes(50_000))
    *parts, last = durable_server.snapshot()
    data = b"".join(part.blob for part in parts)
    assert last.blob == hashlib.sha256(data).digest()
    assert last.remaining_bytes == 0
    assert len(data) % 512 == 0
    assert {len(part.blob) for part in parts[:-1]} == {32_768}
    remaining = len(data)
    for part in parts:
        remaining -= len(part.blob)
        assert part.remaining_bytes == remaining
    assert {part.version for part in (*parts, last)} == {""}


# Defragmentation


def test_defragmentation_gives_compacted_space_back(durable_server: Target) -> None:
    for _ in range(60):
        durable_server.call("Put", key=b"a", value=bytes(100_000))
    revision = durable_server.revision()
    durable_server.call("Compact", revision=revision, physical=True)
    before = durable_server.call("Status").dbSize
    durable_server.call("Defragment")
    after = durable_server.call("Status").dbSize
    assert before > 6_000_000
    assert after < 1_000_000


def test_calls_go_on_while_the_member_defragments(durable_server: Target) -> None:
    for i in range(20):
        durable_server.call("Put", key=b"old%d" % i, value=bytes(100_000))
    calls = []
    for i in range(200):
        calls.append(durable_server.begin("Put", key=b"%d" % i, value=b"new"))
        if i % 50 == 25:
            calls.append(durable_server.begin("Defragment"))
        if i % 10 == 0:
            calls.append(durable_server.begin("Range", key=b"old%d" % (i % 20)))
    for call in calls:
        call.result()
    answer = durable_server.call("Range", key=b"\x00", range_end=b"\x00")
    assert answer.count == 220
    assert answer.header.revision == 221


# Leadership


def test_leadership_goes_to_who_has_it_and_to_nobody_unknown(server: Target) -> None:
    leader = server.call("Status").leader
    server.call("MoveLeader", targetID=leader)
    assert server.refusal("MoveLeader", targetID=leader + 1) == BAD_TRANSFEREE
    assert server.refusal("MoveLeader", targetID=0) == BAD_TRANSFEREE
