"""`raft-log`: how many entries stay in memory, by value size and snapshot-count?

Puts to one key, a stage every so many. Beyond the article: 5,000 is the least after a
snapshot, not the most; before the first one everything is kept, and after it the log
goes up and down between the catch-up entries and those plus snapshot-count.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from miniet.lab.figures import catchup_entries, snapshot_count
from miniet.lab.machine import GIB, Need
from miniet.lab.runner import Findings, Lab
from miniet.lab.target import Setup
from miniet.memory.counts import Counts
from miniet.releases import CATCHUP_ENTRIES, RELEASES
from miniet.report.run import Table, Variant
from miniet.report.units import KIB, number, size

NAME = "raft-log"
QUESTION = (
    "How many entries does the raft log keep in memory, before and after a snapshot, "
    "and what does an entry cost?"
)
DISTURBS = ""

STAGES = 6
PUTS_PER_STAGE = 2_000
SNAPSHOT_COUNT = 5_000

_KEY = "foo"


@dataclass(frozen=True, slots=True)
class _Case:
    value_bytes: int
    snapshots: bool = True
    """Whether snapshots are due at SNAPSHOT_COUNT, or at the release's default."""
    profile: str = ""


_CASES = (
    _Case(128),
    _Case(KIB),
    _Case(16 * KIB),
    _Case(KIB, snapshots=False),
    _Case(KIB, snapshots=False, profile="3.6"),
)


def need(scale: float) -> Need:
    """The largest values, all in the log just before the first cut."""
    return Need(
        memory_bytes=round(0.3 * GIB + 0.3 * GIB * scale),
        disk_bytes=round(0.5 * GIB + 0.8 * GIB * scale),
    )


def run(lab: Lab) -> None:
    setups = {_setup(lab, case): case for case in _CASES}
    puts = lab.scaled(PUTS_PER_STAGE)
    by_name = {setup.name: case for setup, case in setups.items()}
    for subject in lab.subjects(list(setups)):
        key = subject.key(_KEY)
        value = bytes(by_name[subject.name].value_bytes)
        known = {"index_key_bytes": len(key)}
        subject.stage("started", known=known, collect=True)
        for number_ in range(1, STAGES + 1):
            subject.put_all(
                ((key, value) for _ in range(puts)),
                total=puts,
                text=f"part {number_} of {STAGES}",
            )
            name = f"{number(number_ * puts)} puts"
            subject.stage(name, known=known, collect=True)


def _setup(lab: Lab, case: _Case) -> Setup:
    """Make the server of a case; a smaller load has a smaller log to go round in."""
    flags = []
    if case.snapshots:
        flags.append(f"--snapshot-count={lab.scaled(SNAPSHOT_COUNT)}")
    if lab.scale != 1 and (case.snapshots or case.profile):
        entries = lab.scaled(CATCHUP_ENTRIES)
        flags.append(f"--experimental-snapshot-catchup-entries={entries}")
    words = [size(case.value_bytes)]
    words += [flags[0]] if case.snapshots else []
    words += [f"--profile={case.profile}"] if case.profile else []
    return Setup(" ".join(words), tuple(flags), case.profile)


def explain(variants: Sequence[Variant]) -> Findings:
    """Find the cuts in the figures, and what an entry costs."""
    verdict = [text for variant in variants for text in _life(variant)]
    return Findings(
        verdict=[*verdict, *_cost(variants)],
        tables=[_costs(variants)],
    )


def _life(variant: Variant) -> Iterator[str]:
    """Say how the log of a variant went up and down."""
    held = [stage.capture.counts for stage in variant.stages]
    most = max(held, key=lambda counts: counts.raft_entry_count)
    cuts = [
        after
        for before, after in pairwise(held)
        if after.raft_first_index > before.raft_first_index + 1
    ]
    capture = variant.stages[-1].capture
    every = f"snapshots are due every {number(snapshot_count(capture))} entries"
    if not cuts:
        yield (
            f"{variant.name}: nothing was cut. {every.capitalize()}, and all "
            f"{_log(held[-1])} are still there."
        )
        return
    in_memory = RELEASES[capture.profile].memory_snapshot_count
    oftener = f", in memory every {number(in_memory)}" if in_memory else ""
    least = min(cuts, key=lambda counts: counts.raft_entry_count)
    yield (
        f"{variant.name}: {every}{oftener}, and leave "
        f"{number(catchup_entries(capture))} behind them. The log held up to "
        f"{_log(most)}; the least seen after a cut was {_log(least)}."
    )


def _log(counts: Counts) -> str:
    entries = number(counts.raft_entry_count)
    return f"{entries} entries ({size(counts.raft_payload_bytes)})"


def _cost(variants: Sequence[Variant]) -> Iterator[str]:
    """Say what Go adds to the data of an entry, smallest and largest."""
    rows = [row for row in map(_entry, variants) if row is not None]
    if rows:
        first = max(rows, key=lambda row: row[2] / row[1])
        last = min(rows, key=lambda row: row[2] / row[1])
        other = f", one with {number(last[1])} takes {number(last[2])}"
        yield (
            f"An entry with {number(first[1])} bytes of data takes {number(first[2])} "
            f"in a Go etcd{other if last != first else ''}: the size class above it, "
            "and a slot in an array that has grown by more than it needs."
        )


def _entry(variant: Variant) -> tuple[str, int, int] | None:
    """Return name, bytes of data per entry, and Go's bytes, where most were held."""
    stages = [stage for stage in variant.stages if stage.prediction is not None]
    if not stages:
        return None
    stage = max(stages, key=lambda stage: stage.capture.counts.raft_entry_count)
    counts = stage.capture.counts
    if not counts.raft_entry_count or stage.prediction is None:
        return None
    taken = stage.prediction.components["raft"].likely
    return (
        variant.name,
        round(counts.raft_payload_bytes / counts.raft_entry_count),
        round(taken / counts.raft_entry_count),
    )


def _costs(variants: Sequence[Variant]) -> Table:
    rows = []
    for name, data, taken in filter(None, map(_entry, variants)):
        rows.append((name, data, taken, f"{taken / max(data, 1) - 1:.0%}"))
    return Table(
        title="Bytes of an entry",
        columns=("variant", "data", "in Go", "more"),
        rows=tuple(rows),
        note="Where most entries were held; with the array of their headers.",
    )
