"""What the system says of a process: resident, shared, mapped, peak."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessMemory:
    """Memory of one process, in bytes; None for what the system does not say."""

    resident_bytes: int
    """RSS: all pages in RAM, shared ones counted whole."""
    proportional_bytes: int | None = None
    """PSS: the same, shared pages divided by those who share them."""
    anonymous_bytes: int | None = None
    """Pages that no file is behind: heaps and stacks."""
    file_bytes: int | None = None
    """Resident pages of files: program, libraries, the backend's map."""
    mapped_bytes: int | None = None
    """Of those, the backend's: the kernel takes them back when it needs to. A
    backend in a file system in memory (memory-only servers) is counted here too."""
    lazy_free_bytes: int | None = None
    """Given back with MADV_FREE and still counted as resident."""
    peak_resident_bytes: int | None = None
    """The most that was resident, since the start or the last `reset_peak`."""
