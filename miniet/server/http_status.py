"""`/health`, `/version`, `/metrics` and `/debug/memory` over plain HTTP.

Beside the client port, on the standard library's server and threads: they are asked for
a few times a minute, and must answer even when the loop is busy. What they say
is computed on the loop, where the engine lives.
"""

import asyncio
import json
import logging
import socket
import threading
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

logger = logging.getLogger(__name__)

_CONNECTIONS_WAITING_MAX = 128
_ANSWER_TIMEOUT_S = 10.0
# Booking the traced blocks of a large server takes long, and has an end of its own.
_ANSWER_TIMEOUTS_S = {"/debug/memory": 150.0}
_STOP_POLL_S = 0.05


@dataclass(slots=True, frozen=True)
class Page:
    """One answer."""

    body: bytes
    content_type: str
    status: HTTPStatus = HTTPStatus.OK


Pages = Mapping[str, Callable[[], Awaitable[Page]]]


def json_page(document: object, status: HTTPStatus = HTTPStatus.OK) -> Page:
    """Make a page of JSON, as compact as etcd's."""
    body = json.dumps(document, separators=(",", ":")).encode()
    return Page(body, "application/json", status)


class HttpStatusServer:
    """Listens on one address and answers GET requests for known pages."""

    def __init__(self, host: str, port: int, pages: Pages) -> None:
        """Bind the address; nothing is answered before `start`.

        Raises:
            OSError: the address cannot be listened on.
        """
        self._pages = pages
        handler = type("Handler", (_Handler,), {"server_of_pages": self})
        self._server = _Listener((host, port), handler)
        self._thread: threading.Thread | None = None

    @property
    def port(self) -> int:
        """The port, also where 0 was asked for."""
        return int(self._server.server_address[1])

    def start(self) -> None:
        """Answer from now on; call it on the running loop."""
        # The standard library's 5 make the next client try again after a second.
        self._server.socket.listen(_CONNECTIONS_WAITING_MAX)
        self._loop = asyncio.get_running_loop()
        self._thread = threading.Thread(
            target=self._server.serve_forever,
            args=(_STOP_POLL_S,),
            name="miniet-http",
            daemon=True,
        )
        self._thread.start()

    def stop(self) -> None:
        """Close port and connections; waits for the threads, so not on the loop."""
        if self._thread is not None:
            self._server.shutdown()
            self._thread.join()
        self._server.server_close()
        self._server.close_connections()

    def page(self, path: str) -> Page | None:
        """Compute a page on the loop, called from a thread of the HTTP server."""
        make = self._pages.get(path)
        if make is None:
            return None

        async def run() -> Page:
            return await make()

        future = asyncio.run_coroutine_threadsafe(run(), self._loop)
        return future.result(_ANSWER_TIMEOUTS_S.get(path, _ANSWER_TIMEOUT_S))


class _Listener(ThreadingHTTPServer):
    """A thread per connection, none of which outlives `close_connections`."""

    def __init__(self, address: tuple[str, int], handler: type["_Handler"]) -> None:
        self._connections: dict[threading.Thread, socket.socket] = {}
        if ":" in address[0]:
            self.address_family = socket.AF_INET6
        super().__init__(address, handler)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A connection broke; the client knows."""
        logger.debug("status connection ended client=%s", client_address, exc_info=True)

    def process_request(self, request: Any, client_address: Any) -> None:
        thread = threading.Thread(
            target=self.process_request_thread,
            args=(request, client_address),
            name="miniet-http-call",
            daemon=True,
        )
        self._connections[thread] = request
        thread.start()

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            del self._connections[threading.current_thread()]

    def close_connections(self) -> None:
        """End all connections, and wait for their threads; call it when closed."""
        for thread, connection in list(self._connections.items()):
            with suppress(OSError):  # the client was faster
                connection.shutdown(socket.SHUT_RDWR)
            thread.join()


class _Handler(BaseHTTPRequestHandler):
    server_of_pages: HttpStatusServer
    protocol_version = "HTTP/1.1"
    # A client that says nothing holds a thread no longer than this.
    timeout = 30

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        try:
            page = self.server_of_pages.page(path)
        except (TimeoutError, RuntimeError):
            page = Page(b"", "text/plain", HTTPStatus.SERVICE_UNAVAILABLE)
        if page is None:
            page = Page(
                b"404 page not found\n",
                "text/plain; charset=utf-8",
                HTTPStatus.NOT_FOUND,
            )
        self._send(page)

    def _refuse_method(self) -> None:
        self._send(
            Page(
                b"Method Not Allowed\n",
                "text/plain; charset=utf-8",
                HTTPStatus.METHOD_NOT_ALLOWED,
            )
        )

    do_POST = do_PUT = do_DELETE = do_HEAD = _refuse_method

    def _send(self, page: Page) -> None:
        self.send_response(page.status)
        self.send_header("Content-Type", page.content_type)
        self.send_header("Content-Length", str(len(page.body)))
        if page.status is HTTPStatus.METHOD_NOT_ALLOWED:
            self.send_header("Allow", "GET")
            # The body of the request was not read: the connection is of no use.
            self.close_connection = True
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(page.body)

    def log_message(self, format: str, *args: object) -> None:
        """Stay silent: health checks would fill the log."""
