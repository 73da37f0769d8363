"""Txn: what is refused before it runs, what the compares decide, what it writes."""

from typing import Any

import pytest

from miniet.pb import rpc_pb2
from tests.conformance.api.refusals import (
    COMPACTED,
    DUPLICATE_KEY,
    EMPTY_KEY,
    FUTURE_REVISION,
    KEY_NOT_FOUND,
    LEASE_NOT_FOUND,
    LEASE_PROVIDED,
    TOO_MANY_OPERATIONS,
    VALUE_PROVIDED,
)
from tests.conformance.api.targets import Target
from tests.support.api_client import Refusal
from tests.support.api_requests import compare, delete, get, nested, put

# Before it runs

ABSENT = compare("CREATE", b"none", "EQUAL", 0)


@pytest.mark.parametrize("part", ["compare", "success", "failure"])
def test_128_operations_are_taken_and_129_are_not(server: Target, part: str) -> None:
    item = ABSENT if part == "compare" else get(b"a")
    server.call("Txn", **{part: [item] * 128})
    assert server.refusal("Txn", **{part: [item] * 129}) == TOO_MANY_OPERATIONS


def test_nested_txn_has_what_its_parent_left(server: Target) -> None:
    server.call("Txn", success=[nested(success=[get(b"a")] * 127)])
    too_many = [nested(success=[get(b"a")] * 128)]
    assert server.refusal("Txn", success=too_many) == TOO_MANY_OPERATIONS
    # The longest list of the parent counts, not the one that the nested txn is in.
    assert (
        server.refusal(
            "Txn",
            compare=[ABSENT] * 100,
            success=[nested(success=[get(b"a")] * 29)],
        )
        == TOO_MANY_OPERATIONS
    )
    server.call(
        "Txn", compare=[ABSENT] * 100, success=[nested(success=[get(b"a")] * 28)]
    )


INVALID_PUT = put(b"a", b"1", ignore_value=True)


@pytest.mark.parametrize(
    ("fields", "refusal"),
    [
        ({"compare": [compare("VERSION", b"", "EQUAL", 1)]}, EMPTY_KEY),
        ({"success": [put(b"")]}, EMPTY_KEY),
        ({"failure": [get(b"")]}, EMPTY_KEY),
        ({"success": [delete(b"")]}, EMPTY_KEY),
        ({"success": [nested(failure=[put(b"")])]}, EMPTY_KEY),
        (
            {"success": [nested(compare=[compare("VERSION", b"", "EQUAL", 1)])]},
            EMPTY_KEY,
        ),
        ({"success": [INVALID_PUT]}, VALUE_PROVIDED),
        ({"failure": [INVALID_PUT]}, VALUE_PROVIDED),
        ({"success": [put(b"a", lease=1, ignore_lease=True)]}, LEASE_PROVIDED),
        ({"success": [rpc_pb2.RequestOp()]}, KEY_NOT_FOUND),
        ({"failure": [nested(success=[rpc_pb2.RequestOp()])]}, KEY_NOT_FOUND),
    ],
)
def test_invalid_operation_is_refused_in_either_branch(
    server: Target, fields: dict[str, Any], refusal: Refusal
) -> None:
    assert server.refusal("Txn", **fields) == refusal


def test_checks_come_in_order(server: Target) -> None:
    too_long = [put(b"")] * 129
    assert server.refusal("Txn", success=too_long) == TOO_MANY_OPERATIONS
    keyless = [compare("VERSION", b"", "EQUAL", 1)]
    assert server.refusal("Txn", compare=keyless, success=[INVALID_PUT]) == EMPTY_KEY
    twice = [put(b"a"), put(b"a")]
    assert server.refusal("Txn", success=twice, failure=[INVALID_PUT]) == VALUE_PROVIDED


