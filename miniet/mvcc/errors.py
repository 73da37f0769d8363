"""What the store refuses, and what it finds broken."""

from miniet.errors import DataError, InvariantError, RequestError


class CompactedError(RequestError):
    """The revision asked for is gone.

    Ask again at `compact_revision` or later (for a new compaction: later only).
    """

    def __init__(self, revision: int, compact_revision: int) -> None:
        super().__init__(
            f"revision {revision} is compacted, the oldest left is {compact_revision}"
        )
        self.revision = revision
        self.compact_revision = compact_revision


class FutureRevisionError(RequestError):
    """The revision asked for does not exist yet.

    Ask again once the store has come so far, or without a revision.
    """

    def __init__(self, revision: int, current_revision: int) -> None:
        super().__init__(
            f"revision {revision} is in the future, current is {current_revision}"
        )
        self.revision = revision
        self.current_revision = current_revision


class StoreDamagedError(DataError):
    """A record of the page store is not one that this store writes.

    The store stays empty. Start from a snapshot, or from another member's data.
    """

    def __init__(self, message: str, record_key: bytes) -> None:
        super().__init__(
            f"record {record_key.hex()}: {message}",
            remedy="restore a snapshot or remove the member and add it again",
        )
        self.record_key = record_key


class StorePoisonedError(InvariantError):
    """A write transaction broke off after its first change; the store is shut.

    Close the backend without a commit and open both anew: the half-done change is
    in no committed page, and the log replays its entry.
    """
