"""The log on real files, with the power gone between any two writes."""

import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from random import Random

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule

from miniet.raft.messages import Entry, HardState
from miniet.wal import TornWriteError, Wal, WalContents, WalSnapshot, repair
from tests.property.machines import effort
from tests.support.crash_files import Disk, PowerFailure
from tests.unit.wal.logs import METADATA, NODE, entries

SEGMENT_BYTES = 2048
SEEDS = st.integers(0, 2**32 - 1)
# Call 0 of a flush is the write, call 1 the sync, unless the segment is cut.
CALLS = st.sampled_from([None, None, 0, 1, 1, 1, 1, 2, 3, 4, 5, 6, 7, 8, 10, 12])

Record = Entry | HardState


def read_back(records: list[Record]) -> tuple[HardState, list[Entry]]:
    """Return what a log of these records says."""
    state, log = HardState(), list[Entry]()
    for record in records:
        if isinstance(record, HardState):
            state = record
        else:
            del log[record.index - 1 :]
            log.append(record)
    return state, log


class WalMachine(RuleBasedStateMachine):
    """Appends, flushes with and without a sync, cuts; then the power goes.

    records: everything appended, in order. A log that comes back must say what a
    beginning of them says, with all that was synced in it: `synced_count`.
    """

    def __init__(self) -> None:
        super().__init__()
        self.base = Path(tempfile.mkdtemp(prefix="miniet-test-"))
        self.failures = 0
        self.records: list[Record] = []
        self.synced_count = 0
        self.term = 1
        root = self.base / "0"
        root.mkdir()
        self.disk = Disk(root)
        self.wal: Wal | None = None

    def teardown(self) -> None:
        if self.wal is not None:
            self.wal.close()
        self.disk.close()
        shutil.rmtree(self.base)

    def call(self, calls_left: int | None, seed: int, act: Callable[[], None]) -> None:
        """Do something; the power goes before one of its system calls, or after it."""
        try:
            with self.disk.watched():
                if self.wal is None:
                    self.open()
                self.disk.calls_left = calls_left
                act()
        except PowerFailure:
            pass
        if calls_left is not None:
            self.lose_power(seed)

    def open(self) -> None:
        """Open what is there as a start does, and hold it to what was written."""
        directory = self.disk.root / "wal"
        if not directory.exists():
            assert not self.synced_count
            self.records.clear()
            self.wal = Wal.create(directory, METADATA, segment_bytes=SEGMENT_BYTES)
            return
        try:
            self.wal, contents = self.opened(directory)
        except TornWriteError:
            assert repair(directory) is not None
            self.wal, contents = self.opened(directory)
        self.wal._check()
        self.take(contents)

    def opened(self, directory: Path) -> tuple[Wal, WalContents]:
        return Wal.open(directory, WalSnapshot(), segment_bytes=SEGMENT_BYTES)

    def take(self, contents: WalContents) -> None:
        found = (contents.hard_state, contents.entries)
        for count in range(len(self.records), self.synced_count - 1, -1):
            if read_back(self.records[:count]) == found:
                break
        else:
            raise AssertionError(f"{found} is no beginning of {self.records}")
        del self.records[count:]

    def lose_power(self, seed: int) -> None:
        self.failures += 1
        if self.wal is not None:
            self.wal._release_files()
            self.wal = None
        root = self.disk.left(self.base / str(self.failures), Random(seed))
        self.disk.close()
        shutil.rmtree(self.disk.root)
        self.disk = Disk(root)

    @rule(
        back=st.integers(0, 3),
        count=st.sampled_from([0, 1, 2, 2, 4]),
        size=st.sampled_from([0, 60, 500, 1500, 1500]),
        with_state=st.booleans(),
        flush=st.sampled_from([None, False, True, True]),
        calls_left=CALLS,
        seed=SEEDS,
    )
    def save(
        self,
        back: int,
        count: int,
        size: int,
        with_state: bool,
        flush: bool | None,
        calls_left: int | None,
        seed: int,
    ) -> None:
        """Append entries, some of them over earlier ones, and flush."""

        def act() -> None:
            assert self.wal is not None
            _, log = read_back(self.records)
            first = max(len(log) + 1 - back, 1)
            self.term += 1
            new: list[Record] = [*entries(first, count, term=self.term, size=size)]
            state = HardState(self.term, NODE, first - 1) if with_state else None
            self.wal.append(state, entries(first, count, term=self.term, size=size))
            self.records += new + ([] if state is None else [state])
            if flush is not None:
                self.wal.flush(flush)
            if flush:
                self.synced_count = len(self.records)

        self.call(calls_left, seed, act)

    @rule(calls_left=CALLS, seed=SEEDS)
    def open_again(self, calls_left: int | None, seed: int) -> None:
        """Stop as a server does, start again; the power may go in either."""

        def act() -> None:
            assert self.wal is not None
            self.wal.close()
            self.wal = None
            self.synced_count = len(self.records)
            self.open()

        self.call(calls_left, seed, act)


TestWal = WalMachine.TestCase
TestWal.settings = effort(50, 15)