@pytest.mark.parametrize(
    "operations",
    [
        [put(b"a"), put(b"a", b"1")],
        [put(b"a"), delete(b"a")],
        [delete(b"a", b"b"), put(b"aa")],
        [put(b"a"), delete(b"\x00", b"b")],
        [nested(success=[put(b"a")]), put(b"a")],
        [nested(failure=[put(b"a")]), put(b"a")],
        [nested(success=[put(b"a")]), nested(failure=[put(b"a")])],
        [nested(success=[put(b"a")]), delete(b"a")],
        [nested(success=[delete(b"a")]), put(b"a")],
        [nested(failure=[delete(b"a")]), put(b"a")],
        [nested(success=[delete(b"a")]), nested(success=[put(b"a")])],
        [nested(success=[nested(success=[put(b"a")])]), put(b"a")],
        [nested(success=[put(b"a"), put(b"a")])],
    ],
)
def test_two_writes_of_a_key_in_one_branch_are_refused(
    server: Target, operations: list[rpc_pb2.RequestOp]
) -> None:
    assert server.refusal("Txn", success=operations) == DUPLICATE_KEY
    assert server.refusal("Txn", failure=operations) == DUPLICATE_KEY


@pytest.mark.parametrize(
    ("success", "failure"),
    [
        ([put(b"a")], [put(b"a")]),
        ([delete(b"a", b"c"), delete(b"b", b"d"), delete(b"a")], []),
        ([put(b"a"), get(b"a"), get(b"a", b"b")], []),
        ([delete(b"a", b"b"), put(b"b")], []),
        ([nested(success=[put(b"a")], failure=[put(b"a")])], []),
        # Its deletes come after its puts, so an earlier put of a sibling is fine.
        ([nested(success=[put(b"a")]), nested(success=[delete(b"a")])], []),
        # "From key on" is taken literally, as an interval that holds nothing.
        ([delete(b"a", b"\x00"), put(b"b")], []),
        ([put(b"b"), delete(b"\x00", b"\x00")], []),
    ],
)
def test_writes_that_do_not_meet_are_taken(
    server: Target,
    success: list[rpc_pb2.RequestOp],
    failure: list[rpc_pb2.RequestOp],
) -> None:
    assert server.call("Txn", success=success, failure=failure).succeeded


# Compares


def prepare(server: Target) -> None:
    """a: created 2, changed 3, version 2, value 5, lease 7; b: 4, 4, 1, 6, none."""
    server.call("LeaseGrant", ID=7, TTL=100)
    server.put_all((b"a", b"1"))
    server.call("Put", key=b"a", value=b"5", lease=7)
    server.put_all((b"b", b"6"))


def holds(server: Target, *compares: rpc_pb2.Compare) -> bool:
    succeeded: bool = server.call("Txn", compare=compares).succeeded
    return succeeded


_OPERANDS = {
    "VERSION": (1, 2, 3),
    "CREATE": (1, 2, 3),
    "MOD": (2, 3, 4),
    "VALUE": (b"4", b"5", b"50"),
    "LEASE": (6, 7, 8),
}


@pytest.mark.parametrize("target", list(_OPERANDS))
def test_compare_relates_the_key_to_the_operand(server: Target, target: str) -> None:
    prepare(server)
    below, equal, above = _OPERANDS[target]
    expected = {
        "EQUAL": (False, True, False),
        "NOT_EQUAL": (True, False, True),
        "GREATER": (True, False, False),
        "LESS": (False, False, True),
    }
    found = {
        result: tuple(
            holds(server, compare(target, b"a", result, operand))
            for operand in (below, equal, above)
        )
        for result in expected
    }
    assert found == expected


def test_no_compares_hold(server: Target) -> None:
    assert holds(server)


def test_all_compares_must_hold(server: Target) -> None:
    prepare(server)
    true = compare("VERSION", b"a", "EQUAL", 2)
    false = compare("VERSION", b"a", "EQUAL", 9)
    assert holds(server, true, true)
    assert not holds(server, true, false)
    assert not holds(server, false, true)


@pytest.mark.parametrize("target", ["VERSION", "CREATE", "MOD", "LEASE"])
def test_absent_key_compares_as_zeros(server: Target, target: str) -> None:
    assert holds(server, compare(target, b"none", "EQUAL", 0))
    assert holds(server, compare(target, b"none", "LESS", 1))
    assert holds(server, compare(target, b"none", "GREATER", -1))
    assert not holds(server, compare(target, b"none", "NOT_EQUAL", 0))


