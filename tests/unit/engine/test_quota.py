import pytest

from miniet.engine.quota import (
    DEFAULT_QUOTA_BYTES,
    Quota,
    put_cost_bytes,
    txn_cost_bytes,
)
from miniet.engine.requests import DeleteRangeRequest, PutRequest, TxnRequest
from miniet.mvcc import RangeQuery

PUT = PutRequest(b"key", b"value")


def test_a_put_costs_its_bytes_and_256() -> None:
    assert put_cost_bytes(PUT) == 256 + 3 + 5


def test_a_txn_costs_its_dearer_branch() -> None:
    assert txn_cost_bytes(TxnRequest([], [PUT, PUT], [PUT])) == 2 * 264
    assert txn_cost_bytes(TxnRequest([], [PUT], [PUT, PUT])) == 2 * 264


def test_only_the_puts_of_the_txn_itself_cost() -> None:
    others = [DeleteRangeRequest(b"k"), RangeQuery(b"k"), TxnRequest(success=[PUT])]
    assert txn_cost_bytes(TxnRequest(success=others)) == 0
    assert txn_cost_bytes(TxnRequest(failure=[*others, PUT])) == 264


@pytest.mark.parametrize(
    ("quota_bytes", "size_bytes", "cost_bytes", "allowed"),
    [
        (1000, 700, 299, True),
        (1000, 700, 300, False),
        (1000, 1000, 0, False),
        (0, DEFAULT_QUOTA_BYTES - 2, 1, True),
        (0, DEFAULT_QUOTA_BYTES - 1, 1, False),
        (-1, 2**60, 2**60, True),
    ],
)
def test_a_write_must_stay_below_the_quota(
    quota_bytes: int, size_bytes: int, cost_bytes: int, *, allowed: bool
) -> None:
    assert Quota(quota_bytes).allows(size_bytes, cost_bytes) == allowed


def test_no_quota_given_is_two_gibibytes() -> None:
    assert Quota().quota_bytes == 2_147_483_648
    assert Quota(-1).quota_bytes == -1
