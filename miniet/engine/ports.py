"""What the engine needs from the edges, as protocols."""

from collections.abc import Callable
from typing import Protocol

from miniet.mvcc.ports import Backend


class EngineBackend(Backend, Protocol):
    """The page store with what the engine adds to the store's view of it."""

    before_commit: Callable[[], None] | None
    """Called just before a commit that has something pending."""

    @property
    def size_bytes(self) -> int:
        """Allocated size of the file as of the last commit."""
        ...

    def step_commit(self, now_s: float) -> bool:
        """Commit if it is due by time or by operations; tell whether it did."""
        ...

    def reset(self) -> None:
        """Empty every bucket."""
        ...
