"""The two servers a script is run on: miniet as a process, and a real etcd."""

import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from miniet.lab.child import free_ports
from tests.support.real_etcd import RealEtcd

START_SECONDS_MAX = 20.0
STOP_SECONDS_MAX = 20.0
_POLL_SECONDS = 0.02

_FLAGS = (
    # Ids are made from these; so both servers have the same, which are compared.
    "--initial-advertise-peer-urls=http://127.0.0.1:2380",
    "--initial-cluster=test=http://127.0.0.1:2380",
    # A member alone leads after a tenth of a second, not after a whole one.
    "--heartbeat-interval=10",
    "--election-timeout=100",
)


@dataclass(frozen=True, slots=True)
class Running:
    """Where a server is."""

    endpoint: str
    """`host:port` for clients."""
    metrics_url: str
    """Its metrics page."""


@contextmanager
def real_etcd(binary: str, data_dir: Path, flags: Sequence[str]) -> Iterator[Running]:
    """Run a real etcd while the block lasts."""
    (metrics_port,) = free_ports(1)
    etcd = RealEtcd(
        data_dir,
        *_FLAGS,
        f"--listen-metrics-urls=http://127.0.0.1:{metrics_port}",
        *flags,
        binary=binary,
    )
    with etcd:
        yield Running(
            etcd.client_url.removeprefix("http://"),
            f"http://127.0.0.1:{metrics_port}/metrics",
        )


@contextmanager
def miniet(data_dir: Path, flags: Sequence[str]) -> Iterator[Running]:
    """Run `miniet serve` while the block lasts; it must end well."""
    client_port, metrics_port = free_ports(2)
    client_url, metrics_base = (
        f"http://127.0.0.1:{port}" for port in (client_port, metrics_port)
    )
    log_path = data_dir.with_name(data_dir.name + ".log")
    with log_path.open("wb") as log:
        process = subprocess.Popen(
            [
                *(sys.executable, "-m", "miniet", "serve", "--name=test"),
                f"--data-dir={data_dir}",
                f"--listen-client-urls={client_url}",
                f"--advertise-client-urls={client_url}",
                f"--listen-metrics-urls={metrics_base}",
                *_FLAGS,
                *flags,
            ],
            stdout=log,
            stderr=log,
            env={
                name: value
                for name, value in os.environ.items()
                if not name.startswith("ETCD_")
            },
        )
    try:
        _wait_healthy(process, metrics_base + "/health", log_path)
        yield Running(f"127.0.0.1:{client_port}", metrics_base + "/metrics")
        process.terminate()
        assert process.wait(STOP_SECONDS_MAX) == 0, log_path.read_text()[-2000:]
    finally:
        process.kill()
        process.wait()


def _wait_healthy(process: subprocess.Popen[bytes], url: str, log_path: Path) -> None:
    deadline_s = time.monotonic() + START_SECONDS_MAX
    while time.monotonic() < deadline_s and process.poll() is None:
        try:
            with urllib.request.urlopen(url, timeout=1):
                return
        except OSError:  # refused, or not yet healthy
            time.sleep(_POLL_SECONDS)
    raise RuntimeError(f"miniet is not healthy; its log ends:\n{log_path.read_text()}")
