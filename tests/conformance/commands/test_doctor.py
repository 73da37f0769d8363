"""`miniet doctor` on servers with the article's load: its advice is followed."""

import json
import os
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from miniet.cli import main
from miniet.client import EtcdClient
from tests.conformance.api.conftest import NEEDS_ETCD
from tests.conformance.api.targets import etcd_binary
from tests.support.binaries import find_binary
from tests.support.real_etcd import RealEtcd
from tests.support.served import Served, wait_until

MIB = 1 << 20
PUTS = 90
ETCDCTL = find_binary("etcdctl", "3.4")


def doctor(*words: str) -> Result:
    return CliRunner().invoke(main, ["doctor", *words])


def findings(*words: str) -> dict[str, dict[str, Any]]:
    """What the doctor finds, by kind."""
    document = json.loads(doctor(*words, "--json").stdout)
    return {finding["kind"]: finding for finding in document["findings"]}


def load(endpoint: str) -> None:
    """Overwrite a key of 1 MiB, the values never the same."""
    with EtcdClient(endpoint) as client:
        pairs = ((b"key", os.urandom(MIB)) for _ in range(PUTS))
        client.put_all(pairs, in_flight=4)


def follow(command: str) -> None:
    """Do as the doctor says."""
    environment = dict(os.environ, ETCDCTL_API="3")
    words = shlex.split(command)
    assert words[0] == "etcdctl"
    assert ETCDCTL is not None
    subprocess.run([ETCDCTL, *words[1:]], check=True, env=environment)


def settle(endpoint: str) -> None:
    """Let a server notice which pages its last commit has freed."""
    with EtcdClient(endpoint) as client:
        client.put(b"after")


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    with Served(tmp_path / "data", "--unsafe-no-fsync") as served:
        yield served


@pytest.fixture
def etcd(tmp_path: Path) -> Iterator[RealEtcd]:
    flags = ("--enable-pprof", "--unsafe-no-fsync")
    with RealEtcd(tmp_path / "data", *flags, binary=etcd_binary()) as etcd:
        yield etcd


def test_fresh_miniet_is_well(served: Served) -> None:
    result = doctor(served.endpoint)
    assert result.exit_code == 0
    assert "Nothing to change was found." in result.stdout


def test_flags_for_the_raft_log_make_it_small(served: Served) -> None:
    load(served.endpoint)
    result = doctor(served.endpoint)
    assert result.exit_code == 1
    finding = findings(served.endpoint)["raft-log"]
    assert finding["at_stake_bytes"] == pytest.approx((PUTS - 64) * MIB, rel=0.1)
    served.stop()
    served.flags = (*served.flags, *shlex.split(finding["command"]))
    served.start()
    load(served.endpoint)
    assert "raft-log" not in findings(served.endpoint)


@pytest.mark.skipif(ETCDCTL is None, reason="no etcdctl 3.4 on PATH")
def test_what_miniet_is_told_to_do_helps(served: Served) -> None:
    load(served.endpoint)
    _follow_through(served.endpoint)


@pytest.mark.skipif(ETCDCTL is None, reason="no etcdctl 3.4 on PATH")
class TestRealEtcd:
    pytestmark = NEEDS_ETCD

    def test_fresh_etcd_is_well_as_far_as_can_be_seen(self, etcd: RealEtcd) -> None:
        result = doctor(etcd.client_url, f"--pid={etcd.pid}")
        assert result.exit_code == 0
        assert "Not judged" in result.stdout

    def test_what_an_etcd_is_told_to_do_helps(self, etcd: RealEtcd) -> None:
        load(etcd.client_url)
        assert "raft-log" in findings(etcd.client_url)
        _follow_through(etcd.client_url)


def _follow_through(endpoint: str) -> None:
    follow(findings(endpoint)["history"]["command"])

    def is_compacted() -> bool:
        settle(endpoint)
        return "free-pages" in findings(endpoint)

    wait_until(is_compacted, "compaction has freed its pages")
    found = findings(endpoint)
    assert "history" not in found
    follow(found["free-pages"]["command"])
    assert "free-pages" not in findings(endpoint)
