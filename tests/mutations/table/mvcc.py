"""mvcc: compaction's rule, revisions, generations, ranges, the hash, the counts."""

from functools import partial

from tests.mutations.mutation import Mutation

_UNIT = "tests/unit/mvcc/"

_key_index = partial(
    Mutation,
    file="miniet/mvcc/key_index.py",
    tests=(_UNIT + "test_key_index.py", _UNIT + "test_compaction.py"),
)
_tree_index = partial(
    Mutation,
    file="miniet/mvcc/tree_index.py",
    tests=(_UNIT + "test_tree_index.py", _UNIT + "test_compaction.py"),
)
_compaction = partial(
    Mutation,
    file="miniet/mvcc/compaction.py",
    tests=(_UNIT + "test_compaction.py",),
)
_store = partial(
    Mutation,
    file="miniet/mvcc/store.py",
    tests=(
        _UNIT + "test_store.py",
        _UNIT + "test_compaction.py",
        _UNIT + "test_restore.py",
        _UNIT + "test_hash.py",
    ),
)
_revision = partial(
    Mutation, file="miniet/mvcc/revision.py", tests=(_UNIT + "test_revision.py",)
)
_txn = partial(
    Mutation,
    file="miniet/mvcc/txn.py",
    tests=(_UNIT + "test_txn.py", _UNIT + "test_store.py"),
)
_range = partial(
    Mutation, file="miniet/mvcc/range_query.py", tests=(_UNIT + "test_range_query.py",)
)
_hash = partial(Mutation, file="miniet/mvcc/hash.py", tests=(_UNIT + "test_hash.py",))
_restore = partial(
    Mutation, file="miniet/mvcc/restore.py", tests=(_UNIT + "test_restore.py",)
)

