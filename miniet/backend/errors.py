"""What can go wrong with the page store, and whose turn it is then."""

from miniet.errors import DataError, InvariantError, RequestError


class KeySizeError(RequestError):
    """A key is empty or too long for a bucket; nothing was written.

    Choose another name: only those of users and roles can be this long.
    """

    def __init__(self, bucket: bytes, key_bytes: int, key_bytes_max: int) -> None:
        super().__init__(
            f"key of {key_bytes} bytes in bucket {bucket.decode()}: "
            f"1 to {key_bytes_max} are possible"
        )
        self.bucket = bucket
        self.key_bytes = key_bytes
        self.key_bytes_max = key_bytes_max


class BackendBusyError(RequestError):
    """Open read transactions are in the way; nothing was changed.

    Retry when the snapshot stream or the hash that holds them is done.
    """

    def __init__(self, message: str, open_read_tx_count: int) -> None:
        super().__init__(f"{message} ({open_read_tx_count} read transactions open)")
        self.open_read_tx_count = open_read_tx_count


class DefragmentError(RequestError):
    """The compact copy could not be made; the store goes on with the old file.

    Make room on the disk (old and new file exist side by side), then retry.
    """

    def __init__(self, path: str, reason: str) -> None:
        # As Go says it, and so etcd to its clients.
        super().__init__(f"write {path}: {reason[:1].lower()}{reason[1:]}")


class BackendLockedError(DataError):
    """Another process, or another `Backend` of this one, has the file open."""

    def __init__(self, path: str) -> None:
        super().__init__(
            "the file is in use by another server",
            path=path,
            remedy="stop that server or choose another data directory",
        )


class BackendDamagedError(DataError):
    """The file is not what a backend wrote; it was left as it is."""

    def __init__(self, message: str, *, path: str, offset: int | None = None) -> None:
        super().__init__(
            message,
            path=path,
            offset=offset,
            remedy="restore the data directory from a snapshot",
        )


class BackendFullError(DataError):
    """The memory map is full; the store refuses everything until reopened.

    What was committed is safe and the log holds the rest. Reopen it: the map is
    sized anew, from the quota and the size of the file.
    """

    def __init__(self, path: str, map_size_bytes: int) -> None:
        super().__init__(
            f"the memory map of {map_size_bytes} bytes is full",
            path=path,
            remedy="restart with a larger quota, compact and defragment",
        )
        self.map_size_bytes = map_size_bytes


class BackendFailedError(DataError):
    """A write or a sync failed; the store refuses everything until reopened.

    The last commit before the failure is whole, and the log holds the rest: once
    the disk is well again, a restart loses nothing.
    """

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(
            f"the store failed: {reason}",
            path=path,
            remedy="make room or mend the disk, then restart",
        )
        self.reason = reason


class BackendClosedError(InvariantError):
    """Used before `open` or after `close`."""
