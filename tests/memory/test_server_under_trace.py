"""The traces of a running server are read in a child that is none of gRPC's business.

In a process of its own, because what grpcio does in forked children is settled when it
is imported.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from miniet.compiled import INTERPRETED_VARIABLE

_CAPTURE = """
import {first}, os, sys, threading
import miniet
from miniet.memory import tracing
from miniet.memory.components import Component
from tests.embedded.client import connect

with miniet.Server() as server, connect(server.endpoint) as client:
    tracing.start()
    for _ in range(50):
        client.put(b"k", b"v" * 1000)
    ended = threading.Event()
    def put():
        while not ended.is_set():
            client.put(b"k", b"v" * 1000)
    putting = threading.Thread(target=put)
    putting.start()
    for _ in range(3):
        found = tracing.read_traced_apart()
        assert found.bytes_by_component[Component.RAFT] > 50_000
    tracing.stop()
    ended.set()
    putting.join()
"""
_COUNT_THREADS = """
    import warnings
    warnings.simplefilter("ignore")  # of forking beside threads
    pid = os.fork()
    if pid == 0:
        os._exit(len(os.listdir("/proc/self/task")))
    thread_count = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    sys.stdout.write(f"{thread_count} thread")
"""


def run(code: str) -> "subprocess.CompletedProcess[str]":
    environment = {**os.environ, "PYTHONPATH": ".", INTERPRETED_VARIABLE: "1"}
    environment.pop("GRPC_ENABLE_FORK_SUPPORT", None)
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        capture_output=True,
        text=True,
        cwd=Path(__file__).parents[2],
        env=environment,
        check=False,
    )


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs a fork")
@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="needs Linux's /proc")
def test_child_has_no_thread_of_grpcio_and_nothing_is_said() -> None:
    ended = run(_CAPTURE.format(first="miniet.server") + _COUNT_THREADS)
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "1 thread", "")


def test_where_grpcio_came_first_traces_are_read_all_the_same() -> None:
    ended = run(_CAPTURE.format(first="grpc"))
    assert (ended.returncode, ended.stderr) == (0, "")
