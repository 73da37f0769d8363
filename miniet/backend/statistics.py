"""The backend in numbers."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class BackendStatistics:
    """Sizes as of the last commit, counts as of now."""

    size_bytes: int
    """Pages ever allocated, free ones included: etcd's DbSize, held against the
    quota. Only `defragment` brings it down."""

    size_in_use_bytes: int
    """Pages that hold something; the rest of `size_bytes` is free for reuse, or will
    be once no open read transaction needs it: etcd's DbSizeInUse."""

    opened_size_bytes: int
    """`size_bytes` when the file was opened or last defragmented. bbolt reads all of
    it into memory then; pages written later are mapped when they are read."""

    read_bytes_total: int
    """Lengths of the values read since then through `batch_tx`, the restore of a
    start left out. Read transactions, which serve hashes and snapshots, do not
    count."""

    uncommitted_operation_count: int
    """Puts and deletes since the last commit."""

    uncommitted_bytes: int
    """Key and value bytes of the puts since the last commit. Until then the pages
    they lie on, 4 KiB at least for each, are on LMDB's heap."""

    last_commit_operation_count: int
    """Puts and deletes in the last commit that had any, 0 before the first. etcd's
    buffers point to their values until others take the place."""

    last_commit_bytes: int
    """Key and value bytes of the puts among them."""

    open_read_tx_count: int
    """Read transactions not yet closed; each keeps the pages of its state from
    being reused."""

    commit_count: int
    """Commits since `open`."""

    defragment_count: int
    """Defragmentations since `open`."""

    map_size_bytes: int
    """Address space set aside for the file; not memory."""

    page_size_bytes: int
    """Bytes of one page."""
