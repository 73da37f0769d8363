"""engine: the consistent index, txns, space, alarms, read points, log and leases."""

from functools import partial

from tests.mutations.mutation import Mutation

_UNIT = "tests/unit/engine/"

_engine = partial(
    Mutation,
    file="miniet/engine/engine.py",
    tests=(
        _UNIT + "test_leadership.py",
        _UNIT + "test_failures.py",
        _UNIT + "test_restart.py",
        _UNIT + "test_engine.py",
    ),
)
_index = partial(
    Mutation,
    file="miniet/engine/consistent_index.py",
    tests=(_UNIT + "test_consistent_index.py", _UNIT + "test_restart.py"),
)
_txn = partial(
    Mutation,
    file="miniet/engine/txn.py",
    tests=(_UNIT + "test_txn.py", _UNIT + "test_apply.py"),
)
_quota = partial(
    Mutation,
    file="miniet/engine/quota.py",
    tests=(_UNIT + "test_quota.py", _UNIT + "test_space.py"),
)
_apply = partial(
    Mutation,
    file="miniet/engine/apply.py",
    tests=(_UNIT + "test_apply.py", _UNIT + "test_space.py"),
)
_proposals = partial(
    Mutation, file="miniet/engine/proposals.py", tests=(_UNIT + "test_proposals.py",)
)
_alarms = partial(
    Mutation, file="miniet/engine/alarms.py", tests=(_UNIT + "test_alarms.py",)
)
_reads = partial(
    Mutation,
    file="miniet/engine/read_points.py",
    tests=(_UNIT + "test_read_points.py",),
)
_log = partial(
    Mutation, file="miniet/engine/log_snapshots.py", tests=(_UNIT + "test_snapshot.py",)
)
_compactor = partial(
    Mutation, file="miniet/engine/compactor.py", tests=(_UNIT + "test_compactor.py",)
)
_validation = partial(
    Mutation, file="miniet/engine/validation.py", tests=(_UNIT + "test_validation.py",)
)

