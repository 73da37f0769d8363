"""`miniet serve` as a process of its own, to be killed, stopped and started again."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Protocol, Self

from miniet.lab.child import free_ports

START_SECONDS_MAX = 20.0
STOP_SECONDS_MAX = 20.0
TRANSPORTS = ("miniet", "grpcio")
"""What can speak gRPC on the client port."""
_POLL_SECONDS = 0.002
_ROOT = Path(__file__).parents[2]


def wait_until(claim: Callable[[], bool], what: str, seconds_max: float = 10.0) -> None:
    """Poll until `claim` holds; fail with `what` if it does not in time."""
    deadline = time.monotonic() + seconds_max
    while not claim():
        assert time.monotonic() < deadline, f"not within {seconds_max} s: {what}"
        time.sleep(_POLL_SECONDS)


class Process(Protocol):
    """What is asked of a process, as `subprocess.Popen` answers it."""

    pid: int

    def poll(self) -> int | None: ...
    def wait(self, timeout: float = ...) -> int: ...
    def kill(self) -> None: ...


class Served:
    """Runs `miniet serve` on a data directory and a free port while the block lasts.

    What `kill()` or `stop()` has ended is started again by `start()`, on the same
    directory and port. Everything it ever said is in `log_path`.
    """

    program: Sequence[str] = ("-m", "miniet")
    """What Python runs."""

    def __init__(self, data_dir: str | os.PathLike[str], *flags: str) -> None:
        self.data_dir = Path(data_dir)
        self.flags = flags
        (self.port,) = free_ports(1)
        self.log_path = self.data_dir.with_name(self.data_dir.name + ".log")
        self._log_begin = 0
        self.start_seconds = 0.0
        """What the last `start()` took."""
        self._process: Process | None = None

    @property
    def endpoint(self) -> str:
        """Where its clients connect to."""
        return f"127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        """Id of the running process."""
        assert self._process is not None
        return self._process.pid

    @property
    def log(self) -> str:
        """What the present, or last, run has said."""
        with open(self.log_path, "rb") as file:
            file.seek(self._log_begin)
            return file.read().decode(errors="replace")

    @property
    def metrics_url(self) -> str:
        """Where its status pages are; needs the flag that asks for them."""
        found = re.search(r"--listen-metrics-urls=(\S+)", " ".join(self.flags))
        assert found is not None
        return found[1]

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.kill()

    def spawn(self) -> None:
        """Start the process and wait for nothing."""
        assert self._process is None
        url = f"http://{self.endpoint}"
        self.log_path.parent.mkdir(parents=True, exist_ok=True)
        with open(self.log_path, "ab") as log:
            self._log_begin = log.tell()
            self._process = self._launch(
                [
                    "serve",
                    f"--data-dir={self.data_dir}",
                    f"--listen-client-urls={url}",
                    f"--advertise-client-urls={url}",
                    *self.flags,
                ],
                log,
            )

    def _launch(self, arguments: list[str], log: BinaryIO) -> Process:
        environment = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith("ETCD_")
        }
        return subprocess.Popen(
            [sys.executable, *self.program, *arguments],
            cwd=_ROOT,
            env=environment,
            stdout=log,
            stderr=log,
        )

    def start(self) -> None:
        """Start the process and wait until clients may come."""
        begun = time.monotonic()
        self.spawn()
        try:
            wait_until(
                lambda: self._has_ended() or "serving version=" in self.log,
                "miniet is serving",
                START_SECONDS_MAX,
            )
            assert not self._has_ended(), f"miniet has ended; it said:\n{self.log}"
            self.start_seconds = time.monotonic() - begun
        except BaseException:
            self.kill()
            raise

    def refused(self) -> str:
        """Start the process, expect it to refuse, and return what it said.

        That is one line, with exit code 1 and nothing that a program says of itself.
        """
        self.spawn()
        code = self.wait_end()
        assert code == 1, f"exit code {code}; it said:\n{self.log}"
        assert "Traceback" not in self.log, self.log
        return self.log

    def wait_end(self) -> int:
        """Wait for the process to end by itself and return its exit code."""
        process = self._process
        assert process is not None
        try:
            return process.wait(STOP_SECONDS_MAX)
        finally:
            self.kill()

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Ask the process to end and return its exit code."""
        self.signal(number)
        return self.wait_end()

    def signal(self, number: int) -> None:
        """Send the process a signal."""
        os.kill(self.pid, number)

    def kill(self) -> None:
        """End the process as a crash would (SIGKILL); nothing if it has ended."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait()

    def _has_ended(self) -> bool:
        return self._process is not None and self._process.poll() is not None
