"""Put and delete: what they write, answer and refuse."""

from typing import Any

import pytest

from tests.conformance.api.refusals import (
    EMPTY_KEY,
    KEY_NOT_FOUND,
    LEASE_NOT_FOUND,
    LEASE_PROVIDED,
    REQUEST_TOO_LARGE,
    VALUE_PROVIDED,
)
from tests.conformance.api.targets import Target
from tests.support.api_client import CallRefused, Refusal


def pair(server: Target, key: bytes = b"a") -> tuple[bytes, int, int, int, int]:
    """Return (value, created, modified, version, lease) of a key."""
    found = server.call("Range", key=key).kvs[0]
    return (
        found.value,
        found.create_revision,
        found.mod_revision,
        found.version,
        found.lease,
    )


def test_put_counts_versions_from_its_creation(server: Target) -> None:
    server.put_all((b"a", b"1"), (b"b", b"1"), (b"a", b"2"))
    assert pair(server) == (b"2", 2, 4, 2, 0)


def test_put_after_a_delete_begins_again(server: Target) -> None:
    server.put_all((b"a", b"1"), (b"a", b"2"))
    server.call("DeleteRange", key=b"a")
    server.put_all((b"a", b"3"))
    assert pair(server) == (b"3", 5, 5, 1, 0)


def test_put_of_the_same_value_is_a_new_revision(server: Target) -> None:
    server.put_all((b"a", b"1"), (b"a", b"1"))
    assert pair(server) == (b"1", 2, 3, 2, 0)


@pytest.mark.parametrize("key", [b"\x00", b"\xff\xfe", b"/", b"a" * 100_000])
def test_key_may_be_any_bytes(server: Target, key: bytes) -> None:
    server.call("Put", key=key, value=b"\x00\xff")
    assert pair(server, key)[0] == b"\x00\xff"


@pytest.mark.parametrize(
    ("fields", "refusal"),
    [
        ({}, EMPTY_KEY),
        ({"ignore_value": True, "value": b"1"}, EMPTY_KEY),
        ({"key": b"a", "ignore_value": True, "value": b"1"}, VALUE_PROVIDED),
        ({"key": b"a", "ignore_lease": True, "lease": 1}, LEASE_PROVIDED),
        (
            {
                "key": b"a",
                "ignore_value": True,
                "value": b"1",
                "ignore_lease": True,
                "lease": 1,
            },
            VALUE_PROVIDED,
        ),
        ({"key": b"a", "lease": 1}, LEASE_NOT_FOUND),
        ({"key": b"a", "ignore_value": True}, KEY_NOT_FOUND),
        ({"key": b"a", "ignore_lease": True}, KEY_NOT_FOUND),
        ({"key": b"a", "ignore_value": True, "lease": 1}, LEASE_NOT_FOUND),
    ],
)
def test_put_is_refused(
    server: Target, fields: dict[str, Any], refusal: Refusal
) -> None:
    assert server.refusal("Put", **fields) == refusal
    assert server.revision() == 1


def test_prev_kv_is_the_pair_before(server: Target) -> None:
    assert not server.call("Put", key=b"a", value=b"1", prev_kv=True).HasField(
        "prev_kv"
    )
    before = server.call("Put", key=b"a", value=b"2", prev_kv=True).prev_kv
    assert (before.key, before.value, before.mod_revision) == (b"a", b"1", 2)
    assert not server.call("Put", key=b"a", value=b"3").HasField("prev_kv")


def test_ignore_value_keeps_the_value_and_counts_as_a_put(server: Target) -> None:
    server.put_all((b"a", b"1"))
    server.call("LeaseGrant", ID=7, TTL=100)
    server.call("Put", key=b"a", ignore_value=True, lease=7)
    assert pair(server) == (b"1", 2, 3, 2, 7)


def test_ignore_lease_keeps_the_lease(server: Target) -> None:
    server.call("LeaseGrant", ID=7, TTL=100)
    server.call("Put", key=b"a", value=b"1", lease=7)
    server.call("Put", key=b"a", value=b"2", ignore_lease=True)
    assert pair(server) == (b"2", 2, 3, 2, 7)
    server.call("Put", key=b"a", ignore_value=True, ignore_lease=True)
    assert pair(server) == (b"2", 2, 4, 3, 7)


def test_put_without_lease_leaves_the_old_one(server: Target) -> None:
    server.call("LeaseGrant", ID=7, TTL=100)
    server.call("Put", key=b"a", lease=7)
    server.call("Put", key=b"a")
    assert pair(server)[4] == 0
    assert not server.call("LeaseTimeToLive", ID=7, keys=True).keys


def test_request_beyond_the_limit_is_refused(server: Target) -> None:
    def refusal(value_bytes: int) -> Refusal | None:
        try:
            server.call("Put", key=b"a", value=bytes(value_bytes))
        except CallRefused as error:
            return error.refusal
        return None

    # What is limited is the log entry's data: the request, and around it 30 bytes
    # or so of lengths, tags and an id.
    limit = 1_572_864
    edge = next(size for size in range(limit - 40, limit - 15) if refusal(size))
    assert refusal(edge) == REQUEST_TOO_LARGE


# Delete


def test_delete_of_nothing_makes_no_revision(server: Target) -> None:
    server.put_all((b"a", b"1"))
    answer = server.call("DeleteRange", key=b"b", range_end=b"\x00", prev_kv=True)
    assert (answer.deleted, list(answer.prev_kvs), answer.header.revision) == (0, [], 2)


def test_delete_of_several_is_one_revision(server: Target) -> None:
    server.put_all((b"a", b"1"), (b"b", b"2"), (b"c", b"3"))
    answer = server.call("DeleteRange", key=b"a", range_end=b"c", prev_kv=True)
    assert (answer.deleted, answer.header.revision) == (2, 5)
    assert [(p.key, p.value) for p in answer.prev_kvs] == [(b"a", b"1"), (b"b", b"2")]


def test_delete_answers_pairs_only_when_asked(server: Target) -> None:
    server.put_all((b"a", b"1"))
    assert not server.call("DeleteRange", key=b"a").prev_kvs


def test_delete_from_key_on_deletes_the_rest(server: Target) -> None:
    server.put_all((b"a", b"1"), (b"b", b"2"), (b"\xff", b"3"))
    assert server.call("DeleteRange", key=b"b", range_end=b"\x00").deleted == 2
    assert server.call("DeleteRange", key=b"\x00", range_end=b"\x00").deleted == 1


@pytest.mark.parametrize("range_end", [b"a", b"b"])
def test_delete_of_a_reversed_range_does_nothing(
    server: Target, range_end: bytes
) -> None:
    server.put_all((b"a", b"1"), (b"b", b"1"))
    assert server.call("DeleteRange", key=b"b", range_end=range_end).deleted == 0


def test_delete_without_key_is_refused(server: Target) -> None:
    assert server.refusal("DeleteRange", range_end=b"\x00") == EMPTY_KEY


def test_deleted_key_leaves_its_lease(server: Target) -> None:
    server.call("LeaseGrant", ID=7, TTL=100)
    server.call("Put", key=b"a", lease=7)
    server.call("DeleteRange", key=b"a")
    assert not server.call("LeaseTimeToLive", ID=7, keys=True).keys
    server.put_all((b"a", b"1"))
    assert server.call("LeaseRevoke", ID=7).header.revision == 4
