"""The highest applied index, saved in the same commit as what was applied.

This is what makes replay exact: after a crash the backend holds the effects of
precisely the entries up to its consistent index, so those are skipped and the
rest is applied again.
"""

from typing import Final

from miniet.engine.ports import EngineBackend
from miniet.errors import DataError, InvariantError
from miniet.mvcc.ports import META_BUCKET

CONSISTENT_INDEX_KEY: Final = b"consistent_index"


class ConsistentIndex:
    """Tracks the applied index and writes it before every backend commit."""

    def __init__(self, backend: EngineBackend) -> None:
        self._backend = backend
        self.value = 0
        self._saved = 0
        backend.before_commit = self.save

    def restore(self) -> None:
        """Read the index that the backend's state stands for.

        Raises:
            DataError: it is not eight bytes long.
        """
        stored = self._backend.batch_tx.get(META_BUCKET, CONSISTENT_INDEX_KEY)
        if stored is not None and len(stored) != 8:
            raise DataError(f"consistent index of {len(stored)} bytes in the backend")
        self.value = 0 if stored is None else int.from_bytes(stored, "big")
        self._saved = self.value

    def check_log(self, snapshot_index: int, last_index: int) -> None:
        """Refuse a log that does not go with the backend.

        Args:
            snapshot_index: where the log begins.
            last_index: where it ends.
        Raises:
            DataError: entries between the two are missing.
        """
        if snapshot_index <= self.value <= last_index:
            return
        if self.value < snapshot_index:
            reason = f"before the raft snapshot at {snapshot_index}"
        else:
            # New entries would take the indexes of the lost ones and be skipped.
            reason = f"beyond the end of the log at {last_index}"
        raise DataError(
            f"the backend ends at index {self.value}, {reason}",
            remedy="restore the data directory from one backup as a whole",
        )

    def reset(self) -> None:
        """Start again at nothing applied."""
        self.value = self._saved = 0

    def forbid_commits(self) -> None:
        """Let no commit happen any more: an entry was applied in part.

        What is pending must not become durable; the next start has the whole entry
        from the log.
        """
        self._backend.before_commit = _refuse_commit

    def save(self) -> None:
        """Write the index; part of every commit, which does this by itself.

        Only where nothing else was written a commit has to be given a reason.
        """
        if self.value != self._saved:
            self._backend.batch_tx.put(
                META_BUCKET, CONSISTENT_INDEX_KEY, self.value.to_bytes(8, "big")
            )
            self._saved = self.value


def _refuse_commit() -> None:
    raise InvariantError("an entry was applied in part; nothing may be committed")
