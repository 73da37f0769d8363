"""A file system of a few megabytes that really gets full: tmpfs, so it needs root."""

import os
import subprocess
from pathlib import Path
from typing import Self

import pytest

BALLAST = "ballast"
_BLOCK = bytes(1 << 12)


class SmallDisk:
    """Mounts a tmpfs while the block lasts; skips the test where that is refused."""

    def __init__(self, path: Path, size_bytes: int) -> None:
        self.path = path
        self._size_bytes = size_bytes

    def __enter__(self) -> Self:
        self.path.mkdir()
        try:
            self._mount("")
        except (OSError, subprocess.CalledProcessError) as error:
            said = getattr(error, "stderr", None) or error
            pytest.skip(f"needs root to mount a small file system: {said}")
        return self

    def __exit__(self, *_: object) -> None:
        # Lazily: a server that a failed test left must not keep the next from it.
        subprocess.run(["umount", "--lazy", self.path], check=True)

    def grow(self, size_bytes: int) -> None:
        """Make room, as an operator would."""
        self._size_bytes = size_bytes
        self._mount("remount,")

    def fill(self) -> None:
        """Leave not one byte free."""
        with open(self.path / BALLAST, "ab", buffering=0) as ballast:
            try:
                while True:
                    ballast.write(_BLOCK)
            except OSError:
                pass
        assert self.free_bytes == 0

    def empty(self) -> None:
        """Give back what `fill` took."""
        (self.path / BALLAST).unlink()

    @property
    def free_bytes(self) -> int:
        """What is left for anybody."""
        found = os.statvfs(self.path)
        return found.f_bavail * found.f_frsize

    def _mount(self, prefix: str) -> None:
        options = f"{prefix}size={self._size_bytes}"
        subprocess.run(
            ["mount", "-t", "tmpfs", "-o", options, "tmpfs", self.path],
            check=True,
            capture_output=True,
            text=True,
        )
