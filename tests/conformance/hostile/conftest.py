from collections.abc import Iterator

import pytest

from tests.support.etcd_calls import EtcdCalls
from tests.support.served import TRANSPORTS, Served


@pytest.fixture(scope="module", params=TRANSPORTS)
def server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Served]:
    """A server for all tests of a module: what they do to it must not matter."""
    with Served(
        tmp_path_factory.mktemp("server") / "data", f"--transport={request.param}"
    ) as server:
        yield server
        assert "Traceback" not in server.log
        assert server.stop() == 0


@pytest.fixture
def calls(server: Served) -> Iterator[EtcdCalls]:
    """A client of it that must still be served when the test is over."""
    with EtcdCalls(server.endpoint) as calls:
        yield calls
        revision = calls.put(b"still served")
        assert calls.range(b"still served").kvs[0].mod_revision == revision
