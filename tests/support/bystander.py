"""Who watches while a server is attacked: another client, and its memory's reader."""

import re
import threading
import time
from pathlib import Path
from types import TracebackType
from typing import Self

import grpc

from tests.support.etcd_calls import EtcdCalls, Refusal, refusal_of
from tests.support.served import wait_until

_PAUSE_S = 0.002
_SAMPLE_S = 0.005


def anonymous_bytes(pid: int) -> int:
    """Memory of a process's own, the pages of mapped files left out."""
    status = Path(f"/proc/{pid}/status").read_text()
    found = re.search(r"^RssAnon:\s+(\d+) kB$", status, re.M)
    assert found is not None
    return int(found[1]) * 1024


class _Watching:
    """Does one thing over and over, on a thread, while the block lasts."""

    def __init__(self) -> None:
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        raise NotImplementedError


class Bystander(_Watching):
    """A client that puts one key after the other and is not to notice anything."""

    def __init__(self, endpoint: str) -> None:
        super().__init__()
        self._endpoint = endpoint
        self.longest_s = 0.0
        """How long the slowest put took."""
        self.put_count = 0
        self.refusals: list[Refusal] = []

    def wait_puts(self, count: int) -> None:
        """Wait until so many more puts were answered."""
        wanted = self.put_count + count
        wait_until(
            lambda: self.put_count >= wanted,
            f"{count} puts of a bystander",
            60,
        )

    def _run(self) -> None:
        with EtcdCalls(self._endpoint) as calls:
            while not self._stop.wait(_PAUSE_S):
                begun_s = time.perf_counter()
                try:
                    calls.put(b"bystander", b"%d" % self.put_count)
                except grpc.RpcError as error:
                    self.refusals.append(refusal_of(error))
                    continue
                took_s = time.perf_counter() - begun_s
                self.longest_s = max(self.longest_s, took_s)
                self.put_count += 1


class MemoryReader(_Watching):
    """Reads a process's memory again and again, and keeps the highest figure."""

    def __init__(self, pid: int) -> None:
        super().__init__()
        self._pid = pid
        self.before_bytes = self.peak_bytes = anonymous_bytes(pid)

    def _run(self) -> None:
        while not self._stop.wait(_SAMPLE_S):
            self.peak_bytes = max(self.peak_bytes, anonymous_bytes(self._pid))
