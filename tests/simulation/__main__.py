"""Run seeds of the simulation: one with its whole story, or many for a while.

python -m tests.simulation --seed 17
python -m tests.simulation --seconds 600 --first-seed 1000
"""

import argparse
import sys
import time
from collections import Counter
from random import SystemRandom

from tests.simulation.run import Outcome, run_seed

_PROGRESS_S = 10.0
_BUGS_MAX = 20


class Totals:
    """What many runs come to."""

    def __init__(self) -> None:
        self.seeds = self.operations = self.unanswered = self.starts = 0
        self.endings: Counter[str] = Counter()
        self.faults: Counter[str] = Counter()
        self.failed: list[int] = []

    def add(self, outcome: Outcome) -> None:
        """Add one run."""
        self.seeds += 1
        self.operations += outcome.operations
        self.unanswered += outcome.unanswered
        self.starts += outcome.starts
        self.endings += outcome.endings
        self.faults += outcome.faults
        if outcome.bugs:
            self.failed.append(outcome.seed)

    def __str__(self) -> str:
        return (
            f"{self.seeds} seeds, {self.operations} operations "
            f"({self.unanswered} without an answer), {self.starts} starts; "
            f"ends: {_counts(self.endings)}; faults: {_counts(self.faults)}; "
            f"failed: {self.failed or 'none'}"
        )


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation")
    parser.add_argument("--seed", type=int, help="run this one and tell its story")
    parser.add_argument("--seconds", type=float, default=60.0, help="run so long")
    parser.add_argument("--first-seed", type=int, help="else one by chance")
    options = parser.parse_args()
    if options.seed is not None:
        return _tell(run_seed(options.seed))
    first = options.first_seed
    if first is None:
        first = SystemRandom().randrange(1 << 31)
    return _run_many(first, options.seconds)


def _tell(outcome: Outcome) -> int:
    _say("\n".join(outcome.trace))
    _say(str(outcome) if outcome.bugs else f"seed {outcome.seed}: nothing found")
    return bool(outcome.bugs)


def _run_many(first: int, seconds: float) -> int:
    totals = Totals()
    begun_s = told_s = time.monotonic()
    seed = first
    while time.monotonic() - begun_s < seconds and len(totals.failed) < _BUGS_MAX:
        outcome = run_seed(seed)
        totals.add(outcome)
        if outcome.bugs:
            _say(str(outcome))
        if time.monotonic() - told_s > _PROGRESS_S:
            told_s = time.monotonic()
            _say(f"{told_s - begun_s:.0f} s, {totals.seeds} seeds, up to {seed}")
        seed += 1
    _say(f"{time.monotonic() - begun_s:.0f} s from seed {first}: {totals}")
    return bool(totals.failed)


def _counts(counter: Counter[str]) -> str:
    return ", ".join(f"{count} {name}" for name, count in counter.most_common())


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
