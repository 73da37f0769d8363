"""Where a server is, as people write it."""

from dataclasses import dataclass
from typing import Self
from urllib.parse import urlsplit

from miniet.client.errors import ClientError

DEFAULT_PORT = 2379


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Host and port of the client URL of a server."""

    host: str
    port: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `localhost:2379`, `http://[::1]:2379` or a host alone.

        Raises:
            ClientError: it is none of those, or asks for TLS.
        """
        url = text if "://" in text else f"http://{text}"
        try:
            parts = urlsplit(url)
            host, port = parts.hostname, parts.port
        except ValueError:
            host, port, parts = None, None, urlsplit("")
        if parts.scheme == "https":
            raise ClientError(f"{text}: TLS is not supported, use an http:// endpoint")
        if parts.scheme != "http" or not host or parts.path.strip("/"):
            raise ClientError(f"{text!r} is not an endpoint such as localhost:2379")
        return cls(host, DEFAULT_PORT if port is None else port)

    @property
    def address(self) -> str:
        """Host and port, as gRPC wants them."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"

    @property
    def url(self) -> str:
        """Root of the status pages."""
        return f"http://{self.address}"
