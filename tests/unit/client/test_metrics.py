"""Status pages as names and numbers."""

import pytest

from miniet.client.errors import ClientError
from miniet.client.metrics import Metrics

PAGE = """\
# TYPE grpc_server_started_total counter
grpc_server_started_total{grpc_method="Put"} 3
grpc_server_started_total{grpc_method="Range"} 4
# TYPE etcd_mvcc_db_total_size_in_bytes gauge
etcd_mvcc_db_total_size_in_bytes 2.147483648e+09
"""


def test_labelled_samples_are_added_up() -> None:
    assert Metrics(PAGE).get("grpc_server_started_total") == 7


def test_numbers_are_whole() -> None:
    assert Metrics(PAGE).get("etcd_mvcc_db_total_size_in_bytes") == 2147483648


def test_missing_metric_is_not_zero() -> None:
    assert Metrics(PAGE).get("etcd_mvcc_put_total") is None


def test_page_of_something_else_is_refused() -> None:
    with pytest.raises(ClientError, match="cannot be understood"):
        Metrics("<html>\nhello there\n")
