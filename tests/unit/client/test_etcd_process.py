"""What a process says of itself."""

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from miniet.client.etcd_process import EtcdProcess

pytestmark = pytest.mark.skipif(
    not Path("/proc/self").exists(), reason="looks into /proc"
)


@pytest.fixture
def young() -> Iterator[EtcdProcess]:
    """A process that has just been started."""
    with subprocess.Popen(
        [sys.executable, "-c", "input()"], stdin=subprocess.PIPE
    ) as child:
        yield EtcdProcess(child.pid)
        child.communicate(b"\n")


@pytest.mark.parametrize(("earlier_s", "same"), [(0, True), (60, False)])
def test_process_is_known_by_the_time_of_its_start(
    young: EtcdProcess, earlier_s: int, same: bool
) -> None:
    assert young.has_started(int(time.time()) - earlier_s) == same


def test_start_that_a_server_does_not_tell_refuses_no_process(
    young: EtcdProcess,
) -> None:
    assert young.has_started(None)
