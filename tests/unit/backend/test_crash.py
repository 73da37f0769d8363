"""SIGKILL at any moment: the file is some whole commit, none older than the last."""

import subprocess
import sys
from pathlib import Path

import pytest

from miniet.backend.schema import KEY, LEASE, META
from tests.unit.backend.conftest import Opener

PAIRS_PER_COMMIT = 40

# Each round: 40 pairs, some overwritten, some deleted, the number of the round in
# `meta`; after its commit the number is printed. What the parent kills it in is chance.
WRITER = """
import sys
from miniet.backend import Backend
path, action = sys.argv[1:]
backend = Backend(path, quota_bytes=1 << 28)
backend.open()
tx = backend.batch_tx
number = 0
backend.before_commit = lambda: tx.put(b"meta", b"round", b"%d" % number)
while True:
    number += 1
    for i in range(40):
        tx.append(b"key", b"%08d.%02d" % (number, i), bytes(300))
    tx.put(b"lease", b"large", (b"%d " % number) * 5000)
    tx.delete(b"key", b"%08d.%02d" % (number, 39))
    if number > 20:
        for i in range(39):
            tx.delete(b"key", b"%08d.%02d" % (number - 20, i))
    backend.commit()
    tx.put(b"auth", b"uncommitted", b"")
    tx.delete(b"auth", b"uncommitted")
    print(number, flush=True)
    if action == "defragment" and number % 3 == 0:
        backend.defragment()
"""


def run_and_kill(path: Path, action: str, lines: int) -> int:
    """Let the writer print `lines` lines, kill it, return the last number printed."""
    process = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(path), action],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    last = 0
    for _ in range(lines):
        last = int(process.stdout.readline())
    process.kill()
    # What was on its way when the signal came was committed as well.
    for line in process.stdout.read().splitlines(keepends=True):
        if line.endswith("\n"):
            last = int(line)
    process.stdout.close()
    process.wait()
    return last


@pytest.mark.parametrize("action", ["commit", "defragment"])
@pytest.mark.parametrize("lines", [0, 1, 2, 7, 30, 61])
def test_killed_writer_leaves_a_whole_commit(
    open_backend: Opener, path: Path, action: str, lines: int
) -> None:
    printed = run_and_kill(path, action, lines)

    backend = open_backend()
    backend._check()
    value = backend.batch_tx.get(META, b"round")
    found = int(bytes(value)) if value is not None else 0
    # A commit may be done before its number is out.
    assert printed <= found <= printed + 1
    expected = [
        b"%08d.%02d" % (number, i)
        for number in range(max(1, found - 19), found + 1)
        for i in range(PAIRS_PER_COMMIT - 1)
    ]
    assert [bytes(key) for key, _ in backend.batch_tx.range(KEY, b"")] == expected
    large = backend.batch_tx.get(LEASE, b"large")
    assert large == (b"%d " % found * 5000 if found else None)
    assert sorted(entry.name for entry in path.parent.iterdir()) == ["db", "db-lock"]


def test_uncommitted_writes_of_a_killed_process_are_lost(
    open_backend: Opener, path: Path
) -> None:
    program = (
        "import os, signal, sys\n"
        "from miniet.backend import Backend\n"
        "backend = Backend(sys.argv[1], quota_bytes=0, durable=False)\n"
        "backend.open()\n"
        "backend.batch_tx.put(b'key', b'committed', b'')\n"
        "backend.commit()\n"
        "backend.batch_tx.put(b'key', b'uncommitted', b'')\n"
        "backend.batch_tx.delete(b'key', b'committed')\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    run = subprocess.run([sys.executable, "-c", program, str(path)], check=False)
    assert run.returncode == -9
    keys = [bytes(key) for key, _ in open_backend().batch_tx.range(KEY, b"")]
    assert keys == [b"committed"]
