"""`Page` and `PageSource`: what plain HTTP is answered with."""

import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus

TEXT = "text/plain; charset=utf-8"
"""Content type of what is said in words."""


@dataclass(slots=True, frozen=True)
class Page:
    """One answer."""

    body: bytes
    content_type: str = TEXT
    status: HTTPStatus = HTTPStatus.OK
    headers: tuple[tuple[str, str], ...] = ()
    """Beside those that every answer has."""


@dataclass(slots=True, frozen=True, kw_only=True)
class PageSource:
    """Makes the page of one path, anew for each request.

    methods: what may be asked, GET being one.
    seconds_max: when it is given up.
    """

    make: Callable[[], Awaitable[Page]]
    methods: tuple[str, ...] = ("GET",)
    seconds_max: float = 10.0


Pages = Mapping[str, PageSource]
"""By path, the query left out."""


def error_page(status: HTTPStatus, text: str, *headers: tuple[str, str]) -> Page:
    """Make a page of words, as Go's `http.Error` does."""
    sniffing = ("X-Content-Type-Options", "nosniff")
    return Page(text.encode(), TEXT, status, (*headers, sniffing))


def json_page(document: object, status: HTTPStatus = HTTPStatus.OK) -> Page:
    """Make a page of JSON, as compact as etcd's."""
    body = json.dumps(document, separators=(",", ":")).encode()
    return Page(body, "application/json", status)
