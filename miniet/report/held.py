"""What each component holds, in words: the counts of a capture."""

from collections.abc import Callable, Mapping

from miniet.memory.capture import Capture
from miniet.memory.components import Component
from miniet.memory.counts import Counts
from miniet.report.sheet import Column, Sheet
from miniet.report.units import counted, number, size


def held_sheet(capture: Capture) -> Sheet:
    """Return a row per component that holds something."""
    counts = capture.counts
    rows = []
    for component, describe in _HELD.items():
        text = describe(counts)
        if text:
            if _MAIN.get(component) in capture.estimated:
                text = f"about {text}"
            kept = counts.payload_bytes(component)
            rows.append((component.label, size(kept) if kept else "-", text))
    return Sheet(
        title="What it holds",
        columns=(
            Column(name="component", is_text=True),
            Column(name="payload"),
            Column(name="items", is_text=True),
        ),
        rows=rows,
    )


def _raft(counts: Counts) -> str:
    if not counts.raft_entry_count:
        return ""
    cut = (
        f"last snapshot at {number(counts.raft_snapshot_index)}"
        if counts.raft_snapshot_index
        else "no snapshot yet"
    )
    unstable = (
        f"; {number(counts.raft_unstable_count)} not yet durable"
        if counts.raft_unstable_count
        else ""
    )
    return (
        f"{counted(counts.raft_entry_count, 'entry', 'entries')}, index "
        f"{number(counts.raft_first_index)} to {number(counts.raft_last_index)}, "
        f"{cut}{unstable}"
    )


def _index(counts: Counts) -> str:
    if not counts.index_key_count:
        return ""
    deleted = counts.index_key_count - counts.key_count
    return (
        f"{counted(counts.index_key_count, 'key')}, "
        f"{counted(counts.index_revision_count, 'revision')}"
        + (f"; {number(deleted)} deleted, not compacted" if deleted > 0 else "")
    )


def _backend(counts: Counts) -> str:
    if not counts.backend_size_bytes:
        return ""
    free = counts.backend_size_bytes - counts.backend_in_use_bytes
    waiting = (
        f"; {counted(counts.backend_uncommitted_count, 'operation')} uncommitted"
        if counts.backend_uncommitted_count
        else ""
    )
    return (
        f"file of {size(counts.backend_size_bytes)}, "
        f"{size(counts.backend_in_use_bytes)} in use, {size(free)} free{waiting}"
    )


def _leases(counts: Counts) -> str:
    if not counts.lease_count:
        return ""
    return (
        f"{counted(counts.lease_count, 'lease')}, {number(counts.keyed_lease_count)} "
        f"with keys; {counted(counts.attached_key_count, 'key')} attached"
    )


def _watchers(counts: Counts) -> str:
    if not counts.watcher_count and not counts.stream_count:
        return ""
    slow = (
        f"; {number(counts.slow_watcher_count)} behind"
        if counts.slow_watcher_count
        else ""
    )
    waiting = (
        f", {counted(counts.pending_event_count, 'event')} waiting"
        if counts.pending_event_count
        else ""
    )
    return (
        f"{counted(counts.watcher_count, 'watcher')} on "
        f"{counted(counts.stream_count, 'stream')}{slow}{waiting}"
    )


def _wal(counts: Counts) -> str:
    return "records to be written" if counts.wal_pending_bytes else ""


def _server(counts: Counts) -> str:
    parts = []
    if counts.connection_count:
        parts.append(counted(counts.connection_count, "connection"))
    if counts.calls_in_flight:
        parts.append(f"{counted(counts.calls_in_flight, 'call')} in flight")
    if counts.range_response_bytes_max:
        parts.append(f"largest range so far {size(counts.range_response_bytes_max)}")
    return ", ".join(parts)


_MAIN = {
    Component.RAFT: "raft_entry_count",
    Component.MVCC: "index_revision_count",
}
"""The count that makes a row an estimate, where it was estimated."""

_HELD: Mapping[Component, Callable[[Counts], str]] = {
    Component.RAFT: _raft,
    Component.MVCC: _index,
    Component.BACKEND: _backend,
    Component.LEASE: _leases,
    Component.WATCH: _watchers,
    Component.WAL: _wal,
    Component.SERVER: _server,
}
"""What to say of a component; the engine keeps nothing that is counted."""
