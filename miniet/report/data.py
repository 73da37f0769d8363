"""A run as JSON: every figure of it, with keys that stay.

Sizes and bands are in bytes, times in seconds since 1970; a field's name ends in its
unit where it has one. Fields may be added; what is there keeps its name and meaning
as long as the version stays.
"""

import json
import os
from pathlib import Path
from typing import Any

from miniet.memory import records
from miniet.report.run import Run

FORMAT = "miniet run"
VERSION = 1


def to_json(run: Run) -> dict[str, Any]:
    """Return a run as `json.dumps` takes it."""
    return {"format": FORMAT, "version": VERSION, **records.to_json(run)}


def from_json(document: Any) -> Run:
    """Take back what `to_json` made.

    Raises:
        ValueError: it is something else, of another version or damaged; one line.
    """
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise ValueError("this is not a run of miniet's lab")
    if document.get("version") != VERSION:
        raise ValueError(
            f"version: this is a run of version {document.get('version')}, "
            f"not {VERSION}"
        )
    fields = {k: part for k, part in document.items() if k not in ("format", "version")}
    return records.from_json(Run, fields)


def save(run: Run, path: str | os.PathLike[str]) -> None:
    """Write a run to a file, in place of what is there.

    Raises:
        OSError: it cannot be written.
    """
    Path(path).write_text(json.dumps(to_json(run), indent=1) + "\n", "utf-8")


def load(path: str | os.PathLike[str]) -> Run:
    """Read what `save` wrote.

    Raises:
        ValueError: the file holds something else, or is damaged; one line.
        OSError: it cannot be read.
    """
    try:
        return from_json(json.loads(Path(path).read_bytes()))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{path}: not JSON: {error}") from error
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error
