"""What can be wrong with log and snapshot files."""

from typing import Final

from miniet.errors import DataError

REPLACE_MEMBER: Final = (
    "restore the data directory from a backup, or remove the member and add it again"
)


class WalDamagedError(DataError):
    """The log holds bytes that were never written so.

    Nothing repairs this: what follows the damage may have been acknowledged.
    Start from a backup, or let the cluster rebuild the member.
    """


class TornWriteError(DataError):
    """The last write of the log was cut off; nothing in it was acknowledged.

    `repair` cuts the file at `offset`; then open again. If that open meets one
    more, stop.
    """


class WalMissingError(DataError):
    """There is no log, or a segment of it is gone."""


class WalExistsError(DataError):
    """A log is there already: open it, or create the new one elsewhere."""


class WalLockedError(DataError):
    """Another process, or another `Wal`, writes this log. Stop it first."""


class SnapshotNotFoundError(DataError):
    """The log holds no record of the snapshot asked for.

    Open it at one of `valid_snapshots`.
    """


class WalFailedError(DataError):
    """A write or sync failed; what is on disk past the last sync is unknown.

    The log takes nothing more. Close it, and open it again to learn what is there.
    """


class SnapshotDamagedError(DataError):
    """A snapshot file cannot be read; an older one may do."""
