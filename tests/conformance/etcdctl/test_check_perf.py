"""etcdctl's own check of a server's speed: 150 puts/s for a minute, none over 0.5 s."""

import os
import subprocess
from pathlib import Path

import pytest

from tests.conformance.etcdctl import servers
from tests.support.binaries import find_binary

ETCDCTL = find_binary("etcdctl", "3.4")


@pytest.mark.slow
@pytest.mark.etcd
@pytest.mark.timeout(300)
@pytest.mark.skipif(ETCDCTL is None, reason="etcdctl 3.4 is not on PATH")
def test_check_perf_passes(tmp_path: Path) -> None:
    assert ETCDCTL is not None
    with servers.miniet(tmp_path / "data", ()) as miniet:
        run = subprocess.run(
            [ETCDCTL, "check", "perf", "--load=s"],
            env={
                "PATH": os.environ.get("PATH", os.defpath),
                "ETCDCTL_API": "3",
                "ETCDCTL_ENDPOINTS": miniet.endpoint,
            },
            capture_output=True,
            text=True,
            check=False,
            timeout=200,
        )
    assert run.returncode == 0, run.stdout[-2000:] + run.stderr
    assert run.stdout.splitlines()[-1] == "PASS"
