"""Servers and clients as processes of their own; miniet or a real etcd serves."""

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import grpc

from miniet.client import EtcdClient
from miniet.compiled import INTERPRETED_VARIABLE
from miniet.lab.child import free_ports
from miniet.pb import rpc_pb2

ANSWER_TIMEOUT_S = STOP_TIMEOUT_S = 20.0

KEYS_PER_TXN = 100
VALUE_BYTES = 256

# What is installed, compiled if it is, not what lies in the present directory.
_MINIET = [sys.executable, "-P", "-m", "miniet", "serve"]
_INTERPRETED = ["env", f"{INTERPRETED_VARIABLE}=1", *_MINIET]
_PROGRAMS = {
    "miniet": _MINIET,
    "miniet_interpreted": _INTERPRETED,
    "miniet_traced": [*_INTERPRETED, "--memory-trace"],
    "etcd": [shutil.which("etcd") or "etcd"],
}


@dataclass(slots=True, frozen=True)
class Running:
    """A server that was started; it may not answer yet."""

    pid: int
    endpoint: str
    directory: Path
    """For files of those who load it; its data are in a directory inside."""

    def resident_bytes(self, kind: str = "VmRSS") -> int:
        """Return what the process has in memory now.

        Args:
            kind: `VmRSS`: all, its page file's map included; `RssAnon`: without files.
        """
        for line in Path(f"/proc/{self.pid}/status").read_text().splitlines():
            if line.startswith(f"{kind}:"):
                return int(line.split()[1]) * 1024
        raise OSError(f"process {self.pid} has no {kind}")

    def cpu_s(self) -> float:
        """Return the processor time that the process has used, system time too."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@contextmanager
def running(target: str, directory: Path) -> Iterator[Running]:
    """Start `target` on an empty data directory; stop it when the block is left."""
    client_port, peer_port = free_ports(2)
    client, peer = (f"http://127.0.0.1:{port}" for port in (client_port, peer_port))
    command = [
        *_PROGRAMS[target],
        f"--data-dir={directory}",
        f"--listen-client-urls={client}",
        f"--advertise-client-urls={client}",
        f"--listen-peer-urls={peer}",
        f"--initial-advertise-peer-urls={peer}",
        f"--initial-cluster=default={peer}",
    ]
    # Compiled modules are kept, as they are where it is installed.
    environment = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("ETCD_") and name != "PYTHONDONTWRITEBYTECODE"
    }
    with open(f"{directory}.log", "wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, env=environment)
    try:
        yield Running(process.pid, f"127.0.0.1:{client_port}", directory.parent)
    finally:
        process.terminate()
        try:
            process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def first_put(endpoint: str) -> None:
    """Put one key as soon as the server takes it."""
    # Not left to gRPC, which waits 100 ms and more before it tries again.
    host, _, port = endpoint.rpartition(":")
    deadline_s = time.monotonic() + ANSWER_TIMEOUT_S
    while True:
        try:
            socket.create_connection((host, int(port))).close()
            break
        except ConnectionRefusedError:
            if time.monotonic() > deadline_s:
                raise
            time.sleep(0.001)
    with grpc.insecure_channel(endpoint) as channel:
        put = channel.unary_unary("/etcdserverpb.KV/Put")
        request = rpc_pb2.PutRequest(key=b"first", value=b"put")
        put(request.SerializeToString(), timeout=ANSWER_TIMEOUT_S)


def key(number: int) -> bytes:
    """Return a key of 16 bytes."""
    return b"key-%012d" % number


def fill(
    client: EtcdClient, begin: int, end: int, value_bytes: int = VALUE_BYTES
) -> None:
    """Put keys number `begin` to `end`, in txns of 100."""
    value = bytes(value_bytes)
    client.attach_all(
        (0, [(key(number), value) for number in range(first, first + KEYS_PER_TXN)])
        for first in range(begin, end, KEYS_PER_TXN)
    )


def run_clients(
    server: Running, connections: int, clients: int, puts: int
) -> dict[str, float]:
    """Run `clients.py` and return what it measured: per_s, p50_ms, p99_ms."""
    command = [
        sys.executable,
        str(Path(__file__).with_name("clients.py")),
        server.endpoint,
        *map(str, (connections, clients, puts)),
    ]
    finished = subprocess.run(command, check=True, stdout=subprocess.PIPE)
    figures: dict[str, float] = json.loads(finished.stdout)
    return figures
