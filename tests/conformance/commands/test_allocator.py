"""What `miniet serve` asks of the allocator."""

import ctypes
from pathlib import Path

import pytest

from miniet.client import EtcdClient
from tests.support.served import Served

PAGE_BYTES = 4096
ANSWER_BYTES = 400_000
AT_ONCE = 10


@pytest.mark.skipif(
    not hasattr(ctypes.CDLL(None), "mallopt"), reason="the allocator is not glibc's"
)
def test_memory_of_answers_serves_the_next(tmp_path: Path) -> None:
    with Served(tmp_path / "data") as server, EtcdClient(server.endpoint) as client:
        client.put(b"k", bytes(ANSWER_BYTES))

        def faults_of_answers() -> int:
            before = page_faults(server.pid)
            for _ in range(10):
                for answer in [client.begin_range(b"k") for _ in range(AT_ONCE)]:
                    answer.result()
            return page_faults(server.pid) - before

        faults_of_answers()
        pages = 10 * AT_ONCE * ANSWER_BYTES / PAGE_BYTES
        assert faults_of_answers() < pages / 40


def page_faults(pid: int) -> int:
    """Return how often the process was given a page, zeroed or found in a file."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[7])
