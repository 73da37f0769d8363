"""The service `grpc.health.v1.Health`: only the empty name is known."""

import asyncio

from miniet.pb import health_pb2
from miniet.server.methods import Kind, Method, Stream
from miniet.server.rpc_errors import CallError, Code

_SERVING = health_pb2.HealthCheckResponse(
    status=health_pb2.HealthCheckResponse.SERVING
).SerializeToString()
_SERVICE_UNKNOWN = health_pb2.HealthCheckResponse(
    status=health_pb2.HealthCheckResponse.SERVICE_UNKNOWN
).SerializeToString()


class HealthService:
    """Says SERVING as long as anyone is there to ask."""

    def methods(self) -> list[Method]:
        """Return the rows of this service."""
        request_type = health_pb2.HealthCheckRequest
        return [
            Method(
                "/grpc.health.v1.Health/Check", request_type, Kind.UNARY, self.check
            ),
            Method(
                "/grpc.health.v1.Health/Watch",
                request_type,
                Kind.SERVER_STREAM,
                self.watch,
            ),
        ]

    async def check(self, request: health_pb2.HealthCheckRequest) -> bytes:
        """Answer SERVING for the empty service name."""
        if request.service:
            raise CallError(Code.NOT_FOUND, "unknown service")
        return _SERVING

    async def watch(self, stream: Stream) -> None:
        """Send the status now; it does not change while the server runs."""
        request = await stream.receive()
        if request is None:
            return
        await stream.send(_SERVICE_UNKNOWN if request.service else _SERVING)
        await asyncio.Event().wait()
