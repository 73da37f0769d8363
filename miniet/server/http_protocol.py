"""`HttpProtocol`: the socket of one client that speaks HTTP/1.1.

    waiting ──request──► answering ──answer written──► waiting
       │                     │
       └─ too late, too      └─ a body, `Connection: close`, the server
          long, nonsense        is stopping ──► closed

What `h11` makes of the bytes is answered from the table of pages, one request after
the other; while one is being answered, nothing is read. No body is taken: a request
that has one is answered, and its connection closed.
"""

import asyncio
import logging
from email.utils import formatdate
from http import HTTPStatus
from typing import cast

import h11

from miniet.server.clients import Clients
from miniet.server.page import Page, Pages, error_page

logger = logging.getLogger(__name__)

HEADERS_BYTES_MAX = 16 * 1024
"""Longest request line and headers together."""
REQUEST_S_MAX = 30.0
"""Time for a request to arrive whole, and for the answer before it to leave."""


class HttpProtocol(asyncio.Protocol):
    """The socket of one client.

    Memory: what has come of a request and the answer that is leaving, no more.
    """

    def __init__(self, clients: Clients, pages: Pages) -> None:
        self._clients = clients
        self._pages = pages
        self._loop = asyncio.get_running_loop()
        self._http = h11.Connection(
            h11.SERVER, max_incomplete_event_size=HEADERS_BYTES_MAX
        )
        self._answering: asyncio.Task[None] | None = None
        self._is_last = False
        self._can_write = True
        self._deadline: asyncio.TimerHandle | None = None

    @property
    def call_count(self) -> int:
        """1 while a request is being answered."""
        return int(self._answering is not None)

    # ---- the loop's

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        if not self._clients.admit(self):
            self._transport.abort()
            return
        self._restart_deadline()

    def connection_lost(self, error: Exception | None) -> None:
        self._clients.forget(self)
        self._stop_deadline()
        if self._answering is not None:
            self._answering.cancel()

    def data_received(self, data: bytes) -> None:
        self._http.receive_data(data)
        self._take_request()

    def eof_received(self) -> None:
        """The client asks for no more, and waits for no answer: those were read first.

        Invariant: nothing is read, the end neither, while an answer is due or leaving.
        """
        self._http.receive_data(b"")
        self._take_request()

    def pause_writing(self) -> None:
        self._can_write = False

    def resume_writing(self) -> None:
        self._can_write = True
        if self._answering is None and not self._transport.is_closing():
            self._go_on()

    # ---- requests

    def _go_on(self) -> None:
        """Read again; what the next request needs may be here already."""
        self._transport.resume_reading()
        self._take_request()

    def _take_request(self) -> None:
        """Begin to answer the next request, if it is here."""
        if self._answering is not None or self._transport.is_closing():
            return
        try:
            event = self._http.next_event()
            if isinstance(event, h11.Request):
                is_whole = isinstance(self._http.next_event(), h11.EndOfMessage)
        except h11.RemoteProtocolError as error:
            status = HTTPStatus(error.error_status_hint)
            self._is_last = True
            self._send(error_page(status, f"{status:d} {status.phrase}"))
            return
        if isinstance(event, h11.ConnectionClosed):
            self._transport.close()
        elif isinstance(event, h11.Request):
            self._is_last |= not is_whole
            self._stop_deadline()
            self._transport.pause_reading()
            self._answering = self._loop.create_task(self._answer(event))

    async def _answer(self, request: h11.Request) -> None:
        page = await self._page(request)
        self._answering = None
        if not self._transport.is_closing():
            self._send(page, request)
        self._clients.changed()

    async def _page(self, request: h11.Request) -> Page:
        if request.http_version not in (b"1.0", b"1.1"):
            self._is_last = True
            status = HTTPStatus.HTTP_VERSION_NOT_SUPPORTED
            return error_page(status, f"{status:d} {status.phrase}")
        path = request.target.partition(b"?")[0].decode()
        source = self._pages.get(path)
        if source is None:
            return error_page(HTTPStatus.NOT_FOUND, "404 page not found\n")
        if request.method.decode() not in source.methods:
            status = HTTPStatus.METHOD_NOT_ALLOWED
            allow = ("Allow", ", ".join(source.methods))
            return error_page(status, "Method Not Allowed\n", allow)
        try:
            async with asyncio.timeout(source.seconds_max):
                return await source.make()
        except TimeoutError:
            return Page(b"", status=HTTPStatus.SERVICE_UNAVAILABLE)
        except Exception:
            logger.exception("page failed path=%s", path)
            return Page(b"", status=HTTPStatus.INTERNAL_SERVER_ERROR)

    def _send(self, page: Page, request: h11.Request | None = None) -> None:
        """Write an answer, and wait for the next request or close."""
        http = self._http
        headers = [
            ("Content-Type", page.content_type),
            ("Content-Length", str(len(page.body))),
            ("Date", formatdate(usegmt=True)),
            *page.headers,
        ]
        if self._is_last:
            headers.append(("Connection", "close"))
        events: list[h11.Event] = [
            h11.Response(
                status_code=page.status, reason=page.status.phrase, headers=headers
            ),
            h11.Data(data=page.body),
            h11.EndOfMessage(),
        ]
        if request is not None and request.method == b"HEAD":
            del events[1]
        self._transport.write(b"".join(filter(None, map(http.send, events))))
        self._restart_deadline()
        if http.our_state is h11.DONE and http.their_state is h11.DONE:
            http.start_next_cycle()
            if self._can_write:
                self._go_on()
        else:
            self._transport.close()

    # ---- life

    def _restart_deadline(self) -> None:
        self._stop_deadline()
        self._deadline = self._loop.call_later(REQUEST_S_MAX, self.abort)

    def _stop_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()

    def drain(self) -> None:
        """Answer what was asked and nothing more."""
        self._is_last = True
        if self._answering is None:
            self._transport.close()

    def end_streams(self) -> None:
        """There are none."""

    def close(self) -> None:
        """Close when all that was written has left."""
        self._transport.close()

    def abort(self) -> None:
        """Close now."""
        self._transport.abort()