@pytest.mark.parametrize("result", ["EQUAL", "NOT_EQUAL", "GREATER", "LESS"])
def test_absent_key_has_no_value_that_compares(server: Target, result: str) -> None:
    assert not holds(server, compare("VALUE", b"none", result, b""))
    assert not holds(server, compare("VALUE", b"none", result, b"x", b"nonf"))


def test_deleted_key_is_absent(server: Target) -> None:
    prepare(server)
    server.call("DeleteRange", key=b"a")
    assert holds(server, compare("VERSION", b"a", "EQUAL", 0))


def test_compare_of_a_range_holds_for_every_key(server: Target) -> None:
    prepare(server)
    assert holds(server, compare("CREATE", b"a", "GREATER", 1, b"c"))
    assert not holds(server, compare("CREATE", b"a", "GREATER", 2, b"c"))
    assert holds(server, compare("VALUE", b"a", "LESS", b"7", b"\x00"))
    assert not holds(server, compare("LEASE", b"\x00", "EQUAL", 7, b"\x00"))


def test_compare_of_an_empty_range_is_that_of_zeros(server: Target) -> None:
    assert holds(server, compare("CREATE", b"a", "EQUAL", 0, b"z"))
    assert not holds(server, compare("CREATE", b"a", "GREATER", 0, b"z"))


def test_missing_operand_is_zero_or_empty(server: Target) -> None:
    prepare(server)
    assert not holds(server, compare("VERSION", b"a", "EQUAL"))
    assert holds(server, compare("VERSION", b"a", "GREATER"))
    assert holds(server, compare("VALUE", b"a", "GREATER"))
    server.put_all((b"empty", b""))
    assert holds(server, compare("VALUE", b"empty", "EQUAL"))


def test_operand_of_another_kind_is_zero_or_empty(server: Target) -> None:
    prepare(server)
    request = rpc_pb2.Compare(target="VERSION", key=b"a", create_revision=2)
    assert not holds(server, request)
    request = rpc_pb2.Compare(target="VALUE", key=b"a", result="GREATER", version=9)
    assert holds(server, request)


def test_unknown_target_is_equal_and_unknown_result_is_true(server: Target) -> None:
    prepare(server)
    for result, expected in (("EQUAL", True), ("NOT_EQUAL", False), ("LESS", False)):
        request = rpc_pb2.Compare(target=9, key=b"a", result=result, version=1)
        assert holds(server, request) == expected
    assert holds(server, rpc_pb2.Compare(target="VERSION", key=b"a", result=9))


# What it does


def test_failed_compare_chooses_the_other_branch(server: Target) -> None:
    answer = server.call(
        "Txn",
        compare=[compare("VERSION", b"a", "EQUAL", 1)],
        success=[put(b"a", b"yes")],
        failure=[put(b"a", b"no")],
    )
    assert not answer.succeeded
    assert server.call("Range", key=b"a").kvs[0].value == b"no"


def test_later_operations_see_earlier_ones(server: Target) -> None:
    server.put_all((b"a", b"old"))
    answer = server.call(
        "Txn",
        success=[
            get(b"a"),
            put(b"a", b"new", prev_kv=True),
            get(b"a"),
            delete(b"b"),
            get(b"\x00", b"\x00"),
        ],
    )
    first, change, second, nothing, last = answer.responses
    assert first.response_range.kvs[0].value == b"old"
    assert change.response_put.prev_kv.value == b"old"
    assert second.response_range.kvs[0].value == b"new"
    assert second.response_range.kvs[0].mod_revision == 3
    assert nothing.response_delete_range.deleted == 0
    assert last.response_range.count == 1


def test_operations_carry_the_revision_visible_to_them(server: Target) -> None:
    server.put_all((b"a", b"1"))
    answer = server.call(
        "Txn",
        success=[get(b"a"), delete(b"none"), put(b"b"), delete(b"none"), get(b"a")],
    )
    revisions = [
        getattr(response, response.WhichOneof("response")).header.revision
        for response in answer.responses
    ]
    assert revisions == [2, 2, 3, 3, 3]


