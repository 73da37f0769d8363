"""A server's `/metrics` page, by name."""

from http.client import HTTPException
from urllib.error import HTTPError, URLError
from urllib.request import ProxyHandler, build_opener

from prometheus_client.parser import text_string_to_metric_families

from miniet.client.endpoint import Endpoint
from miniet.client.errors import ClientError

PAGE_TIMEOUT_S = 30.0
"""A heap profile with a forced collection of some GB takes seconds."""

# The pages of a server are asked for directly, whatever proxy the system names.
_open = build_opener(ProxyHandler({})).open


def read_page(endpoint: Endpoint, path: str) -> str | None:
    """Return the text of a status page, None where the server has no such page.

    Raises:
        ClientError: there is no answer.
    """
    try:
        with _open(f"{endpoint.url}{path}", timeout=PAGE_TIMEOUT_S) as answer:
            text: bytes = answer.read()
    except HTTPError as error:
        with error:
            return None
    except (OSError, HTTPException) as error:
        reason = error.reason if isinstance(error, URLError) else error
        raise ClientError(f"cannot read {endpoint.url}{path}: {reason}") from error
    return text.decode(errors="replace")


class Metrics:
    """The samples of one reading; labelled ones are added up."""

    def __init__(self, text: str) -> None:
        """Parse a page in Prometheus' text format.

        Raises:
            ClientError: it is not in that format.
        """
        self._values: dict[str, float] = {}
        try:
            for family in text_string_to_metric_families(text):
                for sample in family.samples:
                    name = sample.name
                    self._values[name] = self._values.get(name, 0.0) + sample.value
        except ValueError as error:
            raise ClientError(f"/metrics cannot be understood: {error}") from None

    def get(self, name: str) -> int | None:
        """Return a value as a whole number, None where there is no such metric."""
        value = self._values.get(name)
        return None if value is None else int(value)
