"""The same random commands to miniet and to a real etcd, and every answer compared.

    python -m tests.conformance.api.lockstep --seconds 600

Sequences are run in blocks: each block has a fresh pair of servers, on which its
sequences follow each other, and the blocks take the releases of etcd in turn. It
ends at the first difference, with the commands that show it and the call that runs
them again.
"""

import argparse
import itertools
import os
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from dataclasses import dataclass, field
from multiprocessing import get_context
from pathlib import Path

from tests.conformance.api.commands import Command
from tests.conformance.api.counts import Counts
from tests.conformance.api.pair import Pair, ServersDiffer, shortened
from tests.conformance.api.releases import Release, release_of, releases_found
from tests.conformance.api.shrinking import shrink
from tests.conformance.api.targets import MINIET, MINIET_ON_DISK, etcd_release

COMMANDS_PER_SEQUENCE = 100

# A fresh pair has never compacted; one in so many sequences runs on such.
SEQUENCES_PER_BLOCK = 20

_REPORT_SECONDS = 20.0


@dataclass(frozen=True)
class Block:
    """Sequences that follow each other on one pair of servers."""

    release: Release
    seeds: Sequence[int]
    command_count: int = COMMANDS_PER_SEQUENCE
    # Of the clock that all processes of a machine share.
    end_s: float = float("inf")


@dataclass
class Outcome:
    """What became of a block; `difference` is "" where there was none."""

    release: Release
    miniet: str
    counts: Counts = field(default_factory=Counts)
    difference: str = ""
    seed: int = 0
    commands: list[Command] = field(default_factory=list)

    def again(self, first_seed: int | None = None) -> str:
        """Return the call that runs the sequence again, with what came before it."""
        first = self.seed if first_seed is None else first_seed
        return (
            f"python -m tests.conformance.api.lockstep --etcd {self.release.binary}"
            f" --workers 1 --seed {first} --sequences {self.seed - first + 1}"
        )