def test_txn_makes_one_revision(server: Target) -> None:
    server.call("Txn", success=[put(b"a"), put(b"b"), nested(success=[put(b"c")])])
    answer = server.call("Range", key=b"\x00", range_end=b"\x00")
    assert [pair.mod_revision for pair in answer.kvs] == [2, 2, 2]
    assert answer.header.revision == 2


def test_txn_that_changes_nothing_makes_no_revision(server: Target) -> None:
    server.call("Txn", success=[delete(b"a"), get(b"a"), nested(success=[])])
    assert server.revision() == 1


def test_nested_compares_see_the_state_before_the_txn(server: Target) -> None:
    is_absent = [compare("VERSION", b"a", "EQUAL", 0)]
    answer = server.call(
        "Txn",
        success=[
            put(b"a"),
            nested(compare=is_absent, success=[put(b"b", b"yes")], failure=[put(b"b")]),
        ],
    )
    assert answer.responses[1].response_txn.succeeded
    assert server.call("Range", key=b"b").kvs[0].value == b"yes"


def test_nested_txn_answers_its_own_choice(server: Target) -> None:
    never = [compare("VERSION", b"a", "EQUAL", 9)]

    def inner(key: bytes) -> rpc_pb2.RequestOp:
        return nested(compare=never, success=[], failure=[get(key), put(key)])

    answer = server.call("Txn", success=[inner(b"b"), nested(success=[inner(b"c")])])
    assert answer.succeeded
    for found in (
        answer.responses[0].response_txn,
        answer.responses[1].response_txn.responses[0].response_txn,
    ):
        assert not found.succeeded
        kinds = [response.WhichOneof("response") for response in found.responses]
        assert kinds == ["response_range", "response_put"]


@pytest.mark.parametrize(
    ("operation", "refusal"),
    [
        (put(b"none", ignore_value=True), KEY_NOT_FOUND),
        (put(b"none", ignore_lease=True), KEY_NOT_FOUND),
        (put(b"x", lease=9), LEASE_NOT_FOUND),
        (get(b"x", revision=9), FUTURE_REVISION),
        (get(b"x", revision=2), COMPACTED),
        (nested(success=[get(b"x", revision=9)]), FUTURE_REVISION),
    ],
)
def test_refused_operation_undoes_the_txn(
    server: Target, operation: rpc_pb2.RequestOp, refusal: Refusal
) -> None:
    server.put_all((b"a", b"1"), (b"a", b"2"))
    server.call("Compact", revision=3)
    assert server.refusal("Txn", success=[put(b"b"), operation]) == refusal
    assert server.call("Range", key=b"b").count == 0
    assert server.revision() == 3


def test_refused_operation_of_the_other_branch_does_not_matter(server: Target) -> None:
    server.call("Txn", success=[put(b"a")], failure=[get(b"a", revision=9)])


def test_puts_are_refused_before_ranges(server: Target) -> None:
    refusal = server.refusal("Txn", success=[get(b"a", revision=9), put(b"b", lease=9)])
    assert refusal == LEASE_NOT_FOUND


def test_range_of_the_txns_own_revision_is_refused(server: Target) -> None:
    refusal = server.refusal("Txn", success=[put(b"a"), get(b"a", revision=2)])
    assert refusal == FUTURE_REVISION


def test_negative_revision_in_a_txn_is_compacted_after_a_compaction(
    server: Target,
) -> None:
    server.put_all((b"a", b"1"))
    fields = {"success": [get(b"a", revision=-1)]}
    assert server.call("Txn", **fields).responses[0].response_range.count == 1
    server.call("Compact", revision=2)
    assert server.refusal("Txn", **fields) == COMPACTED


@pytest.mark.parametrize("serializable", [False, True])
def test_txn_of_ranges_reads_at_old_revisions(
    server: Target, serializable: bool
) -> None:
    server.put_all((b"a", b"1"), (b"a", b"2"))
    answer = server.call(
        "Txn",
        compare=[compare("VALUE", b"a", "EQUAL", b"2")],
        success=[
            get(b"a", revision=2, serializable=serializable),
            get(b"a", serializable=serializable),
        ],
    )
    values = [each.response_range.kvs[0].value for each in answer.responses]
    assert values == [b"1", b"2"]
