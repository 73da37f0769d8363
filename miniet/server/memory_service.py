"""The service `miniet.Memory`, which real etcd servers do not have."""

import json

from miniet.pb import memory_pb2
from miniet.server.memory import MemoryReader
from miniet.server.methods import Kind, Method

_TRACING_SET = memory_pb2.SetTracingResponse().SerializeToString()


class MemoryService:
    """Captures, and tracing on and off, for those who are not in this process."""

    def __init__(self, memory: MemoryReader) -> None:
        self._memory = memory

    def methods(self) -> list[Method]:
        """Return the rows of this service."""
        return [
            Method(
                "/miniet.Memory/Capture",
                memory_pb2.CaptureRequest,
                Kind.UNARY,
                self.capture,
            ),
            Method(
                "/miniet.Memory/SetTracing",
                memory_pb2.SetTracingRequest,
                Kind.UNARY,
                self.set_tracing,
            ),
        ]

    async def capture(self, request: memory_pb2.CaptureRequest) -> bytes:
        """Read all witnesses at once."""
        capture = await self._memory.capture(request.label, new_peak=request.reset_peak)
        document = json.dumps(capture.to_json(), separators=(",", ":"))
        return memory_pb2.CaptureResponse(json=document.encode()).SerializeToString()

    async def set_tracing(self, request: memory_pb2.SetTracingRequest) -> bytes:
        """Switch tracing on or off; nothing, if it is so already."""
        await self._memory.set_tracing(request.on, request.frame_count)
        return _TRACING_SET
