"""`Port`: addresses listened on, and what is spoken with those who connect.

    bytes came ──TLS, if the URL says https──► `PRI * HTTP/2.0` ──► gRPC
                                        └────► anything else ─────► HTTP/1.1

etcd serves both on one port, told apart in the same way (its `cmux`). A connection
counts from the moment it is there, so that a hello that never comes cannot use up the
files that the member needs.
"""

import asyncio
import logging
import socket
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from typing import cast
from urllib.parse import urlsplit

from miniet.server.clients import Clients
from miniet.server.descriptors import connections_max
from miniet.server.page import Pages
from miniet.server.tls import Tls

logger = logging.getLogger(__name__)

HTTP2_BEGIN = b"PRI * HTTP/2.0"
"""Of the preface of HTTP/2; no request of HTTP/1.1 begins so."""
BEGIN_S_MAX = 30.0
"""Time for the hello of TLS and the first bytes to come."""
_BACKLOG = 1024
_ACCEPT_PAUSE_S = 0.1


@dataclass(slots=True, kw_only=True)
class Spoken:
    """What is spoken at a port.

    grpc: makes the protocol of a client that begins as HTTP/2 does; None: HTTP/1.1
        is all that is understood.
    """

    clients: Clients
    pages: Pages
    grpc: Callable[[], asyncio.Protocol] | None

    def protocol_for(self, begin: bytes) -> asyncio.Protocol | None:
        """Return the protocol of a client by its first bytes; None: too few."""
        if self.grpc is not None and HTTP2_BEGIN.startswith(begin[: len(HTTP2_BEGIN)]):
            return self.grpc() if len(begin) >= len(HTTP2_BEGIN) else None
        # Imported with h11 when the first such client is here: most servers have none.
        http = import_module("miniet.server.http_protocol")
        return cast(asyncio.Protocol, http.HttpProtocol(self.clients, self.pages))


class PortProtocol(asyncio.Protocol):
    """A connection until it is known what the client speaks."""

    call_count = 0

    def __init__(self, spoken: Spoken) -> None:
        self._spoken = spoken
        self._clients = spoken.clients
        self._loop = asyncio.get_running_loop()
        self._begin = b""
        self._connecting: asyncio.Task[None] | None = None
        self._transport: asyncio.Transport | None = None
        self._deadline: asyncio.TimerHandle | None = None

    def connect(
        self, connection: socket.socket, client: object, tls: Tls | None
    ) -> None:
        """Begin with a socket, which is this object's from now on.

        Args:
            client: its address, for the log.
            tls: to be spoken first; whoever cannot is cut off.
        """
        if not self._clients.admit(self):
            connection.close()
            return
        self._deadline = self._loop.call_later(BEGIN_S_MAX, self.abort)
        self._connecting = self._loop.create_task(self._connect(connection, tls))
        self._connecting.add_done_callback(partial(self._connected, connection, client))

    async def _connect(self, connection: socket.socket, tls: Tls | None) -> None:
        context = None if tls is None else tls.context()
        await self._loop.connect_accepted_socket(lambda: self, connection, ssl=context)

    def _connected(
        self, connection: socket.socket, client: object, task: asyncio.Task[None]
    ) -> None:
        """From here on the transport tells the end, but to whom there is none."""
        error = None if task.cancelled() else task.exception()
        if task.cancelled() or error is not None:
            connection.close()
            self._forget()
        if isinstance(error, OSError):
            logger.warning("rejected connection client=%s error=%r", client, error)
        elif error is not None:
            raise error

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def connection_lost(self, error: Exception | None) -> None:
        self._forget()

    def data_received(self, data: bytes) -> None:
        self._begin += data
        protocol = self._spoken.protocol_for(self._begin)
        if protocol is not None:
            assert self._transport is not None
            self._forget()
            self._transport.set_protocol(protocol)
            protocol.connection_made(self._transport)
            protocol.data_received(self._begin)

    def _forget(self) -> None:
        self._clients.forget(self)
        if self._deadline is not None:
            self._deadline.cancel()

    # ---- life

    def end_streams(self) -> None:
        """There are none."""

    def close(self) -> None:
        """Close; nothing was written."""
        if self._transport is not None:
            self._transport.abort()
        elif self._connecting is not None:
            self._connecting.cancel()

    drain = abort = close


