"""What counting costs a put: this tree against another commit of it.

    python benchmarks/counting.py COMMIT [--rounds N]

Checks COMMIT out beside this tree and runs the workload `pipeline` on both in turn, a
process each, so that what the machine does meanwhile meets both. The ratio is that
of two neighbours in time, and its median is the figure; CPU time says more than
puts per second where the disk is slow or the machine shared. It says nothing of the
network's part, which is counted per call and not per put.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).parents[1]
ROUNDS = 9

_ROUND = """
import json, sys
from pathlib import Path
from workloads import pipeline
print(json.dumps(pipeline.measure("miniet", Path(sys.argv[1]))))
"""


def main() -> None:
    """Measure and show."""
    parser = argparse.ArgumentParser(description="What does counting cost a put?")
    parser.add_argument("commit", help="the commit to compare with")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    arguments = parser.parse_args()
    ratios: dict[str, list[float]] = {}
    with _checked_out(arguments.commit) as other:
        for number in range(arguments.rounds + 1):
            trees = (ROOT, other) if number % 2 else (other, ROOT)
            figures = {tree: _round(tree) for tree in trees}
            if not number:
                continue  # to warm up
            for name, value in figures[ROOT].items():
                ratio = value / figures[other][name]
                ratios.setdefault(name, []).append(ratio)
                print(f"{name:16}{figures[other][name]:10.1f}{value:10.1f}{ratio:8.3f}")
    for name, values in ratios.items():
        low, high = min(values), max(values)
        middle = statistics.median(values)
        print(f"{name}: median ratio {middle:.3f}, {low:.3f} to {high:.3f}")


@contextmanager
def _checked_out(commit: str) -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="miniet-bench-") as directory:
        tree = Path(directory) / "tree"
        git = ["git", "-C", str(ROOT), "worktree"]
        subprocess.run([*git, "add", "-q", "--detach", str(tree), commit], check=True)
        try:
            yield tree
        finally:
            subprocess.run([*git, "remove", "--force", str(tree)], check=True)


def _round(tree: Path) -> dict[str, float]:
    """Run one round on the package of `tree`, with the workload of this one."""
    path = os.pathsep.join((str(tree), str(Path(__file__).parent)))
    with tempfile.TemporaryDirectory(prefix="miniet-bench-") as directory:
        finished = subprocess.run(
            [sys.executable, "-P", "-c", _ROUND, str(Path(directory) / "data")],
            check=True,
            capture_output=True,
            text=True,
            env={**os.environ, "PYTHONPATH": path},
        )
    figures: dict[str, float] = json.loads(finished.stdout)
    return figures


if __name__ == "__main__":
    main()
