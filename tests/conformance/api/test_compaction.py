"""Compact: which revisions it takes, and what is gone after it."""

import pytest

from tests.conformance.api.refusals import COMPACTED, FUTURE_REVISION
from tests.conformance.api.targets import Target

ALL = {"key": b"\x00", "range_end": b"\x00"}


def put_five(server: Target) -> None:
    """a=1 at 2, a=2 at 3, b=1 at 4, b deleted at 5, a=3 at 6."""
    server.put_all((b"a", b"1"), (b"a", b"2"), (b"b", b"1"))
    server.call("DeleteRange", key=b"b")
    server.put_all((b"a", b"3"))


def test_compaction_at_zero_is_taken_once(server: Target) -> None:
    server.call("Compact", revision=0)
    assert server.refusal("Compact", revision=0) == COMPACTED


@pytest.mark.parametrize("revision", [-1, -2, -(2**63)])
def test_compaction_at_a_negative_revision_is_compacted(
    server: Target, revision: int
) -> None:
    put_five(server)
    assert server.refusal("Compact", revision=revision) == COMPACTED


def test_compaction_beyond_the_present_is_refused(server: Target) -> None:
    put_five(server)
    assert server.refusal("Compact", revision=7) == FUTURE_REVISION
    assert server.call("Range", **ALL, revision=2).count == 1


def test_compaction_goes_forward_only(server: Target) -> None:
    put_five(server)
    server.call("Compact", revision=4)
    assert server.refusal("Compact", revision=4) == COMPACTED
    assert server.refusal("Compact", revision=3) == COMPACTED
    server.call("Compact", revision=5)


@pytest.mark.parametrize("physical", [False, True])
def test_compaction_at_the_present_leaves_the_present(
    durable_server: Target, physical: bool
) -> None:
    put_five(durable_server)
    answer = durable_server.call("Compact", revision=6, physical=physical)
    assert answer.header.revision == 6
    assert durable_server.call("Range", **ALL, revision=6).kvs[0].value == b"3"
    assert durable_server.refusal("Range", **ALL, revision=5) == COMPACTED


@pytest.mark.parametrize("revision", range(2, 7))
def test_compaction_keeps_all_that_is_seen_at_it_and_later(
    server: Target, revision: int
) -> None:
    put_five(server)
    later = range(revision, 7)
    before = [server.call("Range", **ALL, revision=at) for at in later]
    server.call("Compact", revision=revision, physical=True)
    assert [server.call("Range", **ALL, revision=at) for at in later] == before


def test_versions_go_on_after_a_compaction(server: Target) -> None:
    put_five(server)
    server.call("Compact", revision=6, physical=True)
    server.put_all((b"a", b"4"), (b"b", b"5"))
    found = server.call("Range", **ALL).kvs
    assert [(pair.create_revision, pair.version) for pair in found] == [(2, 4), (8, 1)]


def test_previous_pair_is_known_across_a_compaction(server: Target) -> None:
    put_five(server)
    server.call("Compact", revision=6, physical=True)
    assert server.call("Put", key=b"a", prev_kv=True).prev_kv.value == b"3"
