"""Reads the JSON cases and builds what their setups describe."""

import json
import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from miniet.raft import (
    NO_LIMIT,
    CompactedError,
    Entry,
    MemoryStorage,
    RaftInvariantError,
    Snapshot,
    SnapshotOutOfDateError,
    UnavailableError,
)
from miniet.raft.log import RaftLog
from miniet.raft.log_slice import EntryId

Case = dict[str, Any]

_OUTCOMES: dict[type[Exception], str] = {
    CompactedError: "ErrCompacted",
    UnavailableError: "ErrUnavailable",
    SnapshotOutOfDateError: "ErrSnapOutOfDate",
    RaftInvariantError: "panic",
}


class CaseFile:
    """One file of cases; remembers which were asked for."""

    def __init__(self, name: str) -> None:
        path = Path(__file__).parent / "cases" / name
        self._groups = {
            group["test"]: group for group in json.loads(path.read_text())["groups"]
        }
        self._asked_for: Counter[str] = Counter()

    def left_out(self) -> dict[str, int]:
        """Count the cases that no test asked for, by group."""
        every = Counter({name: len(g["cases"]) for name, g in self._groups.items()})
        return dict(every - self._asked_for)

    def rows(
        self, test: str, keep: Callable[[Case], bool] = bool
    ) -> pytest.MarkDecorator:
        """Parametrize a test with each case of a group, its setup filled in."""
        group = self._groups[test]
        cases = [
            {"setup": group.get("setup") or {}} | case
            for case in group["cases"]
            if keep(case)
        ]
        self._asked_for[test] += len(cases)
        ids = [f"{number}-{_readable(case)}" for number, case in enumerate(cases, 1)]
        return pytest.mark.parametrize("case", cases, ids=ids)

    def group(self, test: str) -> tuple[Case, list[Case]]:
        """Return setup and cases of a group whose cases belong to one run."""
        group = self._groups[test]
        self._asked_for[test] += len(group["cases"])
        return group["setup"], group["cases"]


def _readable(case: Case) -> str:
    inputs = {
        key: value
        for key, value in case.items()
        if key != "setup" and not key.startswith("want")
    }
    text = json.dumps(inputs or case, separators=(",", ":")).replace('"', "")
    return re.sub(r"[^\w,=+-]+", " ", text.replace(":", "=")).strip()[:70]


def entries_of(spec: Any) -> list[Entry]:
    """Build entries from pairs or a range."""
    if isinstance(spec, dict):
        run = spec["range"]
        return [
            Entry(run["first_term"] + step, run["first_index"] + step)
            for step in range(run["count"])
        ]
    return [Entry(term, index) for index, term in spec]


def pairs_of(entries: list[Entry]) -> list[list[int]]:
    """Turn entries into pairs again."""
    return [[entry.index, entry.term] for entry in entries]


def entry_id(pair: list[int]) -> EntryId:
    """Build an id from a pair."""
    index, term = pair
    return EntryId(term, index)


def limit(size: Any) -> int:
    """Return a size in the legacy encoding."""
    if isinstance(size, dict):
        size = size["legacy"]
    return NO_LIMIT if size == "max" else int(size)


def storage_of(setup: Case) -> MemoryStorage:
    """Build the storage of a setup, through its public operations."""
    storage = MemoryStorage()
    if "raw_array" in setup:
        (dummy_index, dummy_term), *rest = setup["raw_array"]
        filler = [Entry(dummy_term, index) for index in range(1, dummy_index + 1)]
        storage.append(filler)
        if filler:
            storage.compact(dummy_index)
        storage.append(entries_of(rest))
        return storage
    spec = setup.get("storage", {})
    if any(spec.get("snapshot", ())):
        index, term = spec["snapshot"]
        storage.apply_snapshot(Snapshot(index, term))
    storage.append(entries_of(spec.get("entries", [])))
    return storage


def log_of(setup: Case) -> RaftLog:
    """Build the log of a setup and run the setup's operations."""
    storage = storage_of(setup)
    log = RaftLog(
        storage, applying_bytes_max=limit(setup.get("max_applying_size", "max"))
    )
    for name, *arguments in setup.get("log", []):
        _OPERATIONS[name](log, *arguments)
    return log


def _maybe_commit_last_entry(log: RaftLog, want: bool) -> None:
    assert log.maybe_commit(log.last_entry_id()) is want


def _storage_compact(log: RaftLog, index: int) -> None:
    assert isinstance(log.storage, MemoryStorage)
    log.storage.compact(index)


_OPERATIONS: dict[str, Callable[..., object]] = {
    "append": lambda log, spec: log.append(entries_of(spec)),
    "set_committed": lambda log, index: setattr(log, "committed", index),
    "maybe_commit": lambda log, pair: log.maybe_commit(entry_id(pair)),
    "maybe_commit_last_entry": _maybe_commit_last_entry,
    "applied_to": lambda log, index, size: log.applied_to(index, size),
    "applied_to_committed": lambda log: log.applied_to(log.committed, 0),
    "accept_applying": lambda log, index, size, allow_unstable: log.accept_applying(
        index, size, allow_unstable=allow_unstable
    ),
    "stable_to": lambda log, pair: log.stable_to(entry_id(pair)),
    "restore": lambda log, pair: log.restore(Snapshot(pair[0], pair[1])),
    "storage_compact": _storage_compact,
}


def outcome(call: Callable[..., Any], *arguments: Any) -> Any:
    """Return the result of a call, or the name of the error it raised."""
    try:
        return call(*arguments)
    except tuple(_OUTCOMES) as error:
        return _OUTCOMES[type(error)]
