"""Endpoints as people write them."""

import pytest

from miniet.client.endpoint import Endpoint
from miniet.client.errors import ClientError


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("localhost:2379", "localhost:2379"),
        ("http://10.0.0.1:1234/", "10.0.0.1:1234"),
        ("etcd.example", "etcd.example:2379"),
        ("http://[::1]:2379", "[::1]:2379"),
    ],
)
def test_endpoint_is_read_as_etcdctl_reads_it(text: str, address: str) -> None:
    endpoint = Endpoint.parse(text)
    assert endpoint.address == address
    assert endpoint.url == f"http://{address}"


@pytest.mark.parametrize(
    "text", ["", "http://", "localhost:port", "localhost:99999", "ftp://a:1", "a:1/v3"]
)
def test_what_is_no_endpoint_is_refused_by_its_text(text: str) -> None:
    with pytest.raises(ClientError, match="is not an endpoint") as refusal:
        Endpoint.parse(text)
    assert repr(text) in str(refusal.value)


def test_tls_is_refused_by_name() -> None:
    with pytest.raises(ClientError, match="TLS is not supported"):
        Endpoint.parse("https://localhost:2379")
