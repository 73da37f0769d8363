"""The machine that an experiment runs on: what it is, and whether it is enough."""

import os
import platform
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

from miniet.lab.errors import LabError

GIB = 1 << 30
_MEMINFO = Path("/proc/meminfo")
_CPUINFO = Path("/proc/cpuinfo")


@dataclass(frozen=True, slots=True)
class Need:
    """What a scenario takes at its peak, the server and the lab together."""

    memory_bytes: int
    """Resident at once, the backend's pages not counted: they can be taken back."""
    disk_bytes: int
    """Log and backend, with the second copy that a defragmentation makes."""

    def check(self) -> None:
        """Refuse what this machine cannot hold.

        Raises:
            LabError: too little memory is available, or too little disk is free.
        """
        available = _available_bytes()
        if available is not None and available < self.memory_bytes:
            raise LabError(
                f"this needs {_gib(self.memory_bytes)} of memory and "
                f"{_gib(available)} is available; a smaller --scale takes less"
            )
        folder = tempfile.gettempdir()
        free = shutil.disk_usage(folder).free
        if free < self.disk_bytes:
            raise LabError(
                f"this needs {_gib(self.disk_bytes)} of disk and {folder} has "
                f"{_gib(free)} free; a smaller --scale takes less, and TMPDIR chooses "
                "another directory"
            )

    def __str__(self) -> str:
        return f"{_gib(self.memory_bytes)} of memory, {_gib(self.disk_bytes)} of disk"


def describe() -> str:
    """Say in a line what machine this is."""
    parts = [platform.system(), platform.release(), _processor()]
    if count := os.cpu_count():
        parts.append(f"{count} CPUs")
    if total := _meminfo("MemTotal"):
        parts.append(f"{total / GIB:.0f} GiB")
    parts.append(f"{platform.python_implementation()} {platform.python_version()}")
    return ", ".join(part for part in parts if part)


def _processor() -> str:
    try:
        lines = _CPUINFO.read_text().splitlines()
    except OSError:
        return platform.machine()
    names = (line.partition(":")[2] for line in lines if line.startswith("model name"))
    return next(names, platform.machine()).strip()


def _available_bytes() -> int | None:
    return _meminfo("MemAvailable")


def _meminfo(name: str) -> int | None:
    try:
        lines = _MEMINFO.read_text().splitlines()
    except OSError:
        return None
    found = (line for line in lines if line.startswith(f"{name}:"))
    return next((int(line.split()[1]) * 1024 for line in found), None)


def _gib(size: int) -> str:
    return f"{size / GIB:.1f} GiB"
