"""`Child`: a server as a child process, on free ports and a directory of its own."""

import os
import random
import re
import socket
import subprocess
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from miniet.client import ClientError, EtcdClient
from miniet.compiled import INTERPRETED_VARIABLE
from miniet.lab.errors import LabError

START_S_MAX = 60.0
"""A restart replays the log: 1 GiB of it takes some seconds."""
STOP_S_MAX = 30.0
_POLL_S = 0.02
_ANSWER_S_MAX = 2.0
_REASON_CHARACTERS_MAX = 300
_PORTS = (10_000, 32_768)
_COMPLAINT = re.compile(r"error|not defined|refused|in use|invalid", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class ChildSpec:
    """What to start."""

    command: Sequence[str]
    flags: Sequence[str]
    has_peer_port: bool = False
    """Whether it listens for peers, as etcd does even alone."""


class Child:
    """A server that lives while the block lasts; `restart` keeps ports and data."""

    def __init__(self, spec: ChildSpec, directory: Path) -> None:
        self._spec = spec
        self._directory = directory
        self._log_path = directory / "log"
        client, peer = free_ports(2)
        self.endpoint = f"127.0.0.1:{client}"
        self._peer_url = f"http://127.0.0.1:{peer}"
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self._start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        has_ended = isinstance(error, ClientError) and self._ends_by_itself()
        self._stop()
        if has_ended:  # what the client saw of it says less
            raise LabError(f"the server has ended: {self._reason()}") from error

    @property
    def pid(self) -> int | None:
        """Id of the running process."""
        return None if self._process is None else self._process.pid

    def restart(self) -> None:
        """Stop it and start it again on the same data.

        Raises:
            LabError: it does not start.
        """
        self._stop()
        self._start()

    def _start(self) -> None:
        url = f"http://{self.endpoint}"
        flags = [
            f"--data-dir={self._directory / 'data'}",
            f"--listen-client-urls={url}",
            f"--advertise-client-urls={url}",
        ]
        if self._spec.has_peer_port:
            flags += [
                f"--listen-peer-urls={self._peer_url}",
                f"--initial-advertise-peer-urls={self._peer_url}",
                f"--initial-cluster=default={self._peer_url}",
            ]
        # Settings of whoever runs the lab are not those of its servers.
        environment = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("ETCD_", "ETCDCTL_"))
        }
        # What the lab measures is what Python's frames can be asked for.
        environment[INTERPRETED_VARIABLE] = "1"
        with open(self._log_path, "wb") as log:
            self._process = subprocess.Popen(
                [*self._spec.command, *flags, *self._spec.flags],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=environment,
            )
        try:
            self._wait_serving(self._process)
        except BaseException:
            self._stop()
            raise

    def _wait_serving(self, process: subprocess.Popen[bytes]) -> None:
        deadline = time.monotonic() + START_S_MAX
        while time.monotonic() < deadline:
            if process.poll() is not None:
                raise LabError(f"the server has ended: {self._reason()}")
            if self._is_serving():
                return
            time.sleep(_POLL_S)
        raise LabError(f"the server does not answer: {self._reason()}")

    def _is_serving(self) -> bool:
        host, _, port = self.endpoint.rpartition(":")
        # gRPC would wait a second after a refusal before it tries again.
        try:
            socket.create_connection((host, int(port)), _ANSWER_S_MAX).close()
        except OSError:
            return False
        # A linearizable read is answered by who has a leader.
        with EtcdClient(self.endpoint, timeout_s=_ANSWER_S_MAX) as client:
            try:
                client.range(b"\0", limit=1)
            except ClientError:
                return False
        return True

    def _ends_by_itself(self) -> bool:
        """Whether it has ended, or does within moments: it may say so before."""
        if self._process is None:
            return False
        try:
            self._process.wait(_ANSWER_S_MAX)
        except subprocess.TimeoutExpired:
            return False
        return True

    def _reason(self) -> str:
        """Return what the server has said: the first complaint, or the last line."""
        lines = self._log_path.read_text(errors="replace").splitlines()
        said = [line.strip() for line in lines if line.strip()] or ["it said nothing"]
        # etcd writes its whole usage below "flag provided but not defined".
        complaints = (line for line in said if _COMPLAINT.search(line))
        return next(complaints, said[-1])[:_REASON_CHARACTERS_MAX]

    def _stop(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.terminate()
        try:
            process.wait(STOP_S_MAX)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def free_ports(count: int) -> list[int]:
    """Return different ports that nobody listens on, and that nobody else is given.

    From below the range out of which the system gives ports to connections and to
    whoever asks for port 0: one of those may take a port between now and its use.
    """
    ports: list[int] = []
    while len(ports) < count:
        port = random.randrange(*_PORTS)
        held = socket.socket()
        try:
            held.bind(("127.0.0.1", port))
        except OSError:
            held.close()
            continue
        # Bound and not listening, it keeps the port from the next who looks for one
        # as above; a server, which sets the same option, can listen on it.
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        _held.append(held)
        ports.append(port)
    while len(_held) > _HELD_MAX:
        _held.popleft().close()
    return ports


# No `maxlen`: what another thread's append pushes out would not be closed.
_held: deque[socket.socket] = deque()
_HELD_MAX = 64