class _Listener:
    """A socket that is listened on.

    Not asyncio's server: that shakes hands before anybody can count the connection.
    """

    def __init__(self, listener: socket.socket, tls: Tls | None) -> None:
        listener.setblocking(False)
        self._socket = listener
        self._tls = tls
        self._pause: asyncio.TimerHandle | None = None

    def start(self, spoken: Spoken) -> None:
        """Take connections, one in each round of the loop."""
        self._loop = asyncio.get_running_loop()
        self._spoken = spoken
        self._loop.add_reader(self._socket, self._accept)

    def _accept(self) -> None:
        try:
            connection, client = self._socket.accept()
        except (BlockingIOError, ConnectionAbortedError):  # the client has left
            return
        except OSError as error:  # most likely there is no descriptor for it
            logger.warning("cannot accept error=%r", error)
            self._loop.remove_reader(self._socket)
            self._pause = self._loop.call_later(
                _ACCEPT_PAUSE_S, self.start, self._spoken
            )
            return
        with suppress(OSError):  # the client has left
            # uvloop does it by itself, asyncio's loop only for sockets it made.
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        PortProtocol(self._spoken).connect(connection, client, self._tls)

    def close(self) -> None:
        """Take no more."""
        # Nothing, if it was not started.
        asyncio.get_running_loop().remove_reader(self._socket)
        if self._pause is not None:
            self._pause.cancel()
        self._socket.close()


class Port:
    """Listens on the addresses of some URLs, and serves pages over HTTP/1.1.

    Args:
        pages: by path; need not be filled before `start`.
        tls: for the URLs that say https.
    """

    def __init__(self, pages: Pages, tls: Tls | None) -> None:
        self.clients = Clients(connections_max())
        self._pages = pages
        self._tls = tls
        self._listeners: list[_Listener] = []

    def bind(self, urls: Sequence[str]) -> list[int]:
        """Take the addresses; nothing is answered before `start`.

        Returns:
            The port of each URL, for those that asked for port 0.
        Raises:
            OSError: an address cannot be listened on.
        """
        ports = []
        for url in urls:
            parts = urlsplit(url)
            tls = self._tls if parts.scheme == "https" else None
            try:
                ports.append(self._listen_on(parts.hostname, parts.port or 0, tls))
            except OSError as error:
                raise OSError(f"cannot listen on {parts.netloc}: {error}") from error
        return ports

    def _listen_on(self, host: str | None, port: int, tls: Tls | None) -> int:
        """Listen wherever a name leads, on the same port everywhere."""
        found = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
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
            self._listeners.append(_Listener(listener, tls))
            port = listener.getsockname()[1]
        return port

    def start(self, grpc: Callable[[], asyncio.Protocol] | None = None) -> None:
        """Serve from now on; call it on the running loop.

        Args:
            grpc: makes what speaks with clients of gRPC, if they are to be served.
        """
        spoken = Spoken(clients=self.clients, pages=self._pages, grpc=grpc)
        for listener in self._listeners:
            listener.start(spoken)

    async def stop(self, grace_s: float) -> None:
        """Refuse new calls, end streams, give other calls `grace_s` seconds."""
        for listener in self._listeners:
            listener.close()
        self._listeners.clear()
        await self.end_streams()
        await self.clients.leave(grace_s)

    async def end_streams(self) -> None:
        """End the streaming calls that are open; new ones may come."""
        self.clients.end_streams()
        # Their tasks are cancelled in the next round.
        await asyncio.sleep(0)
