"""A real etcd of one member, for tests that compare with it."""

import json
import os
import shutil
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from miniet.lab.child import free_ports

START_SECONDS_MAX = 20.0
STOP_SECONDS_MAX = 20.0
_POLL_SECONDS = 0.02

ETCD = shutil.which("etcd")
"""Path of the server's binary, None where there is none."""


class RealEtcd:
    """Runs etcd on free ports of the loopback address while the block lasts.

    `with RealEtcd(tmp_path / "data", "--snapshot-count", "50") as etcd: ...`
    leaves a block by `stop()`; what `kill()` has ended stays ended. Entering it
    again starts etcd on the same data directory and ports.
    """

    def __init__(
        self,
        data_dir: str | os.PathLike[str],
        *flags: str,
        binary: str | None = ETCD,
    ) -> None:
        client_port, peer_port = free_ports(2)
        self.data_dir = Path(data_dir)
        self.client_url = f"http://127.0.0.1:{client_port}"
        self.peer_url = f"http://127.0.0.1:{peer_port}"
        self.flags: Sequence[str] = flags
        self._binary = binary
        self.log_path = self.data_dir.with_name(self.data_dir.name + ".log")
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        assert self._binary is not None, "etcd is not on PATH"
        environment = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("ETCD_", "ETCDCTL_"))
        }
        self.log_path.parent.mkdir(parents=True, exist_ok=True)
        with open(self.log_path, "ab") as log:
            self._process = subprocess.Popen(
                [
                    self._binary,
                    "--name=test",
                    f"--data-dir={self.data_dir}",
                    f"--listen-client-urls={self.client_url}",
                    f"--advertise-client-urls={self.client_url}",
                    f"--listen-peer-urls={self.peer_url}",
                    f"--initial-advertise-peer-urls={self.peer_url}",
                    f"--initial-cluster=test={self.peer_url}",
                    *self.flags,
                ],
                stdout=log,
                stderr=log,
                env=environment,
            )
        try:
            self._wait_healthy()
        except BaseException:
            self.kill()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    @property
    def pid(self) -> int:
        """Id of the running process."""
        assert self._process is not None
        return self._process.pid

    def stop(self) -> None:
        """Ask etcd to end (SIGTERM) and wait; nothing if it has ended."""
        if self._process is not None:
            self._process.terminate()
            self._reap()

    def kill(self) -> None:
        """End etcd as a crash would (SIGKILL); nothing if it has ended."""
        if self._process is not None:
            self._process.kill()
            self._reap()

    def post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """Call the JSON gateway: `post("/v3/kv/put", {"key": ..., "value": ...})`.

        Keys and values are base64, as in the gateway.
        """
        request = urllib.request.Request(
            self.client_url + path, json.dumps(body).encode(), method="POST"
        )
        with urllib.request.urlopen(request, timeout=10) as response:
            reply: dict[str, Any] = json.load(response)
        return reply

    def _reap(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        try:
            process.wait(STOP_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise

    def _wait_healthy(self) -> None:
        assert self._process is not None
        deadline = time.monotonic() + START_SECONDS_MAX
        while time.monotonic() < deadline:
            if self._process.poll() is not None:
                break
            try:
                with urllib.request.urlopen(
                    self.client_url + "/health", timeout=1
                ) as reply:
                    if json.load(reply)["health"] == "true":
                        return
            except OSError:  # refused, reset, or "unhealthy" as status 503
                pass
            time.sleep(_POLL_SECONDS)
        end = self.log_path.read_text(errors="replace")[-2000:]
        raise RuntimeError(f"etcd is not healthy; its log ends:\n{end}")
