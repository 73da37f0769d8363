"""`/health`, `/version` and `/metrics` over plain HTTP, beside the client port.

On the standard library's server and threads of its own: these pages are asked for
a few times a minute, and must answer even when the loop is busy. What they say
is computed on the loop, where the engine lives.
"""

import asyncio
import json
import threading
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

_ANSWER_TIMEOUT_S = 10.0


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
        self._server = ThreadingHTTPServer((host, port), handler)
        self._server.daemon_threads = True

    @property
    def port(self) -> int:
        """The port, also where 0 was asked for."""
        return int(self._server.server_address[1])

    def start(self) -> None:
        """Answer from now on; call it on the running loop."""
        self._loop = asyncio.get_running_loop()
        self._thread = threading.Thread(
            target=self._server.serve_forever, name="miniet-http", daemon=True
        )
        self._thread.start()

    def stop(self) -> None:
        """Close the port; waits for the listening thread, so not on the loop."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def page(self, path: str) -> Page | None:
        """Compute a page on the loop, called from a thread of the HTTP server."""
        make = self._pages.get(path)
        if make is None:
            return None

        async def run() -> Page:
            return await make()

        future = asyncio.run_coroutine_threadsafe(run(), self._loop)
        return future.result(_ANSWER_TIMEOUT_S)


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
