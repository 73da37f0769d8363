"""Carries out an attack and measures what it did to the server and to others."""

import time
from dataclasses import dataclass, field
from random import Random

from tests.conformance.hostile.attacks import Attack
from tests.conformance.hostile.connection_attacks import MIB, Target
from tests.support.bystander import Bystander, MemoryReader, anonymous_bytes

ORDINARY_BYTES = 16 * MIB
"""What a server's memory moves by in ordinary life: its log, the heap's pieces."""

WAIT_S_MAX = 5.0
"""The longest that a put of another client may take, on a busy machine too."""

ROUNDS_MAX = 4

FLAGS = (
    "--snapshot-count=100",
    "--experimental-snapshot-catchup-entries=5",
    "--unsafe-no-fsync",
)
"""For miniet: neither its log's memory nor the disk must be mistaken for an attack."""

_SETTLE_S = 1.0


@dataclass
class Report:
    """What was seen; bytes are the server's own memory.

    outcome: of the last round.
    """

    name: str
    count: int
    before_bytes: int
    peak_bytes: int = 0
    after_bytes: int = 0
    round_count: int = 0
    longest_wait_s: float = 0.0
    put_count: int = 0
    seconds: float = 0.0
    outcome: str = ""
    faults: list[str] = field(default_factory=list)


def assault(
    name: str, attack: Attack, count: int, *, endpoint: str, pid: int, seed: int
) -> Report:
    """Attack, with a bystander putting keys all the while.

    A heap does not give back all that was freed, but uses it again. So an attack after
    which more is kept is repeated, until it costs nothing more or it is clear that it
    always will.
    """
    begun_s = time.monotonic()
    report = Report(name, count, anonymous_bytes(pid))
    random = Random(f"{seed} {name}")
    while True:
        before_bytes = anonymous_bytes(pid)
        with Bystander(endpoint) as bystander:
            bystander.wait_puts(10)
            bystander.longest_s = 0.0  # the first connects
            target = Target(
                int(endpoint.rpartition(":")[2]), endpoint, bystander, random, count
            )
            with MemoryReader(pid) as memory:
                report.outcome = attack.run(target)
                target.hold()
            report.after_bytes = _settled_bytes(pid, before_bytes + ORDINARY_BYTES)
        report.round_count += 1
        report.put_count += bystander.put_count
        report.peak_bytes = max(report.peak_bytes, memory.peak_bytes)
        report.longest_wait_s = max(report.longest_wait_s, bystander.longest_s)
        if bystander.refusals:
            count, first = len(bystander.refusals), bystander.refusals[0]
            report.faults.append(f"{count} puts of a bystander refused: {first}")
        kept_bytes = report.after_bytes - before_bytes
        if kept_bytes < ORDINARY_BYTES or report.round_count == ROUNDS_MAX:
            break
    _judge(report, attack, kept_bytes)
    report.seconds = time.monotonic() - begun_s
    return report


def _judge(report: Report, attack: Attack, kept_bytes: int) -> None:
    """Say what did not hold."""
    grown_bytes = report.peak_bytes - report.before_bytes
    held_max_bytes = attack.bytes_max(report.count) + ORDINARY_BYTES
    if grown_bytes > held_max_bytes:
        report.faults.append(
            f"held {grown_bytes / MIB:.0f} MiB more than before, "
            f"not {held_max_bytes / MIB:.0f} ({attack.reason})"
        )
    if kept_bytes > ORDINARY_BYTES:
        report.faults.append(f"kept {kept_bytes / MIB:.0f} MiB more each time")
    if report.longest_wait_s > WAIT_S_MAX:
        report.faults.append(f"a bystander waited {report.longest_wait_s:.1f} s")


def _settled_bytes(pid: int, wanted_bytes: int) -> int:
    """Wait a while for memory to be given back; return what there is then."""
    deadline = time.monotonic() + _SETTLE_S
    while (now := anonymous_bytes(pid)) > wanted_bytes:
        if time.monotonic() > deadline:
            break
        time.sleep(0.05)
    return now
