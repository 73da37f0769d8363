"""The default transport: the handler table on `miniet.wire` and the loop's sockets.

One `ClientProtocol` per connection feeds what comes to its `Connection` and writes
what that has to say, once per round of the loop: the answers of all calls that ended
in a round leave together.
"""

import asyncio
import socket
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial

from miniet.server.calls import MethodCalls, unknown_method
from miniet.server.descriptors import connections_max
from miniet.server.methods import Method
from miniet.server.recorders import Traffic
from miniet.server.wire_protocol import ClientProtocol, Served
from miniet.wire import Limits

_BACKLOG = 1024


class WireServer:
    """Serves a table of methods on one or more addresses.

    Args: as `GrpcServer`.
    """

    def __init__(
        self,
        traffic: Traffic,
        *,
        receive_bytes_max: int,
        max_concurrent_streams: int,
        keepalive_min_time_s: float,
        keepalive_interval_s: float,
        keepalive_timeout_s: float,
    ) -> None:
        self._served = Served(
            traffic=traffic,
            limits=Limits(
                concurrent_streams_max=max_concurrent_streams,
                message_bytes_max=receive_bytes_max,
                ping_interval_min_s=keepalive_min_time_s,
            ),
            keepalive_interval_s=keepalive_interval_s,
            keepalive_timeout_s=keepalive_timeout_s,
            connections_max=connections_max(),
        )
        self._receive_bytes_max = receive_bytes_max
        self._sockets: list[socket.socket] = []
        self._servers: list[asyncio.Server] = []

    def bind(self, addresses: Sequence[str]) -> list[int]:
        """Take the addresses; nothing is answered before `start`.

        Returns:
            The port of each address, for those that asked for port 0.
        Raises:
            OSError: an address cannot be listened on.
        """
        ports = []
        for address in addresses:
            host, _, port = address.rpartition(":")
            try:
                ports.append(self._listen_on(host.strip("[]"), int(port)))
            except OSError as error:
                raise OSError(f"cannot listen on {address}: {error}") from error
        return ports

    def _listen_on(self, host: str, port: int) -> int:
        """Listen wherever a name leads, on the same port everywhere."""
        found = socket.getaddrinfo(
            host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
        for family, _, _, _, place in dict.fromkeys(found):
            try:
                listener = socket.create_server(
                    (str(place[0]), port), family=family, backlog=_BACKLOG
                )
            except OSError:
                # `localhost` may lead to ::1 where there is no IPv6.
                if family == socket.AF_INET6 and len(found) > 1:
                    continue
                raise
            self._sockets.append(listener)
            port = listener.getsockname()[1]
        return port

    async def start(self, methods: Sequence[Method]) -> None:
        """Serve from now on."""
        served = self._served
        for method in methods:
            calls = MethodCalls(method, served.traffic, self._receive_bytes_max)
            served.calls[method.path] = calls
        services = {path.split("/")[1] for path in served.calls}
        served.unknown = partial(unknown_method, services=services)
        loop = asyncio.get_running_loop()
        for listener in self._sockets:
            self._servers.append(
                await loop.create_server(
                    partial(ClientProtocol, served), sock=listener, backlog=_BACKLOG
                )
            )
        self._sockets.clear()

    async def stop(self, grace_s: float) -> None:
        """Refuse new calls, end streams, give other calls `grace_s` seconds."""
        for listener in self._sockets:
            listener.close()
        self._sockets.clear()
        for server in self._servers:
            server.close()
        await self.end_streams()
        clients = self._served.clients
        for client in list(clients):
            client.drain()
        await self._wait(lambda: not any(each.call_count for each in clients), grace_s)
        for client in list(clients):
            client.close()
        await self._wait(lambda: not clients, grace_s)  # what was written is leaving
        for client in list(clients):
            client.abort()
        for server in self._servers:
            with suppress(asyncio.CancelledError):
                await server.wait_closed()
        self._servers.clear()

    async def _wait(self, claim: Callable[[], bool], seconds_max: float) -> None:
        """Wait until something holds of the clients, for a time."""
        changed = self._served.changed = asyncio.Event()
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds_max):
                while not claim():
                    changed.clear()
                    await changed.wait()

    async def end_streams(self) -> None:
        """End the streaming calls that are open; new ones may come."""
        for client in list(self._served.clients):
            client.end_streams()
        # Their tasks are cancelled in the next round.
        await asyncio.sleep(0)
