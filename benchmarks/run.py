"""Runs the benchmarks; see README.md beside this file.

    python benchmarks/run.py [--rounds N] [--output FILE] [name ...]

Rounds of all targets of a workload alternate, so that what the machine does
meanwhile meets them alike, and a ratio is that of two neighbours in time. The first
round of each is not counted.
"""

import argparse
import importlib
import json
import os
import platform
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import Any, Protocol, cast

import plot

from miniet.compiled import is_compiled

WORKLOADS = {
    "pipeline": 5,
    "puts": 7,
    "ranges": 7,
    "txns": 5,
    "keep_alives": 5,
    "stored_keys": 3,
    "watch_fanout": 5,
    "grpc_puts": 5,
    "start": 5,
    "memory": 3,
    "slow_readers": 3,
    "collecting": 3,
    "tracing": 3,
}
"""Modules of `workloads` and their rounds: fewer where a round takes a minute."""

RESULTS = Path(__file__).with_name("results")
_LIBRARIES = ("grpcio", "lmdb", "protobuf", "sortedcontainers", "uvloop", "crc32c")

_HEADS = "median       min       max"

Figures = dict[str, dict[str, Any]]
"""For each name with its unit: min, median and max over the rounds; under `of_etcd`
those of the ratios to what etcd had in the same round."""


class Workload(Protocol):
    """A module of `workloads`; with `NEEDS`, the programs that it cannot do without."""

    TARGETS: tuple[str, ...]
    measure: Callable[[str, Path], dict[str, float]]


def main() -> None:
    """Run what the command line names, show it, and write it down."""
    parser = argparse.ArgumentParser(description="Run the benchmarks.")
    parser.add_argument("names", nargs="*", metavar="name", help=", ".join(WORKLOADS))
    parser.add_argument("--rounds", type=int, help="instead of each one's own")
    parser.add_argument("--output", type=Path, default=RESULTS / "latest.json")
    arguments = parser.parse_args()
    unknown = set(arguments.names) - set(WORKLOADS)
    if unknown:
        parser.error(f"no such benchmark: {', '.join(sorted(unknown))}")
    # As many connections as a load asks for; servers and clients inherit it.
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    machine = _machine()
    print("\n".join(f"{name}: {value}" for name, value in machine.items()))
    results: dict[str, dict[str, Figures]] = {}
    rounds: dict[str, int] = {}
    for name in arguments.names or WORKLOADS:
        workload = cast(Workload, importlib.import_module(f"workloads.{name}"))
        missing = [p for p in getattr(workload, "NEEDS", ()) if not shutil.which(p)]
        if missing:
            print(f"\n{name}: skipped, no {' and no '.join(missing)} on PATH")
            continue
        rounds[name] = arguments.rounds or WORKLOADS[name]
        results[name] = _run(name, workload, rounds[name])
        _show(results[name])
    document = {"machine": machine, "rounds": rounds, "results": results}
    arguments.output.write_text(json.dumps(document, indent=1) + "\n")
    print(f"\nwritten to {arguments.output}")
    _plot(results, arguments.output.with_suffix(".png"))


def _plot(results: dict[str, dict[str, Figures]], path: Path) -> None:
    try:
        if plot.save(results, path):
            print(f"written to {path}")
    except ImportError:
        print("no plot: matplotlib is not installed")


def _run(name: str, workload: Workload, rounds: int) -> dict[str, Figures]:
    targets = list(workload.TARGETS)
    if "miniet_interpreted" in targets and not is_compiled():
        targets.remove("miniet_interpreted")
    if "etcd" in targets and not shutil.which("etcd"):
        targets.remove("etcd")
        print(f"\n{name}: no etcd on PATH, so no comparison")
    measured: dict[str, list[dict[str, float]]] = {target: [] for target in targets}
    for number in range(rounds + 1):
        for target in targets if number % 2 else reversed(targets):
            _progress(f"{name}: {target}, round {number} of {rounds}")
            with tempfile.TemporaryDirectory(prefix="miniet-bench-") as directory:
                figures = workload.measure(target, Path(directory) / "data")
            if number:
                measured[target].append(figures)
    _progress("")
    print(f"\n{name}")
    etcd = measured.get("etcd")
    return {
        target: _summary(rounds, None if target == "etcd" else etcd)
        for target, rounds in measured.items()
    }


def _summary(
    rounds: list[dict[str, float]], etcd: list[dict[str, float]] | None
) -> Figures:
    summary: Figures = {}
    for name in rounds[0]:
        values = [figures[name] for figures in rounds]
        summary[name] = _spread(values)
        if etcd and name in etcd[0]:
            ratios = [mine / its[name] for mine, its in zip(values, etcd, strict=True)]
            summary[name]["of_etcd"] = _spread(ratios)
    return summary


def _spread(values: list[float]) -> dict[str, Any]:
    return {
        "min": min(values),
        "median": statistics.median(values),
        "max": max(values),
    }


def _show(results: dict[str, Figures]) -> None:
    for target, figures in results.items():
        print(f"{target:31}{_HEADS:>30}", end="")
        print("" if target == "etcd" else "   of etcd's, same round")
        for name, spread in figures.items():
            line = f"  {name:29}"
            for key in ("median", "min", "max"):
                value = spread[key]
                line += f"{value:10,.0f}" if value >= 100 else f"{value:10.3g}"
            for key in ("median", "min", "max") if "of_etcd" in spread else ():
                line += f"{spread['of_etcd'][key]:6.2f}"
            print(line)


def _progress(text: str) -> None:
    """Say on a terminal what is being done, on one line that is written over."""
    if sys.stderr.isatty():
        print(f"\r\x1b[K{text}", end="", file=sys.stderr, flush=True)


def _machine() -> dict[str, str]:
    versions = [f"{name} {metadata.version(name)}" for name in _LIBRARIES]
    return {
        "machine": f"{os.cpu_count()} cores, {_cpu_model()}, {platform.machine()}",
        "system": f"{platform.system()} {platform.release()}",
        "load": " ".join(f"{load:.2f}" for load in os.getloadavg()),
        "python": platform.python_version(),
        "miniet": "compiled" if is_compiled() else "interpreted",
        "libraries": ", ".join(versions),
        "etcd": _etcd_version(),
        "commit": _git("rev-parse", "--short", "HEAD"),
    }


def _cpu_model() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    models = [line.partition(": ")[2] for line in lines if "model name" in line]
    return models[0] if models else "unknown"


def _etcd_version() -> str:
    if shutil.which("etcd") is None:
        return "none"
    command = ["etcd", "--version"]
    text = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return text.splitlines()[0].rpartition(": ")[2]


def _git(*words: str) -> str:
    try:
        finished = subprocess.run(
            ["git", *words],
            check=True,
            capture_output=True,
            text=True,
            cwd=Path(__file__).parent,
        )
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return finished.stdout.strip()


if __name__ == "__main__":
    main()
