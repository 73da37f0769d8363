"""The three families of errors; each component's own live in its `errors.py`.

`RequestError` is the caller's turn: the request was wrong or came too late, the
server's state did not change. `DataError` says that what lies on disk is not
what was written there: the process stops and says which file. `InvariantError`
is a bug of miniet's own.
"""


class MinietError(Exception):
    """Base of everything miniet raises on purpose."""


class RequestError(MinietError):
    """The request cannot be answered as asked; nothing was changed.

    Every subclass maps to one gRPC status and one text of etcd's, in
    `server/rpc_errors.py`.
    """


class DataError(MinietError):
    """A file on disk is damaged or missing; the start or the write is refused.

    Args:
        message: what is wrong, in words.
        path: the file, if one is to blame.
        offset: byte offset in `path` where the damage was seen.
        remedy: what the operator can do now.
    """

    def __init__(
        self,
        message: str,
        *,
        path: str | None = None,
        offset: int | None = None,
        remedy: str | None = None,
    ) -> None:
        super().__init__(message)
        self.path = path
        self.offset = offset
        self.remedy = remedy

    def __str__(self) -> str:
        where = f"{self.path}: " if self.path is not None else ""
        at = f" (offset {self.offset})" if self.offset is not None else ""
        then = f"; {self.remedy}" if self.remedy else ""
        return f"{where}{self.args[0]}{at}{then}"


class InvariantError(MinietError):
    """Something that must always hold did not: a bug in miniet."""
