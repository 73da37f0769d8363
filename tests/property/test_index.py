"""`KeyIndex` and `TreeIndex` against the model: any changes, compacted at any point."""

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from miniet.errors import InvariantError
from miniet.mvcc import KeyIndex, TreeIndex
from miniet.mvcc.key_index import Found
from miniet.mvcc.revision import parse_revision_key
from tests.property.machines import effort
from tests.property.strategies import HISTORY
from tests.support.model import Model
from tests.support.model_api import Change, DeleteRange, Put, Txn
from tests.support.retained import RetainedCounts, retained, retained_counts

KEY = b"k"
RANGES = [
    (b"\x00", b"\x00"),
    (b"a", b""),
    (b"a", b"b"),
    (b"ab", b"\x00"),
    (b"\xff", b""),
    (b"b", b"a"),
]

Revisions = list[tuple[int, int]]


def found(pair: Change | None) -> Found | None:
    if pair is None:
        return None
    return pair.revision, pair.sub, pair.create_revision, pair.version


def revisions(changes: list[Change]) -> Revisions:
    return [(change.revision, change.sub) for change in changes]


def held(entry: KeyIndex) -> Revisions:
    return [pair for life in entry.generations() for pair in life.pairs()]


def parsed(keep: set[bytes]) -> set[tuple[int, int]]:
    return {parse_revision_key(key)[:2] for key in keep}


def spared(pairs: list[Change]) -> set[tuple[int, int]]:
    """What a compaction where `pairs` are alive keeps below itself."""
    return set(revisions(pairs))


class KeyIndexMachine(RuleBasedStateMachine):
    """One key, from its first put until a compaction finds it gone."""

    def __init__(self) -> None:
        super().__init__()
        self.model = Model()
        self.entry: KeyIndex | None = None
        self.compacted = 0

    def history(self) -> list[Change]:
        return self.model.histories.get(KEY, [])

    @rule(others=st.integers(0, 2), again=st.booleans())
    def put(self, others: int, again: bool) -> None:
        """`others`: changes of other keys before it; `again`: put twice at once."""
        before = tuple(Put(b"other") for _ in range(others))
        self.model.txn(Txn(success=(*before, Put(KEY), *[Put(KEY)] * again)))
        for change in self.history()[-1 - again :]:
            if self.entry is None:
                self.entry = KeyIndex(
                    KEY,
                    change.revision,
                    change.sub,
                    created_main=change.create_revision,
                    version=change.version,
                )
            else:
                self.entry.put(change.revision, change.sub)

    @rule(put_again=st.booleans())
    def tombstone(self, put_again: bool) -> None:
        if self.model.pair(KEY, self.model.revision) is None:
            return
        assert self.entry is not None
        steps = (DeleteRange(KEY), *[Put(KEY)] * put_again)
        self.model.txn(Txn(success=steps))
        self.entry.tombstone(self.model.revision, 0)
        if put_again:
            self.entry.put(self.model.revision, 1)

    @rule(back=st.integers(0, 6))
    def compact(self, back: int) -> None:
        if self.entry is None:
            return
        at = max(self.model.revision - back, self.compacted)
        left = retained(self.history(), at)
        before, generations = held(self.entry), self.entry.generation_count
        keep = set[bytes]()
        dropped = self.entry.compact(at, keep)
        pair = self.model.pair(KEY, at)
        assert parsed(keep) == spared([pair] if pair else [])
        assert held(self.entry) == revisions(left)
        assert dropped == (
            generations - self.entry.generation_count,
            len(before) - len(left),
        )
        self.compacted = at
        if self.entry.is_empty:
            self.entry = None

    @invariant()
    def change_that_is_not_the_newest_is_refused(self) -> None:
        if self.entry is None:
            return
        newest, before = self.history()[-1], held(self.entry)
        for main, sub in (
            (newest.revision, newest.sub),
            (newest.revision, max(newest.sub - 1, 0)),
            (newest.revision - 1, newest.sub + 1),
        ):
            for change in (self.entry.put, self.entry.tombstone):
                with pytest.raises(InvariantError):
                    change(main, sub)
        assert held(self.entry) == before

    @invariant()
    def every_reader_and_every_keep_is_right(self) -> None:
        if self.entry is None:
            assert not retained(self.history(), self.compacted)
            return
        self.entry._check()
        left = retained(self.history(), self.compacted)
        assert self.entry.revision_count == len(left)
        assert self.entry.generation_count == 1 + sum(c.is_deletion for c in left)
        for at in range(self.compacted, self.model.revision + 2):
            pair = self.model.pair(KEY, at)
            assert self.entry.get(at) == found(pair)
            keep = set[bytes]()
            self.entry.keep(at, keep)
            assert parsed(keep) == spared([pair] if pair else [])


