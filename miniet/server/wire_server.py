"""The default transport: the handler table on `miniet.wire` and a `Port`.

One `ClientProtocol` per connection feeds what comes to its `Connection` and writes
what that has to say, once per round of the loop: the answers of all calls that ended
in a round leave together.
"""

from collections.abc import Sequence
from functools import partial

from miniet.server.calls import MethodCalls, unknown_method
from miniet.server.methods import Method
from miniet.server.page import Pages
from miniet.server.port import Port
from miniet.server.recorders import Traffic
from miniet.server.tls import Tls
from miniet.server.wire_protocol import ClientProtocol, Served
from miniet.wire import Limits


class WireServer:
    """Serves a table of methods, and pages, on one or more addresses.

    Args: as `GrpcServer` and `Port`.
    """

    def __init__(
        self,
        traffic: Traffic,
        *,
        pages: Pages,
        tls: Tls | None,
        receive_bytes_max: int,
        max_concurrent_streams: int,
        keepalive_min_time_s: float,
        keepalive_interval_s: float,
        keepalive_timeout_s: float,
    ) -> None:
        self._port = Port(pages, tls)
        self._served = Served(
            traffic=traffic,
            clients=self._port.clients,
            limits=Limits(
                concurrent_streams_max=max_concurrent_streams,
                message_bytes_max=receive_bytes_max,
                ping_interval_min_s=keepalive_min_time_s,
            ),
            keepalive_interval_s=keepalive_interval_s,
            keepalive_timeout_s=keepalive_timeout_s,
        )
        self._receive_bytes_max = receive_bytes_max

    def bind(self, urls: Sequence[str]) -> list[int]:
        """Take the addresses, as `Port.bind`."""
        return self._port.bind(urls)

    async def start(self, methods: Sequence[Method]) -> None:
        """Serve from now on."""
        served = self._served
        for method in methods:
            calls = MethodCalls(method, served.traffic, self._receive_bytes_max)
            served.calls[method.path] = calls
        services = {path.split("/")[1] for path in served.calls}
        served.unknown = partial(unknown_method, services=services)
        self._port.start(partial(ClientProtocol, served))

    async def stop(self, grace_s: float) -> None:
        """Refuse new calls, end streams, give other calls `grace_s` seconds."""
        await self._port.stop(grace_s)

    async def end_streams(self) -> None:
        """End the streaming calls that are open; new ones may come."""
        await self._port.end_streams()
