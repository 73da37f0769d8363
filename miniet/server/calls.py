"""`MethodCalls`: what every transport does around the handler of a method.

It parses and bounds requests, counts calls and messages, and says how a call ended.
"""

from collections.abc import Iterable, Mapping, Sequence
from time import monotonic
from typing import Any

from google.protobuf.message import DecodeError

from miniet.server.methods import Kind, Method
from miniet.server.recorders import CallCounters, Traffic
from miniet.server.rpc_errors import CallError, Code


class MethodCalls:
    """The calls of one method.

    method: the row of the table.
    """

    __slots__ = (
        "_bytes_max",
        "_counters",
        "_parse",
        "_request_kind",
        "_traffic",
        "method",
    )

    def __init__(self, method: Method, traffic: Traffic, bytes_max: int) -> None:
        _, service, name = method.path.split("/")
        self.method = method
        self._traffic = traffic
        self._counters = CallCounters(service, name, method.kind.value)
        self._request_kind = "unary" if method.kind is Kind.UNARY else "stream"
        self._parse = method.parser
        self._bytes_max = bytes_max
        traffic.methods.append(self._counters)

    def begin(self, metadata: Mapping[str, str]) -> float:
        """Count a call from its beginning; returns what `end` wants to know."""
        self._counters.started += 1
        traffic = self._traffic
        traffic.calls_in_flight += 1
        version = metadata.get("client-api-version", "unknown")
        traffic.requests[self._request_kind, version] += 1
        return monotonic()

    def end(self, code: Code, begun_s: float) -> None:
        """Count the end of a call."""
        self._counters.end(code, monotonic() - begun_s)
        self._traffic.calls_in_flight -= 1

    def received(self, request: bytes) -> Any:
        """Count and parse one message from the client.

        Raises:
            CallError: it is too large, or not a message of this kind.
        """
        size = len(request)
        self._counters.received += 1
        self._traffic.received_bytes_total += size
        if size > self._bytes_max:
            raise CallError(
                Code.RESOURCE_EXHAUSTED,
                f"grpc: received message larger than max ({size} vs. "
                f"{self._bytes_max})",
            )
        try:
            return self._parse(request)
        except DecodeError as error:
            raise CallError(
                Code.INTERNAL, f"grpc: error unmarshalling request: {error}"
            ) from error

    def sent(self, response: bytes) -> None:
        """Count one message to the client."""
        counters, size = self._counters, len(response)
        counters.sent += 1
        if size > counters.sent_bytes_max:
            counters.sent_bytes_max = size
        self._traffic.sent_bytes_total += size

    def sent_all(self, responses: Sequence[bytes]) -> None:
        """Count several messages to the client, as `sent` does one."""
        counters, sizes = self._counters, [*map(len, responses)]
        counters.sent += len(sizes)
        counters.sent_bytes_max = max(counters.sent_bytes_max, *sizes)
        self._traffic.sent_bytes_total += sum(sizes)


def unknown_method(path: str, services: Iterable[str]) -> str:
    """Return what to say, with code UNIMPLEMENTED, of a path that is not served."""
    service, _, method = path.removeprefix("/").partition("/")
    if service in services:
        return f"unknown method {method} for service {service}"
    return f"unknown service {service}"
