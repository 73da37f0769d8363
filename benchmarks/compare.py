"""Did a change cost anything? This tree against another commit of it.

    python benchmarks/compare.py COMMIT [WORKLOAD] [--rounds N]

Checks COMMIT out beside this tree and runs one of `workloads` (`pipeline` if none is
named) on both in turn, a process each, so that what the machine does meanwhile meets
both. A ratio is that of two neighbours in time, and the median of the ratios is the
figure; processor time says more than puts per second where others use the machine.
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
from importlib import import_module
workload = import_module("workloads." + sys.argv[1])
print(json.dumps(workload.measure("miniet", Path(sys.argv[2]))))
"""


def main() -> None:
    """Measure and show."""
    parser = argparse.ArgumentParser(description="Did a change cost anything?")
    parser.add_argument("commit", help="the commit to compare with")
    parser.add_argument("workload", nargs="?", default="pipeline")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    arguments = parser.parse_args()
    ratios: dict[str, list[float]] = {}
    with _checked_out(arguments.commit) as other:
        for number in range(arguments.rounds + 1):
            trees = (ROOT, other) if number % 2 else (other, ROOT)
            figures = {tree: _round(tree, arguments.workload) for tree in trees}
            if not number:
                continue  # to warm up
            for name, value in figures[ROOT].items():
                ratio = value / figures[other][name]
                ratios.setdefault(name, []).append(ratio)
                print(f"{name:30}{figures[other][name]:10.1f}{value:10.1f}{ratio:8.3f}")
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


def _round(tree: Path, workload: str) -> dict[str, float]:
    """Run one round on the package of `tree`, with the workload of this one."""
    path = os.pathsep.join((str(tree), str(Path(__file__).parent)))
    with tempfile.TemporaryDirectory(prefix="miniet-bench-") as directory:
        finished = subprocess.run(
            [sys.executable, "-c", _ROUND, workload, f"{directory}/data"],
            check=True,
            capture_output=True,
            text=True,
            # Processes that it starts must not find the package where they stand.
            env={**os.environ, "PYTHONPATH": path, "PYTHONSAFEPATH": "1"},
        )
    figures: dict[str, float] = json.loads(finished.stdout)
    return figures


if __name__ == "__main__":
    main()
