"""Any sequence of calls against dictionaries."""

import tempfile
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from miniet.backend import Backend, BoltSnapshot, ReadTx
from miniet.backend.read_tx import Reader
from miniet.backend.schema import AUTH_USERS, BUCKETS, KEY, META
from tests.support.bolt_reader import BoltFile

Contents = dict[bytes, dict[bytes, bytes]]

buckets = st.sampled_from([KEY, META, AUTH_USERS])
keys = st.binary(min_size=1, max_size=2) | st.sampled_from([b"k" * 300, b"k" * 511])
values = st.binary(max_size=5) | st.sampled_from([b"v" * 1000, b"v" * 20_000])


def copy_of(contents: Contents) -> Contents:
    return {bucket: dict(pairs) for bucket, pairs in contents.items()}


def read(reader: Reader) -> Contents:
    return {
        bucket: {bytes(key): bytes(value) for key, value in reader.range(bucket, b"")}
        for bucket in BUCKETS
    }


class BackendMachine(RuleBasedStateMachine):
    """`written` is what the batch transaction must show, `committed` what a crash
    would leave, `pinned` what the open read transaction must show."""

    def __init__(self) -> None:
        super().__init__()
        self.directory = tempfile.TemporaryDirectory()
        path = Path(self.directory.name) / "db"
        self.backend = Backend(path, quota_bytes=0, durable=False)
        self.backend.open()
        self.written: Contents = {bucket: {} for bucket in BUCKETS}
        self.committed = copy_of(self.written)
        self.operation_count = 0
        self.put_bytes = 0
        self.last_commit = (0, 0)
        self.read_bytes = 0
        self.read_tx: ReadTx | None = None
        self.pinned = copy_of(self.written)

    def teardown(self) -> None:
        if self.read_tx is not None:
            self.read_tx.close()
        self.backend.close()
        self.directory.cleanup()

    def mark_committed(self) -> None:
        self.committed = copy_of(self.written)
        if self.operation_count:
            self.last_commit = (self.operation_count, self.put_bytes)
        self.operation_count = self.put_bytes = 0

    def mark_opened(self) -> None:
        """What was uncommitted is gone, and counting of reads begins anew."""
        self.operation_count = self.put_bytes = self.read_bytes = 0

    @rule(bucket=buckets, key=keys, value=values)
    def put(self, bucket: bytes, key: bytes, value: bytes) -> None:
        self.backend.batch_tx.put(bucket, key, value)
        self.written[bucket][key] = value
        self.operation_count += 1
        self.put_bytes += len(key) + len(value)

    @rule(bucket=buckets, count=st.integers(1, 40), value=values)
    def append(self, bucket: bytes, count: int, value: bytes) -> None:
        pairs = self.written[bucket]
        for _ in range(count):
            last = max(pairs, default=b"\x00")
            key = last + b"\x01" if len(last) < 20 else b"\xff\xff" + last[:3] + b"\xff"
            if key <= last:
                return
            self.backend.batch_tx.append(bucket, key, value)
            pairs[key] = value
            self.operation_count += 1
            self.put_bytes += len(key) + len(value)

    @rule(bucket=buckets, data=st.data())
    def delete(self, bucket: bytes, data: st.DataObject) -> None:
        present = sorted(self.written[bucket])
        key = data.draw(st.sampled_from(present) if present else keys)
        self.backend.batch_tx.delete(bucket, key)
        self.written[bucket].pop(key, None)
        self.operation_count += 1

    @rule(bucket=buckets)
    def delete_all(self, bucket: bytes) -> None:
        for key in self.written[bucket]:
            self.backend.batch_tx.delete(bucket, key)
            self.operation_count += 1
        self.written[bucket].clear()

    @rule(
        bucket=buckets,
        start=st.just(b"") | keys,
        end=st.none() | keys,
        limit=st.integers(0, 5),
    )
    def walk(self, bucket: bytes, start: bytes, end: bytes | None, limit: int) -> None:
        pairs = sorted(self.written[bucket].items())
        wanted = [
            pair
            for pair in pairs
            if start <= pair[0] and (end is None or pair[0] < end)
        ]
        found = [
            (bytes(key), bytes(value))
            for key, value in self.backend.batch_tx.range(bucket, start, end, limit)
        ]
        wanted = wanted[:limit] if limit else wanted
        assert found == wanted
        self.read_bytes += sum(len(value) for _, value in wanted)
        keys = map(bytes, self.backend.batch_tx.keys(bucket, start, end, limit))
        assert list(keys) == [key for key, _ in wanted]

    @rule(bucket=buckets, key=keys)
    def get(self, bucket: bytes, key: bytes) -> None:
        value = self.written[bucket].get(key)
        assert self.backend.batch_tx.get(bucket, key) == value
        self.read_bytes += len(value or b"")

    @rule(bucket=buckets, wanted=st.lists(keys, max_size=5), known=st.booleans())
    def get_all(self, bucket: bytes, wanted: list[bytes], *, known: bool) -> None:
        written = self.written[bucket]
        if known:
            wanted = [key for key in wanted if key in written]
        missing = [key for key in wanted if key not in written]
        if missing:
            with pytest.raises(KeyError) as raised:
                self.backend.batch_tx.get_all(bucket, wanted)
            assert raised.value.args == (missing[0],)
            return
        values = [written[key] for key in wanted]
        assert self.backend.batch_tx.get_all(bucket, wanted) == values
        self.read_bytes += sum(map(len, values))

    @rule()
    def commit(self) -> None:
        self.backend.commit()
        self.mark_committed()

    @precondition(lambda self: self.read_tx is None)
    @rule()
    def open_read_tx(self) -> None:
        self.read_tx = self.backend.read_tx()
        self.pinned = copy_of(self.committed)

    @precondition(lambda self: self.read_tx is not None)
    @rule(snapshot=st.booleans())
    def close_read_tx(self, snapshot: bool) -> None:
        assert self.read_tx is not None
        assert read(self.read_tx) == self.pinned
        if snapshot:
            file = BoltFile(b"".join(BoltSnapshot(self.read_tx)))
            assert {b: dict(pairs) for b, pairs in file.buckets.items()} == self.pinned
        self.read_tx.close()
        self.read_tx = None

    @precondition(lambda self: self.read_tx is None)
    @rule()
    def reopen(self) -> None:
        self.backend.close()
        self.mark_committed()
        self.backend.open()
        self.mark_opened()

    @precondition(lambda self: self.read_tx is None)
    @rule()
    def lose_what_is_uncommitted(self) -> None:
        self.backend._release()
        self.backend.open()
        self.written = copy_of(self.committed)
        self.mark_opened()

    @precondition(lambda self: self.read_tx is None)
    @rule()
    def defragment(self) -> None:
        self.backend.defragment()
        self.mark_committed()
        self.mark_opened()
        statistics = self.backend.statistics()
        assert statistics.opened_size_bytes == statistics.size_bytes
        # The copy's own transactions free a few pages of its root.
        free_bytes = statistics.size_bytes - statistics.size_in_use_bytes
        assert free_bytes <= 16 * statistics.page_size_bytes

    @precondition(lambda self: self.read_tx is None)
    @rule()
    def reset(self) -> None:
        self.backend.reset()
        self.written = {bucket: {} for bucket in BUCKETS}
        self.committed = copy_of(self.written)
        self.mark_opened()

    @precondition(lambda self: self.read_tx is None)
    @rule()
    def forget_reads(self) -> None:
        self.backend.forget_reads()
        self.read_bytes = 0

    @invariant()
    def counts_and_pages_are_right(self) -> None:
        self.backend._check()
        statistics = self.backend.statistics()
        assert statistics.uncommitted_operation_count == self.operation_count
        assert statistics.uncommitted_bytes == self.put_bytes
        assert self.last_commit == (
            statistics.last_commit_operation_count,
            statistics.last_commit_bytes,
        )
        assert statistics.read_bytes_total == self.read_bytes
        assert statistics.open_read_tx_count == (self.read_tx is not None)

    @invariant()
    def batch_tx_shows_what_was_written(self) -> None:
        assert read(self.backend.batch_tx) == self.written
        for pairs in self.written.values():
            self.read_bytes += sum(map(len, pairs.values()))


TestBackendMachine = BackendMachine.TestCase
TestBackendMachine.settings = settings(
    max_examples=40, stateful_step_count=30, deadline=None
)