def blocks_of(first: int, count: int) -> Iterator[range]:
    """Cut seeds into blocks, which begin at the same ones wherever a run begins."""
    end = first + count
    while first < end:
        next_block = (first // SEQUENCES_PER_BLOCK + 1) * SEQUENCES_PER_BLOCK
        yield range(first, min(next_block, end))
        first = next_block


def is_on_disk(seed: int) -> bool:
    """Half of the blocks have a miniet that keeps its data in memory alone."""
    return seed // SEQUENCES_PER_BLOCK % 2 == 0


def run_block(block: Block) -> Outcome:
    """Run sequences until one of them differs, or the time is up."""
    miniet = MINIET_ON_DISK if is_on_disk(block.seeds[0]) else MINIET
    outcome = Outcome(block.release, miniet)
    with (
        scratch() as directory,
        Pair(block.release, miniet, Path(directory)) as pair,
    ):
        outcome.counts = pair.counts
        for seed in block.seeds:
            if time.monotonic() > block.end_s:
                break
            try:
                restarts = miniet == MINIET_ON_DISK and seed % 10 == 5
                pair.run(seed, block.command_count, restarts=restarts)
            except ServersDiffer as error:
                outcome.difference = str(error)
                outcome.seed, outcome.commands = seed, pair.done
                break
            except Exception as error:
                # A server that is gone, say. What grpc raises cannot leave a process.
                raise RuntimeError(
                    f"sequence {seed} with {block.release.binary}: {error!r}"
                ) from error
    return outcome


def run_script(
    release: Release, commands: Sequence[Command], miniet: str = MINIET_ON_DISK
) -> str:
    """Run these commands on fresh servers; return how they differ, or ""."""
    with (
        scratch() as directory,
        Pair(release, miniet, Path(directory)) as pair,
    ):
        try:
            pair.run_script(commands)
        except ServersDiffer as error:
            return str(error)
    return ""


def scratch() -> "tempfile.TemporaryDirectory[str]":
    """Make a directory in memory where there is one: what syncs cost is not wanted."""
    memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    return tempfile.TemporaryDirectory(prefix="miniet-lockstep-", dir=memory)


# The command


class Run:
    """Blocks in several processes until the time is up, and what they found."""

    def __init__(self, arguments: argparse.Namespace, releases: list[Release]) -> None:
        self._arguments = arguments
        self._releases = releases
        self._begin_s = time.monotonic()
        self._counts = {release: Counts() for release in releases}
        self._difference: Outcome | None = None

    def go(self) -> int:
        """Run all blocks and print what came of them; 1 if there was a difference."""
        reported_s = self._begin_s
        blocks = self._blocks()
        with ProcessPoolExecutor(
            self._arguments.workers, mp_context=get_context("spawn")
        ) as pool:
            running: set[Future[Outcome]] = set()
            while True:
                while len(running) < self._arguments.workers and not self._difference:
                    block = next(blocks, None)
                    if block is None:
                        break
                    running.add(pool.submit(run_block, block))
                if not running:
                    break
                done, running = wait(running, 1.0, FIRST_COMPLETED)
                for future in done:
                    self._take(future.result())
                if time.monotonic() - reported_s > _REPORT_SECONDS:
                    reported_s = time.monotonic()
                    _say(f"{self._elapsed_s:5.0f} s: {self._total()}")
        return self._close()

    def _blocks(self) -> Iterator[Block]:
        arguments = self._arguments
        releases = itertools.cycle(self._releases)
        end_s = self._begin_s + arguments.seconds
        for seeds in blocks_of(arguments.seed, arguments.sequences):
            if time.monotonic() > end_s:
                return
            yield Block(next(releases), seeds, arguments.commands, end_s)

    def _take(self, outcome: Outcome) -> None:
        self._counts[outcome.release].add(outcome.counts)
        if outcome.difference and self._difference is None:
            self._difference = outcome
            _say(f"seed {outcome.seed}: the servers differ\n{outcome.difference}")

    def _close(self) -> int:
        if self._difference:
            self._explain(self._difference)
        for release, counts in self._counts.items():
            _say(f"etcd {etcd_release(release.binary)}: {counts}")
        total = self._total()
        _say(f"calls and what watchers were told:\n{total.table()}")
        differences = "1 difference" if self._difference else "no difference"
        _say(
            f"total: {total}, {differences}; from seed "
            f"{self._arguments.seed}, {self._elapsed_s:.0f} s, "
            f"{total.operations / self._elapsed_s:.0f} operations/s"
        )
        return int(self._difference is not None)

    def _explain(self, outcome: Outcome) -> None:
        """Find few commands that show it, and say how to see it again."""
        first = outcome.seed // SEQUENCES_PER_BLOCK * SEQUENCES_PER_BLOCK
        commands = f" --commands {self._arguments.commands}"
        alone = outcome.again() + commands
        whole = outcome.again(max(first, self._arguments.seed)) + commands
        _say("looking for the fewest commands that differ")

        def differs(commands: Sequence[Command]) -> str:
            return run_script(outcome.release, commands, outcome.miniet)

        found = shrink(outcome.commands, differs)
        if found is None:
            _say(f"on fresh servers these commands do not differ; again with\n{whole}")
            found = outcome.commands[-20:]
        else:
            _say(differs(found))
            _say(f"again with\n{alone}\nor, with what came before it,\n{whole}")
        _say("--- the commands:\n" + "\n".join(shortened(each) for each in found))

    def _total(self) -> Counts:
        total = Counts()
        for counts in self._counts.values():
            total.add(counts)
        return total

    @property
    def _elapsed_s(self) -> float:
        return time.monotonic() - self._begin_s


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def main() -> int:
    """Run sequences until the time is up, or two servers differ."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.conformance.api.lockstep",
        description=__doc__.partition("\n")[0],
    )
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--seed", type=int, default=1, help="of the first sequence")
    parser.add_argument("--sequences", type=int, default=10**9, help="at most")
    parser.add_argument(
        "--commands", type=int, default=COMMANDS_PER_SEQUENCE, help="of a sequence"
    )
    parser.add_argument(
        "--etcd", nargs="+", metavar="PATH", help="in place of the ones that are found"
    )
    # More than cores: a watcher of the past waits for etcd's next pass.
    parser.add_argument("--workers", type=int, default=1 + (os.cpu_count() or 1))
    arguments = parser.parse_args()
    paths = arguments.etcd
    releases = [release_of(path) for path in paths] if paths else releases_found()
    if not paths and len(releases) < 2:
        _say("an etcd is missing; tests/conformance/api/install_etcd brings both")
    if not releases:
        return 2
    for release in releases:
        _say(f"etcd {etcd_release(release.binary)}: {release.binary}")
    return Run(arguments, releases).go()


if __name__ == "__main__":
    sys.exit(main())
