"""What the services share: the driver, and headers of their responses."""

from miniet.server.convert import Headers
from miniet.server.driver import Driver


class Service:
    """Base of the services: validate, convert, call the engine, convert."""

    def __init__(self, driver: Driver, headers: Headers) -> None:
        self._driver = driver
        self._engine = driver.engine
        self._headers = headers

    def _header(self, revision: int = 0) -> bytes:
        """Encode a header at `revision`, or at the present one for 0."""
        return self._headers.encode(
            revision or self._engine.store.current_revision, self._engine.term
        )

    def _membership_header(self) -> bytes:
        """Encode a header without a revision, as membership calls have it."""
        return self._headers.encode(0, self._engine.term)
