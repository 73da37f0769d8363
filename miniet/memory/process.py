"""What the system says of a process: resident, shared, mapped, peak, connections.

Linux says it in /proc, of every process that one may read. On other systems `ps`
says what is resident, and `getrusage` the peak of the process that asks.

Source: Linux v6.1 Documentation/filesystems/proc.rst, net/ipv4/tcp_ipv4.c.
"""

import os
import subprocess
import sys
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

try:
    import resource
except ImportError:  # not on Windows
    resource = None  # type: ignore[assignment]

_PROC = Path("/proc")
_ESTABLISHED = "01"  # TCP_ESTABLISHED of Linux's include/net/tcp_states.h, in hex
_RESET_PEAK = "5"  # CLEAR_REFS_MM_HIWATER_RSS of Linux's fs/proc/task_mmu.c


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


def read_process(
    pid: int | None = None, mapped_path: str | os.PathLike[str] | None = None
) -> ProcessMemory:
    """Read what the system says of a process now.

    Args:
        pid: which one; None: this one.
        mapped_path: the backend's file, to learn how much of its map is resident. It
            costs a longer text to read: 50 lines per mapping of the process.
    Raises:
        ProcessLookupError: there is no such process.
        OSError: this system does not say.
    Cost: the kernel walks the page tables, 5 ms per GiB resident; without the GIL.
    """
    if not _PROC.joinpath("self").exists():
        return _read_elsewhere(pid)
    folder = _PROC / str(pid or "self")
    try:
        status = _sums(folder.joinpath("status").read_text().splitlines())
    except (FileNotFoundError, ProcessLookupError):
        raise ProcessLookupError(f"there is no process {pid}") from None
    try:
        return _read_maps(folder, mapped_path, status.get("VmHWM"))
    except (PermissionError, FileNotFoundError):
        # Somebody else's process, of which the world may see no more than this, or a
        # kernel without the other file.
        resident, anonymous = status.get("VmRSS", 0), status.get("RssAnon", 0)
        return ProcessMemory(
            resident_bytes=resident,
            anonymous_bytes=anonymous,
            file_bytes=resident - anonymous,
            peak_resident_bytes=status.get("VmHWM"),
        )


def reset_peak(pid: int | None = None) -> bool:
    """Let `peak_resident_bytes` begin again at what is resident now.

    Returns:
        Whether the system allowed it.
    """
    try:
        _PROC.joinpath(str(pid or "self"), "clear_refs").write_text(_RESET_PEAK)
    except OSError:
        return False
    return True


def connection_count(ports: Collection[int], pid: int | None = None) -> int | None:
    """Count the established TCP connections to servers on some ports.

    Args:
        ports: local ports; a client's end of a connection has another one.
        pid: a process in the network namespace to look at; None: this one's.
    Returns:
        None where the system does not say.
    """
    folder = _PROC / str(pid or "self") / "net"
    try:
        # A system without IPv6 has no `tcp6`. IPv4 clients of a socket that listens
        # on both are in it.
        files = [folder / "tcp", *folder.glob("tcp6")]
        sockets = [line for file in files for line in file.read_text().splitlines()[1:]]
    except OSError:
        return None
    return sum(port in ports for port in _established_ports(sockets))


def _established_ports(sockets: list[str]) -> Iterator[int]:
    for socket in sockets:
        _, local, _, state, *_ = socket.split(maxsplit=4)
        if state == _ESTABLISHED:
            yield int(local.rpartition(":")[2], 16)


def _read_maps(
    folder: Path, mapped_path: str | os.PathLike[str] | None, peak: int | None
) -> ProcessMemory:
    """Add up the mappings, which is exact: the counters of `status` lag behind.

    The sums without the mappings are the same text with a single mapping.
    """
    mapped = None
    if mapped_path is None:
        lines = folder.joinpath("smaps_rollup").read_text().splitlines()
    else:
        lines = folder.joinpath("smaps").read_text().splitlines()
        mapped = _resident_bytes_of(lines, os.path.realpath(mapped_path))
    sums = _sums(lines)
    resident, anonymous = sums.get("Rss", 0), sums.get("Anonymous", 0)
    return ProcessMemory(
        resident_bytes=resident,
        proportional_bytes=sums.get("Pss"),
        anonymous_bytes=anonymous,
        # The rest: pages of files on disk and of files in memory (shmem).
        file_bytes=resident - anonymous,
        mapped_bytes=mapped,
        lazy_free_bytes=sums.get("LazyFree"),
        peak_resident_bytes=max(peak, resident) if peak is not None else None,
    )


def _sums(lines: list[str]) -> dict[str, int]:
    """Add up the fields that are in kB, as `Rss:     1772 kB`, in bytes."""
    sums: dict[str, int] = {}
    for line in lines:
        if line.endswith(" kB"):
            name, _, value = line[:-3].partition(":")
            sums[name] = sums.get(name, 0) + int(value) * 1024
    return sums


def _resident_bytes_of(lines: list[str], path: str) -> int | None:
    """Add up `Rss` of the mappings of a file; None if there is none."""
    total, is_inside = None, False
    for line in lines:
        if not line.split(maxsplit=1)[0].endswith(":"):
            # The head of a mapping: range, rights, offset, device, inode, path.
            is_inside = line.split(maxsplit=5)[5:] == [path]
            total = (total or 0) if is_inside else total
        elif is_inside and line.startswith("Rss:"):
            total = (total or 0) + int(line.split()[1]) * 1024
    return total


def _read_elsewhere(pid: int | None) -> ProcessMemory:
    command = ["ps", "-o", "rss=", "-p", str(pid or os.getpid())]
    answer = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    if not answer.strip():
        raise ProcessLookupError(f"there is no process {pid}")
    peak = None
    if pid is None and resource is not None:
        unit = 1 if sys.platform == "darwin" else 1024
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
    return ProcessMemory(resident_bytes=int(answer) * 1024, peak_resident_bytes=peak)