MUTATIONS = (
    _key_index(
        name="mvcc/compact-spares-tombstone",
        breaks="a deletion at the compaction revision itself stays",
        old="while closed and _unpack_from(closed[0].revisions, NEWEST)[0] <= at:",
        new="while closed and _unpack_from(closed[0].revisions, NEWEST)[0] < at:",
    ),
    _key_index(
        name="mvcc/compact-takes-what-is-read",
        breaks="the revision that a read at the point needs is dropped",
        old="count = _count_up_to(revisions, at) - 1",
        new="count = min(_count_up_to(revisions, at), len(revisions) // 16 - 1)",
    ),
    _key_index(
        name="mvcc/compact-boundary-put",
        breaks="a put at the compaction revision itself is not kept",
        old="if revisions and _unpack_from(revisions)[0] <= at:",
        new="if revisions and _unpack_from(revisions)[0] < at:",
    ),
    _key_index(
        name="mvcc/compact-forgets-keep",
        breaks="a surviving revision is not named, so its record is deleted",
        old="            keep.add(bytes(revisions[:REVISION_BYTES]))",
        new="            pass",
    ),
    _key_index(
        name="mvcc/version-forgets-compacted",
        breaks="compaction makes the version of a key smaller",
        old="return self.version - len(self.revisions) // REVISION_BYTES",
        new="return 0",
    ),
    _key_index(
        name="mvcc/version-over-lives",
        breaks="the version goes on counting after a deletion",
        old="        self.created_main = self.version = 0\n",
        new="        self.created_main = 0\n",
    ),
    _key_index(
        name="mvcc/generation-not-created",
        breaks="a key put again after its deletion has no creation revision",
        old="            self.created_main = main\n",
        new="            pass\n",
    ),
    _key_index(
        name="mvcc/generation-not-closed",
        breaks="a second deletion forgets the life before",
        old="            self.closed.append(ended)",
        new="            self.closed = [ended]",
    ),
    _key_index(
        name="mvcc/get-at-deletion",
        breaks="a key is still seen at the revision of its deletion",
        old="if is_closed and _unpack_from(revisions, NEWEST)[0] <= at:",
        new="if is_closed and _unpack_from(revisions, NEWEST)[0] < at:",
    ),
    _key_index(
        name="mvcc/get-older",
        breaks="a read in the past misses the change of its own revision",
        old="bisect_left(offsets, (at + 1,), key=",
        new="bisect_left(offsets, (at,), key=",
    ),
    _key_index(
        name="mvcc/long-history-copied",
        breaks="a put copies the history of its key, however long it is",
        old="            if isinstance(revisions, bytes):\n",
        new="            if False:\n",
    ),
    _tree_index(
        name="mvcc/lone-tombstone-stays",
        breaks="a key of which nothing is left stays in the tree",
        old="                if entry.is_empty:\n",
        new="                if entry.is_empty and entry.created_main:\n",
    ),
    _tree_index(
        name="mvcc/range-end-inclusive",
        breaks="a range holds the key at its end",
        old="inclusive=(True, False)",
        new="inclusive=(True, True)",
    ),
    _tree_index(
        name="mvcc/compact-step-skips-key",
        breaks="the key at the border of two steps is not compacted",
        old="limit + 1 if limit else None))\n        resume = keys.pop()",
        new="limit + 1 if limit else None))\n        resume = keys.pop() + b'\\0'",
    ),
    _tree_index(
        name="mvcc/count-revisions",
        breaks="the count of revisions forgets what compaction took",
        old="self.revision_count -= revisions",
        new="self.revision_count -= generations",
    ),
    _tree_index(
        name="mvcc/count-key-bytes",
        breaks="the bytes of keys that left are still counted",
        old="                    self.key_bytes -= len(key)\n",
        new="",
    ),
    _tree_index(
        name="mvcc/count-live-keys",
        breaks="a deleted key that is put again is not counted as live",
        old="            if not entry.revisions:\n"
        "                self.live_count += 1\n",
        new="",
    ),
    _compaction(
        name="mvcc/compact-records-end",
        breaks="records of the compaction revision itself are not visited",
        old="end = revision_key(self.revision + 1, 0)",
        new="end = revision_key(self.revision, 0)",
    ),
    _compaction(
        name="mvcc/compact-records-resume",
        breaks="a batch that ends inside a revision leaves the rest of it",
        old="self._start = revision_key(main, sub + 1)",
        new="self._start = revision_key(main + 1, 0)",
    ),
    _compaction(
        name="mvcc/compact-count-deleted",
        breaks="deleted records are not counted",
        old="self.deleted_count += len(doomed)",
        new="self.deleted_count = len(doomed)",
    ),
    _store(
        name="mvcc/compact-twice",
        breaks="the same revision can be compacted again",
        old="if revision <= self.compact_revision:\n            raise CompactedError("
        "revision, self.compact_revision)\n        if revision > self.current",
        new="if revision < self.compact_revision:\n            raise CompactedError("
        "revision, self.compact_revision)\n        if revision > self.current",
    ),
    _store(
        name="mvcc/compact-mark-uncommitted",
        breaks="an accepted compaction is forgotten by a crash",
        old="        write_mark(self.batch_tx, SCHEDULED_KEY, revision)\n"
        "        self.backend.commit()\n",
        new="        write_mark(self.batch_tx, SCHEDULED_KEY, revision)\n",
    ),
    _store(
        name="mvcc/compact-never-finished",
        breaks="a finished compaction runs again at the next start",
        old="            write_mark(self.batch_tx, FINISHED_KEY, job.revision)\n",
        new="",
    ),
    _store(
        name="mvcc/revision-goes-back",
        breaks="a start after a compaction gives revisions a second time",
        old="max(restored.last_revision, finished, scheduled)",
        new="restored.last_revision",
    ),
    _store(
        name="mvcc/compaction-not-resumed",
        breaks="a compaction that a crash interrupted is not taken up",
        old="        if scheduled > finished:\n",
        new="        if scheduled < finished:\n",
    ),
    _store(
        name="mvcc/hash-at-compact-revision",
        breaks="the hash of a compacted revision is answered",
        old="if 0 < revision <= self.compact_revision:",
        new="if 0 < revision < self.compact_revision:",
    ),
    _store(
        name="mvcc/revision-without-change",
        breaks="a transaction that changed nothing makes a revision",
        old="        if changes:\n            self.current_revision += 1",
        new="        if changes is not None:\n            self.current_revision += 1",
    ),
    _revision(
        name="mvcc/tombstone-mark",
        breaks="a deletion is stored under the key of a put",
        old="return _pack(main, _SEPARATOR, sub) + _TOMBSTONE_MARK",
        new="return _pack(main, _SEPARATOR, sub)",
    ),
    _revision(
        name="mvcc/tombstone-mark-unread",
        breaks="any 18th byte passes for the mark of a deletion",
        old="size == _TOMBSTONE_KEY_BYTES and key[17:] == _TOMBSTONE_MARK",
        new="size == _TOMBSTONE_KEY_BYTES",
    ),
    _txn(
        name="mvcc/sub-revision-of-put",
        breaks="puts of one transaction count their subs from 1",
        old="        sub = len(changes)\n",
        new="        sub = len(changes) + 1\n",
    ),
    _txn(
        name="mvcc/sub-revision-of-delete",
        breaks="deletions of one transaction count their subs from 1",
        old="        sub = len(self.changes)\n",
        new="        sub = len(self.changes) + 1\n",
    ),
    _txn(
        name="mvcc/delete-order",
        breaks="a range is deleted from its end to its begin",
        old="        for each in keys:\n",
        new="        for each in reversed(keys):\n",
    ),
    _txn(
        name="mvcc/lease-kept-on-delete",
        breaks="a deleted key stays with its lease",
        old="        if held_by:\n            store.lessor.detach(held_by, key)\n",
        new="",
    ),
    _txn(
        name="mvcc/lease-kept-on-put",
        breaks="a key put without a lease stays with the old one",
        old="                store.lessor.detach(held_by, key)\n"
        "        self._is_dirty = True",
        new="                pass\n        self._is_dirty = True",
    ),
    _txn(
        name="mvcc/txn-sees-old-revision",
        breaks="a range does not see what its transaction wrote before",
        old="return self.revision + 1 if self.changes else self.revision",
        new="return self.revision",
    ),
    _txn(
        name="mvcc/count-txn",
        breaks="a transaction of one operation is counted as a txn",
        old="if self._operation_count == 2:",
        new="if self._operation_count == 1:",
    ),
    _range(
        name="mvcc/range-limit",
        breaks="one pair more than the limit is answered",
        old="del keys[query.limit :]",
        new="del keys[query.limit + 1 :]",
    ),
    _range(
        name="mvcc/range-more",
        breaks="`more` is said of an answer that is complete",
        old="more = 0 < query.limit < surviving",
        new="more = 0 < query.limit <= surviving",
    ),
    Mutation(
        name="mvcc/range-sees-the-newest",
        file="miniet/mvcc/tree_index.py",
        breaks="a range of an older revision gets the newest put of a key",
        old="            if not size or (has_newer and newest >= after):",
        new="            if not size:",
        tests=(_UNIT + "test_range_query.py",),
    ),
    _tree_index(
        name="mvcc/range-count",
        breaks="the count stops at the limit",
        old="        return keys, count\n",
        new="        return keys, len(keys)\n",
        tests=(_UNIT + "test_range_query.py",),
    ),
    _range(
        name="mvcc/range-count-by-numbers",
        breaks="the count of a range sorted by version stops at the limit",
        old="count = surviving = len(matches) + sum(1 for _ in alive)",
        new="count = surviving = len(matches)",
    ),
    _range(
        name="mvcc/range-count-of-filter",
        breaks="the count leaves out what a filter does",
        old="return RangeResult(kvs, count, more, current_revision)",
        new="return RangeResult(kvs, surviving, more, current_revision)",
    ),
    _range(
        name="mvcc/range-lost-revision",
        breaks="a pair that the backend has lost is silently left out",
        old="        raise InvariantError(text) from error\n",
        new="        return []\n",
    ),
    _range(
        name="mvcc/read-at-compact-revision",
        breaks="the compact revision itself cannot be read",
        old="if at < compact_revision:",
        new="if at <= compact_revision:",
    ),
    _range(
        name="mvcc/read-the-future",
        breaks="the next revision can be read before it is there",
        old="if at > current_revision:",
        new="if at > current_revision + 1:",
    ),
    _range(
        name="mvcc/range-sort-cut",
        breaks="the limit cuts before the sort",
        old="query.limit > 0 and not query.sort_order and not query.has_filter",
        new="query.limit > 0 and not query.has_filter",
    ),
    _hash(
        name="mvcc/hash-counts-doomed",
        breaks="the hash moves while a compaction deletes records",
        old="            if not keep or key in keep:\n",
        new="            if True:\n",
    ),
    _hash(
        name="mvcc/hash-empty-keep",
        breaks="where no key is alive the hash leaves records out",
        old="if not keep or key in keep:",
        new="if key in keep:",
    ),
    _hash(
        name="mvcc/hash-sieve-end",
        breaks="records of the compact revision are all hashed",
        old="revision_key(self.compact_revision + 1, 0))",
        new="revision_key(self.compact_revision, 0))",
    ),
    _restore(
        name="mvcc/restore-old-lease",
        breaks="a start gives a key back to a lease that it had left",
        old="    if pair.lease:\n        leases[key] = pair.lease\n"
        "    else:\n        leases.pop(key, None)\n",
        new="    if pair.lease:\n        leases[key] = pair.lease\n",
    ),
    _restore(
        name="mvcc/restore-order-unchecked",
        breaks="records out of order are taken in",
        old="            if key <= last:\n",
        new="            if key < b'':\n",
    ),
)
