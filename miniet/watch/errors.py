"""What only a bug can bring about here.

A client's bad request is no error in this package: the stream answers it (created
and canceled, with a reason) and goes on, so there is nothing for a caller to catch.
"""

from miniet.errors import InvariantError


class WatcherStateError(InvariantError):
    """A watcher was moved in a way that its state table does not have."""

    def __init__(self, state: str, change: str) -> None:
        super().__init__(f"a watcher that is {state} cannot meet {change}")
        self.state = state
        self.change = change


class WatchStreamClosedError(InvariantError):
    """A request was handed to a stream after its `close`; the caller mixed them up."""

    def __init__(self) -> None:
        super().__init__("the watch stream is closed")
