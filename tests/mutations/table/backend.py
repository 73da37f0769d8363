"""backend: when it commits, what a commit takes along, reads, sizes and counts."""

from functools import partial

from tests.mutations.mutation import Mutation

_UNIT = "tests/unit/backend/"

_backend = partial(
    Mutation,
    file="miniet/backend/backend.py",
    tests=(_UNIT + "test_backend.py", _UNIT + "test_defragment.py"),
)
_read_tx = partial(
    Mutation, file="miniet/backend/read_tx.py", tests=(_UNIT + "test_backend.py",)
)

MUTATIONS = (
    _backend(
        name="backend/batch-limit",
        breaks="a batch takes one operation more than its limit",
        old="operation_count >= self._batch_limit",
        new="operation_count > self._batch_limit",
    ),
    _backend(
        name="backend/batch-interval",
        breaks="every step commits, whatever the interval",
        old="self._commit_due_s = now_s + self._batch_interval_s",
        new="self._commit_due_s = now_s",
    ),
    _backend(
        name="backend/commit-hook",
        breaks="a commit does not take along the consistent index",
        old="        if self.before_commit is not None:\n"
        "            self.before_commit()\n",
        new="",
    ),
    _backend(
        name="backend/close-gives-up",
        breaks="an orderly end loses what is not committed",
        old="            if commit and self._failure is None:\n",
        new="            if not commit and self._failure is None:\n",
    ),
    _backend(
        name="backend/defragment-gives-up",
        breaks="a defragmentation loses what is not committed",
        old='cannot be defragmented")\n        self.commit()\n',
        new='cannot be defragmented")\n',
    ),
    _backend(
        name="backend/defragment-under-reader",
        breaks="a defragmentation takes the map away under a reader",
        old='        self._require_no_read_tx("the store cannot be defragmented")\n',
        new="",
    ),
    _backend(
        name="backend/count-last-commit",
        breaks="the bytes of the last commit are all bytes ever put",
        old="self._last_commit_bytes = self._batch_tx.put_bytes",
        new="self._last_commit_bytes += self._batch_tx.put_bytes",
    ),
    _backend(
        name="backend/count-in-use",
        breaks="pages of large values do not count as in use",
        old=' + stat["overflow_pages"]',
        new="",
    ),
    _backend(
        name="backend/map-size",
        breaks="the map is full before the quota is",
        old="return 2 * max(self._quota_bytes, file_bytes) + self._map_spare_bytes",
        new="return max(self._quota_bytes, file_bytes)",
    ),
    _read_tx(
        name="backend/snapshot-not-released",
        breaks="a closed read still counts as open, and blocks defragmentation",
        old="        self._on_close(self)\n",
        new="",
    ),
    _read_tx(
        name="backend/range-end-inclusive",
        breaks="a walk takes the pair at its end along",
        old="                if end is not None and bytes(pair[0]) >= end:\n",
        new="                if end is not None and bytes(pair[0]) > end:\n",
    ),
    _read_tx(
        name="backend/count-read",
        breaks="bytes read by a walk are not counted",
        old="                self.read_bytes += len(pair[1])\n",
        new="",
    ),
)
