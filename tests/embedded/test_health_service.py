"""`grpc.health.v1.Health`, which load balancers and grpc-health-probe ask."""

from collections.abc import Iterator
from typing import Any

import grpc
import pytest

import miniet
from miniet.pb import health_pb2
from tests.embedded.client import DEADLINE_S, Client, connect

STATUS = health_pb2.HealthCheckResponse


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    with miniet.Server() as etcd, connect(etcd.endpoint) as client:
        yield client


def watch(client: Client, service: str) -> Any:
    return client.channel.unary_stream(
        "/grpc.health.v1.Health/Watch",
        request_serializer=health_pb2.HealthCheckRequest.SerializeToString,
        response_deserializer=STATUS.FromString,
    )(health_pb2.HealthCheckRequest(service=service), timeout=DEADLINE_S)


def test_check_of_the_server_says_serving(client: Client) -> None:
    answer = client.call(
        "/grpc.health.v1.Health/Check", health_pb2.HealthCheckRequest(), STATUS
    )
    assert answer.status == STATUS.SERVING


def test_check_of_another_service_is_not_found(client: Client) -> None:
    request = health_pb2.HealthCheckRequest(service="etcdserverpb.KV")
    with pytest.raises(grpc.RpcError) as caught:
        client.call("/grpc.health.v1.Health/Check", request, STATUS)
    assert caught.value.code() is grpc.StatusCode.NOT_FOUND
    assert caught.value.details() == "unknown service"


@pytest.mark.parametrize(
    ("service", "status"), [("", STATUS.SERVING), ("other", STATUS.SERVICE_UNKNOWN)]
)
def test_watch_tells_the_status_and_stays_open(
    client: Client, service: str, status: int
) -> None:
    call = watch(client, service)
    assert next(call).status == status
    assert call.is_active()
    call.cancel()


def test_watch_ends_with_the_server() -> None:
    with miniet.Server() as etcd, connect(etcd.endpoint) as client:
        call = watch(client, "")
        next(call)
        etcd.stop()
        with pytest.raises(grpc.RpcError):
            next(call)
        assert call.code() is grpc.StatusCode.UNAVAILABLE