MUTATIONS = (
    _engine(
        name="engine/index-late",
        breaks="the consistent index lags an entry behind what is saved",
        old="            self._consistent_index.value = entry.index\n",
        new="            self._consistent_index.value = entry.index - 1\n",
    ),
    _engine(
        name="engine/entry-twice",
        breaks="the last saved entry is applied again at a start",
        old="is_new = entry.index > self._replayed_index",
        new="is_new = entry.index >= self._replayed_index",
    ),
    _engine(
        name="engine/commit-after-failure",
        breaks="an entry applied in part is committed",
        old="                self._consistent_index.forbid_commits()\n",
        new="",
    ),
    _engine(
        name="engine/snapshot-before-commit",
        breaks="a raft snapshot is newer than the backend",
        old="        self._consistent_index.save()\n        self.backend.commit()\n",
        new="        self._consistent_index.save()\n",
    ),
    _engine(
        name="engine/leases-after-keys",
        breaks="a start restores keys before their leases",
        old="        self.lessor.restore()\n        self.store.restore()\n",
        new="        self.store.restore()\n        self.lessor.restore()\n",
    ),
    _engine(
        name="engine/promote-without-extension",
        breaks="leases get no time for the election",
        old="self.lessor.promote(self.config.election_timeout_s)",
        new="self.lessor.promote(0)",
    ),
    _index(
        name="engine/index-not-saved",
        breaks="a commit does not save the consistent index",
        old="        backend.before_commit = self.save\n",
        new="        backend.before_commit = None\n",
    ),
    _index(
        name="engine/index-saved-once",
        breaks="only the first commit saves the consistent index",
        old="        if self.value != self._saved:\n",
        new="        if self.value and not self._saved:\n",
    ),
    _index(
        name="engine/log-too-short",
        breaks="a log that ends before the backend does is accepted",
        old="        if snapshot_index <= self.value <= last_index:\n",
        new="        if snapshot_index <= self.value:\n",
    ),
    _txn(
        name="engine/compare-greater",
        breaks="equal counts as greater",
        old="CompareResult.GREATER: operator.gt",
        new="CompareResult.GREATER: operator.ge",
    ),
    _txn(
        name="engine/compare-range",
        breaks="one matching key of a range is enough",
        old="return all(map(compares, actuals",
        new="return any(map(compares, actuals",
    ),
    _txn(
        name="engine/compare-missing-value",
        breaks="a key that does not exist has an empty value",
        old="return [pair.value for pair in pairs]",
        new='return [pair.value for pair in pairs] or [b""]',
    ),
    _txn(
        name="engine/txn-writes-unchecked-put",
        breaks="a txn writes before a later put of it is refused",
        old="    _check_puts(view, branch, lessor, deleted_from=[])\n",
        new="",
    ),
    _txn(
        name="engine/txn-writes-unchecked-range",
        breaks="a txn writes before a later range of it is refused",
        old="    _check_ranges(view, branch)\n    if",
        new="    if",
    ),
    _txn(
        name="engine/txn-answer-is-views",
        breaks="pairs of an answer are read after a later write of the txn",
        old="txn.range(operation).own()",
        new="txn.range(operation)",
    ),
    _txn(
        name="engine/txn-revision",
        breaks="a txn answers with the revision before it",
        old="    result.revision = store.current_revision\n",
        new="",
    ),
    _txn(
        name="engine/ignore-value",
        breaks="a put that keeps the value empties it",
        old="value = previous.value if request.ignore_value else value",
        new="value = value",
    ),
    _txn(
        name="engine/delete-prev-kv",
        breaks="previous pairs are read after they are deleted",
        old="    return DeleteRangeResult(revision, deleted, prev_kvs)",
        new="    prev_kvs = prev_kvs and txn.range(query).kvs\n"
        "    return DeleteRangeResult(revision, deleted, prev_kvs)",
    ),
    _quota(
        name="engine/quota-boundary",
        breaks="a write that reaches the quota exactly passes",
        old="size_bytes + cost_bytes < self.quota_bytes",
        new="size_bytes + cost_bytes <= self.quota_bytes",
    ),
    _quota(
        name="engine/quota-cheaper-branch",
        breaks="a txn costs what its cheaper branch does",
        old="return max(_puts_cost_bytes(",
        new="return min(_puts_cost_bytes(",
    ),
    _proposals(
        name="engine/entry-of-another",
        breaks="an entry in the place of an own one is applied as that",
        old=" and own.data == entry.data:\n",
        new=":\n",
    ),
    _apply(
        name="engine/alarm-ignored",
        breaks="writes pass while the alarm of no space is up",
        old="        if cost_bytes and self.alarms.is_up(_NOSPACE):\n",
        new="        if cost_bytes < 0 and self.alarms.is_up(_NOSPACE):\n",
    ),
    _apply(
        name="engine/alarm-not-raised",
        breaks="the write that exceeds the quota raises no alarm",
        old="        if not fits:\n",
        new="        if fits is None:\n",
    ),
    _apply(
        name="engine/lease-unchecked",
        breaks="a put with an unknown lease fails half-way",
        old="        if request.lease and self.lessor.lookup(request.lease) is None:\n",
        new="        if request.lease < 0:\n",
    ),
    _alarms(
        name="engine/alarm-forgotten",
        breaks="an alarm is gone after a start",
        old="                self._backend.batch_tx.put(ALARM_BUCKET, _encode(alarm), "
        'b"")\n',
        new="",
    ),
    _reads(
        name="engine/read-too-early",
        breaks="a read is answered one entry before its read point",
        old="self._confirmed.append((read_state.index, readers))",
        new="self._confirmed.append((read_state.index - 1, readers))",
    ),
    _reads(
        name="engine/read-lost",
        breaks="a read whose point is not reached yet is never answered",
        old="            if index > applied_index\n",
        new="            if index > applied_index + 1\n",
    ),
    _log(
        name="engine/log-without-catch-up",
        breaks="a snapshot drops the entries kept to catch up with",
        old="max(snapshot.index - self._config.catchup_entries, 1)",
        new="max(snapshot.index, 1)",
    ),
    _log(
        name="engine/log-never-cut",
        breaks="no snapshot ever cuts the log",
        old="        if keep_from >= self._storage.first_index():\n",
        new="        if keep_from < self._storage.first_index():\n",
    ),
    _log(
        name="engine/snapshot-count",
        breaks="a snapshot is taken an entry too early",
        old="return applied_index - self.disk_index > self._config.snapshot_count",
        new="return applied_index - self.disk_index >= self._config.snapshot_count",
    ),
    _compactor(
        name="engine/compact-newest",
        breaks="periodic compaction takes what is to be kept for the period",
        old="        return self._revisions[0]\n",
        new="        return self._revisions[-1]\n",
    ),
    _compactor(
        name="engine/compact-retention",
        breaks="compaction by revision keeps one less than it should",
        old="target = current_revision - self._retention\n",
        new="target = current_revision - self._retention + 1\n",
    ),
    _compactor(
        name="engine/compact-follower",
        breaks="a member that does not lead proposes compactions",
        old="if not is_leader or now_s - self._last_s < self._wait_s:",
        new="if now_s - self._last_s < self._wait_s:",
    ),
    _validation(
        name="engine/put-twice",
        breaks="a txn may put a key twice",
        old="            if operation.key in puts or operation.key in deletes:\n",
        new="            if operation.key in deletes:\n",
    ),
    _validation(
        name="engine/put-in-deleted-range",
        breaks="a txn may put a key that it also deletes",
        old="        return position >= 0 and key < self._ends[position]",
        new="        return position > 0 and key < self._ends[position]",
    ),
    Mutation(
        name="engine/renewal-answered-early",
        breaks="a renewal that came too late is answered before the keys are gone",
        file="miniet/engine/renewals.py",
        old="            self._waiting.setdefault(lease_id, []).append(answer)\n",
        new="            answer(0)\n",
        tests=(_UNIT + "test_renewals.py",),
    ),
    Mutation(
        name="engine/expiry-stops",
        breaks="after the first revokes no further lease is ended",
        file="miniet/engine/lease_expiry.py",
        old="            self._propose()\n        else:",
        new="            pass\n        else:",
        tests=(_UNIT + "test_lease_expiry.py",),
    ),
    Mutation(
        name="engine/timeout-answered-twice",
        breaks="a request that timed out is answered again when it is applied",
        file="miniet/engine/waiters.py",
        old="        return self._answers.pop(request_id, ignore)",
        new="        return self._answers.get(request_id, ignore)",
        tests=(_UNIT + "test_waiters.py",),
    ),
)
