"""`Capture`: one reading of all three witnesses, to be shown, kept and compared."""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from miniet.memory import records
from miniet.memory.counts import Counts
from miniet.memory.go_memory import GoMemory
from miniet.memory.process import ProcessMemory
from miniet.memory.traced import Traced
from miniet.releases import DEFAULT_RELEASE

FORMAT = "miniet capture"
VERSION = 1
"""Of the JSON; a reader refuses a version that it does not know."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Capture:
    """One reading of a server: miniet's, or as far as it can be seen a real etcd's."""

    label: str
    """What had been done: `loaded`, `compacted`."""
    time_s: float
    """Seconds since 1970."""
    product: str
    """`miniet 0.1.0` or `etcd 3.4.23`."""
    profile: str = DEFAULT_RELEASE
    """The etcd release whose life of the log it follows: `3.4`, `3.5`, `3.6`."""
    flags: Mapping[str, str] = field(default_factory=dict)
    """Flags in force that matter to memory, as `snapshot-count`: `100000`."""
    counts: Counts
    unseen: tuple[str, ...] = ()
    """Fields of `counts` that this reader cannot see; they are 0 there."""
    estimated: Mapping[str, str] = field(default_factory=dict)
    """Fields of `counts` that were not read but worked out, and from what."""
    process: ProcessMemory | None = None
    """None for a process on another machine."""
    baseline: ProcessMemory | None = None
    """The process before its first request, or when tracing began."""
    traced: Traced | None = None
    """None while tracing is off, and for a real etcd."""
    go: GoMemory | None = None
    """Of a real etcd only."""

    @property
    def live_heap_bytes(self) -> int | None:
        """Live heap of a real etcd, if a collection was forced to know it."""
        go = self.go
        return go.heap_alloc_bytes if go is not None and go.is_collected else None

    def to_json(self) -> dict[str, Any]:
        """Return it as `json.dumps` takes it: format, version, and the fields."""
        return {"format": FORMAT, "version": VERSION, **records.to_json(self)}

    @classmethod
    def from_json(cls, document: Any) -> Self:
        """Take back what `to_json` made.

        Raises:
            ValueError: it is something else, of another version or damaged; one line
                with the field.
        """
        if not isinstance(document, dict) or document.get("format") != FORMAT:
            raise ValueError("this is not a capture")
        version = document.get("version")
        if version != VERSION:
            raise ValueError(
                f"version: this is a capture of version {version}, not {VERSION}"
            )
        head = {"format", "version"}
        return records.from_json(
            cls, {name: part for name, part in document.items() if name not in head}
        )

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write it to a file, in place of what is there.

        Raises:
            OSError: it cannot be written.
        """
        Path(path).write_text(json.dumps(self.to_json(), indent=1) + "\n")

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Self:
        """Read what `save` wrote.

        Raises:
            ValueError: the file holds something else, or is damaged; one line.
            OSError: it cannot be read.
        """
        try:
            return cls.from_json(json.loads(Path(path).read_bytes()))
        except json.JSONDecodeError as error:
            raise ValueError(f"{path}: not JSON: {error}") from error
        except UnicodeDecodeError as error:
            raise ValueError(f"{path}: not JSON: it is no text") from error
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from error
