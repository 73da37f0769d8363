"""`Tls`: what `--cert-file`, `--key-file` and those beside them ask for.

As in etcd: a trusted CA alone already asks every client for a certificate; any that
it signed will do, whatever name is in it; certificate and key are read anew for the
next connection when they have changed. The CA is, too, which etcd reads once.
"""

import logging
import os
import ssl
from dataclasses import dataclass, field

from miniet.server.config import Config

logger = logging.getLogger(__name__)

ALPN = ("http/1.1", "h2")
"""What may be spoken, first choice first.

A client of gRPC offers h2 alone. One that offers both, such as curl or a browser, wants
a page, which there is over HTTP/1.1.
"""

_IN_WORDS_OF_GO = {"KEY_VALUES_MISMATCH": "tls: private key does not match public key"}


@dataclass(slots=True, kw_only=True)
class Tls:
    """The server's side of TLS, from files.

    trusted_ca_file: signs the certificates of clients; empty: whoever the system
        trusts, if `client_cert_auth`.
    """

    cert_file: str
    key_file: str
    trusted_ca_file: str = ""
    client_cert_auth: bool = False
    _context: ssl.SSLContext | None = None
    _stamps: list[tuple[int, int]] = field(default_factory=list)

    def context(self) -> ssl.SSLContext:
        """Return what the files say now. Cost: a look at each, 1 ms if one is new.

        Raises:
            OSError: a file is missing, or is not what it should be; says which, and
                has no other parts.
        """
        stamps = [self._stamp(path) for path in self._files()]
        if self._context is None or stamps != self._stamps:
            self._context, self._stamps = self._load(), stamps
        return self._context

    def _files(self) -> list[str]:
        return [
            path
            for path in (self.cert_file, self.key_file, self.trusted_ca_file)
            if path
        ]

    def _stamp(self, path: str) -> tuple[int, int]:
        try:
            with open(path, "rb") as file:
                status = os.fstat(file.fileno())
        except OSError as error:
            text = (error.strerror or str(error)).lower()
            raise OSError(f"open {path}: {text}") from error
        return status.st_mtime_ns, status.st_ino

    def _load(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.set_alpn_protocols(ALPN)
        try:
            # A key with a password would be asked for on the terminal.
            context.load_cert_chain(self.cert_file, self.key_file, lambda: "")
            if self.trusted_ca_file:
                context.load_verify_locations(self.trusted_ca_file)
            elif self.client_cert_auth:
                context.load_default_certs(ssl.Purpose.CLIENT_AUTH)
        except ssl.SSLError as error:
            reason = error.reason or str(error)
            files = ", ".join(self._files())
            raise OSError(_IN_WORDS_OF_GO.get(reason, f"{files}: {reason}")) from error
        if self.trusted_ca_file or self.client_cert_auth:
            context.verify_mode = ssl.CERT_REQUIRED
        return context


def tls_of(config: Config) -> Tls | None:
    """Read the files that the URLs of https need; None: there are no such URLs.

    Raises:
        OSError: as `Tls.context`.
    """
    for url in config.listen_client_urls:
        if url.startswith("http:") and (config.cert_file or config.client_cert_auth):
            logger.warning("TLS is set up but not spoken at url=%s", url)
    if not config.https_urls:
        return None
    tls = Tls(
        cert_file=config.cert_file,
        key_file=config.key_file,
        trusted_ca_file=config.trusted_ca_file,
        client_cert_auth=config.client_cert_auth,
    )
    tls.context()
    return tls
