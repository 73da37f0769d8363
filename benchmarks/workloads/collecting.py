"""How long Python's cyclic collector holds puts up, in all and at a time.

The storage alone, in memory: 1,000,000 keys of 16 bytes put twice, each alone.
A process of its own per round, as collections depend on all that was kept before.
"""

import gc
import os
import random
import subprocess
import sys
import time
from pathlib import Path

TARGETS = ("miniet", "python")
"""With the thresholds of `miniet serve`, and with Python's own."""

KEYS = 1_000_000
QUOTA_BYTES = 8 << 30
PUTS_PER_COMMIT = 10_000


def measure(target: str, directory: Path) -> dict[str, float]:
    """Return the figures of one round."""
    answer = subprocess.run(
        [sys.executable, "-P", __file__, target],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ,
    ).stdout
    figures = (line.split() for line in answer.splitlines())
    return {name: float(value) for name, value in figures}


class Pauses:
    """Measures the collections from now on."""

    def __init__(self) -> None:
        self.total_s = self.longest_s = self._begun_s = 0.0
        gc.callbacks.append(self._heard)

    def _heard(self, phase: str, info: dict[str, int]) -> None:
        now_s = time.perf_counter()
        if phase == "start":
            self._begun_s = now_s
        else:
            self.total_s += now_s - self._begun_s
            self.longest_s = max(self.longest_s, now_s - self._begun_s)


def run(target: str) -> dict[str, float]:
    """Put the keys and return the figures."""
    config = Config(quota_backend_bytes=QUOTA_BYTES)
    member = build_member(
        config,
        None,
        config.client_urls,
        SystemClock(),
        random.Random(1),
        Durations(),
    )
    gc.collect()
    gc.freeze()
    if target == "miniet":
        gc.set_threshold(*GC_THRESHOLDS)
    pauses = Pauses()
    started_s = time.perf_counter()
    for number in range(2 * KEYS):
        with member.engine.store.write() as txn:
            txn.put(b"key-%012d" % (number % KEYS), b"value")
        if number % PUTS_PER_COMMIT == 0:
            member.backend.commit()
    return {
        "puts_per_s": 2 * KEYS / (time.perf_counter() - started_s),
        "collecting_s": pauses.total_s,
        "longest_pause_ms": pauses.longest_s * 1000,
    }


if __name__ == "__main__":
    from miniet.clock import SystemClock
    from miniet.server.bootstrap import build_member
    from miniet.server.config import Config
    from miniet.server.recorders import Durations
    from miniet.server.serve import GC_THRESHOLDS

    measured = run(*sys.argv[1:])
    sys.stdout.writelines(f"{name} {value}\n" for name, value in measured.items())
