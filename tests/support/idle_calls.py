"""Opens streaming calls to a server and leaves them open until its input ends.

python -m tests.support.idle_calls ENDPOINT COUNT
"""

import os
import sys

import grpc

from miniet.pb import health_pb2


def main(endpoint: str, count: str) -> None:
    """Say `open` when the server has answered all of them."""
    channel = grpc.insecure_channel(endpoint)
    watch = channel.unary_stream(
        "/grpc.health.v1.Health/Watch",
        request_serializer=health_pb2.HealthCheckRequest.SerializeToString,
        response_deserializer=health_pb2.HealthCheckResponse.FromString,
    )
    calls = [watch(health_pb2.HealthCheckRequest()) for _ in range(int(count))]
    for call in calls:
        next(call)
    sys.stdout.write("open\n")
    sys.stdout.flush()
    sys.stdin.read()
    os._exit(0)  # without telling the server call by call


if __name__ == "__main__":
    main(*sys.argv[1:])