class TreeIndexMachine(RuleBasedStateMachine):
    """Some keys; a compaction may take its steps between the writes."""

    def __init__(self) -> None:
        super().__init__()
        self.model = Model()
        self.index = TreeIndex()
        self.compacted = 0
        # The walk under way: its revision, where it goes on, what it spared.
        self.running: tuple[int, bytes, set[bytes]] | None = None

    @rule(transactions=HISTORY)
    def write(self, transactions: list[list[Put | DeleteRange]]) -> None:
        before = self.model.revision
        for changes in transactions:
            self.model.txn(Txn(success=tuple(changes)))
        for change in self.model.changes():
            if change.revision <= before:
                continue
            step = self.index.tombstone if change.is_deletion else self.index.put
            entry = step(change.key, change.revision, change.sub)
            assert entry is self.index.entry(change.key)
            if not change.is_deletion:
                created = change.create_revision
                assert (entry.created_main, entry.version) == (created, change.version)

    @rule(back=st.integers(0, 6), limit=st.integers(0, 3), steps=st.integers(1, 4))
    def compact(self, back: int, limit: int, steps: int) -> None:
        """Do some steps of the compaction under way, or of a new one."""
        if self.running is None:
            at = max(self.model.revision - back, self.compacted)
            self.running = (at, b"", set())
        while steps and self.running is not None:
            steps -= 1
            self.step_compaction(*self.running, limit)

    def step_compaction(
        self, at: int, position: bytes, keep: set[bytes], limit: int
    ) -> None:
        resume = self.index.compact(at, keep, position, limit)
        self.compacted = at
        if resume is not None:
            self.running = (at, resume, keep)
            return
        self.running = None
        assert parsed(keep) == spared(self.model.pairs(at))
        assert self.counts() == retained_counts(self.model, at)
        assert self.index.compacted_revision_count == self.index.revision_count

    @rule()
    def restart(self) -> None:
        """Build it anew from what is left, as a start does from the backend."""
        if self.running is not None:
            return
        self.index = TreeIndex()
        left = [
            change
            for history in self.model.histories.values()
            for change in retained(history, self.compacted)
        ]
        for change in sorted(left, key=lambda c: (c.revision, c.sub)):
            if change.is_deletion:
                self.index.tombstone(change.key, change.revision, change.sub)
                continue
            self.index.restore(
                change.key,
                change.revision,
                change.sub,
                created_main=change.create_revision,
                version=change.version,
            )

    def counts(self) -> RetainedCounts:
        index = self.index
        return RetainedCounts(
            key_count=index.live_count,
            index_key_count=len(index),
            generation_count=index.generation_count,
            index_revision_count=index.revision_count,
            key_bytes=index.key_bytes,
        )

    @invariant()
    def counts_are_those_of_the_rule(self) -> None:
        self.index._check()
        if self.running is None:
            assert self.counts() == retained_counts(self.model, self.compacted)

    @invariant()
    def every_reader_and_every_keep_is_right(self) -> None:
        for at in range(self.compacted, self.model.revision + 2):
            assert parsed(self.index.keep(at)) == spared(self.model.pairs(at))
            for key, end in RANGES:
                pairs = self.model.pairs(at, key, end)
                alive = list(self.index.alive(key, end, at))
                assert alive == [found(pair) for pair in pairs]
                entries = [e for e in self.index.walk(key, end) if e.get(at)]
                assert [e.key for e in entries] == [pair.key for pair in pairs]

    @invariant()
    def deletion_of_what_is_not_there_is_refused(self) -> None:
        now = self.model.revision
        for key in (b"a", b"b"):
            if self.model.pair(key, now) is None:
                with pytest.raises(InvariantError):
                    self.index.tombstone(key, now + 1, 0)


TestKeyIndex = KeyIndexMachine.TestCase
TestKeyIndex.settings = effort(60, 20)
TestTreeIndex = TreeIndexMachine.TestCase
TestTreeIndex.settings = effort(60, 10)
