"""What a read or a compaction of the store may be refused for."""

from miniet.errors import RequestError


class CompactedError(RequestError):
    """The revision asked for is gone. Retry at `compact_revision` or later."""

    def __init__(self, revision: int, compact_revision: int) -> None:
        super().__init__(f"revision {revision} is compacted to {compact_revision}")
        self.revision = revision
        self.compact_revision = compact_revision


class FutureRevisionError(RequestError):
    """The revision asked for is not written yet. Ask for `current_revision` or less."""

    def __init__(self, revision: int, current_revision: int) -> None:
        super().__init__(f"revision {revision} is after {current_revision}")
        self.revision = revision
        self.current_revision = current_revision
