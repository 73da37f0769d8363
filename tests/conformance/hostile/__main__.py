"""Runs every attack at full size against `miniet serve` and prints what it did.

python -m tests.conformance.hostile [--seed N] [--scale X] [--etcd PATH] [NAME ...]
"""

import argparse
import random
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.conformance.hostile.assault import FLAGS, Report, assault
from tests.conformance.hostile.attacks import ATTACKS
from tests.conformance.hostile.connection_attacks import MIB
from tests.support.real_etcd import RealEtcd
from tests.support.served import TRANSPORTS, Served

_HEAD = (
    f"{'attack':28} {'count':>7} {'before':>7} {'peak':>7} {'after':>7} {'wait':>7} "
    f"{'puts':>6} {'rounds':>6} {'s':>6}  outcome"
)


def main() -> int:
    """Attack one server, then the other if asked to; 1: something did not hold."""
    arguments = _arguments()
    unknown = set(arguments.names) - ATTACKS.keys()
    if unknown:
        sys.exit(f"no such attack: {', '.join(sorted(unknown))}")
    _say(f"seed {arguments.seed}; memory in MiB, longest wait of a put in ms")
    failed = _run("miniet", arguments)
    if arguments.etcd:
        # For comparison only: nothing is asked of it.
        _run("etcd", arguments)
    return int(failed)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.conformance.hostile")
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 32))
    parser.add_argument("--scale", type=float, default=1.0, help="of the full counts")
    parser.add_argument("--transport", choices=TRANSPORTS, default=TRANSPORTS[0])
    parser.add_argument("--etcd", metavar="PATH", help="attack this etcd, too")
    parser.add_argument("names", nargs="*", metavar="NAME", help="attacks; all")
    return parser.parse_args()


def _run(kind: str, arguments: argparse.Namespace) -> bool:
    begun_s = time.monotonic()
    _say(f"\n{kind}\n{_HEAD}")
    faults = 0
    with _running(kind, arguments) as (endpoint, server):
        for name in arguments.names or ATTACKS:
            attack = ATTACKS[name]
            count = max(1, int(attack.full * arguments.scale))
            report = assault(
                name,
                attack,
                count,
                endpoint=endpoint,
                pid=server.pid,
                seed=arguments.seed,
            )
            _print(report)
            faults += len(report.faults)
        log = server.log_path.read_text(errors="replace")
        if kind == "miniet" and "Traceback" in log:
            _say(log[log.index("Traceback") :][:4000])
            faults += 1
    _say(f"{kind}: {faults} faults in {time.monotonic() - begun_s:.0f} s")
    return faults > 0


@contextmanager
def _running(
    kind: str, arguments: argparse.Namespace
) -> Iterator[tuple[str, Served | RealEtcd]]:
    with tempfile.TemporaryDirectory() as directory:
        data_dir = Path(directory) / "data"
        if kind == "miniet":
            transport = f"--transport={arguments.transport}"
            with Served(data_dir, *FLAGS, transport) as server:
                yield server.endpoint, server
        else:
            with RealEtcd(data_dir, binary=arguments.etcd) as real:
                yield real.client_url.removeprefix("http://"), real


def _print(report: Report) -> None:
    figures = (report.before_bytes, report.peak_bytes, report.after_bytes)
    memory = " ".join(f"{figure / MIB:7.1f}" for figure in figures)
    _say(
        f"{report.name:28} {report.count:7} {memory} "
        f"{report.longest_wait_s * 1000:7.0f} {report.put_count:6} "
        f"{report.round_count:6} {report.seconds:6.1f}  {report.outcome}"
    )
    for fault in report.faults:
        _say(f"    FAULT: {fault}")


def _say(line: str) -> None:
    """Print a line at once: the next one may take a while."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
