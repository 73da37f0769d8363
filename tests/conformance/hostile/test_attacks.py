"""Every attack of the table, small: memory stays in its bounds, others are served.

At full size: `python -m tests.conformance.hostile`.
"""

import sys
import zlib
from collections.abc import Iterator

import pytest

from tests.conformance.hostile.assault import FLAGS, assault
from tests.conformance.hostile.attacks import ATTACKS, Attack
from tests.support.served import TRANSPORTS, Served

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")


@pytest.fixture(scope="module", params=TRANSPORTS)
def server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Served]:
    """One server for all attacks: none may be felt by the next."""
    with Served(
        tmp_path_factory.mktemp("server") / "data",
        *FLAGS,
        f"--transport={request.param}",
    ) as server:
        yield server
        assert "Traceback" not in server.log, server.log
        assert server.stop() == 0


@pytest.mark.parametrize(("name", "attack"), ATTACKS.items(), ids=ATTACKS)
def test_attack_is_borne(server: Served, name: str, attack: Attack) -> None:
    report = assault(
        name,
        attack,
        attack.small,
        endpoint=server.endpoint,
        pid=server.pid,
        seed=zlib.crc32(name.encode()),
    )
    assert not report.faults, report
