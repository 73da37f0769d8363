"""What happens between two moments, and what a process holds beside its heap.

churn      all that was allocated: decides whether collections have run
dropped    live under load, and let go of since
burst      live for a moment: ranges being built, large transactions, a defragmentation
"""

from miniet.memory.counts import Counts
from miniet.predict import calibration as fitted
from miniet.predict.live_heap import around
from miniet.predict.prediction import Band
from miniet.predict.profiles import Profile

NOTHING = Band(0, 0, 0)


def churn(counts: Counts, before: Counts, *, is_restarted: bool) -> Band:
    """Estimate what was allocated between two moments; a start reads the log back."""
    put_bytes = max(0, counts.put_bytes_total - before.put_bytes_total)
    read_bytes = max(0, counts.backend_read_bytes - before.backend_read_bytes)
    operations = max(
        counts.put_total - before.put_total,
        counts.raft_last_index - before.raft_last_index,
        counts.index_revision_count - before.index_revision_count,
        0,
    )
    watchers = abs(counts.watcher_count - before.watcher_count)
    connections = abs(counts.connection_count - before.connection_count)
    likely = (
        fitted.PUT_COPIES * put_bytes
        + fitted.READ_COPIES * read_bytes
        + fitted.CALL_BYTES * operations
        + fitted.WATCH_CALL_BYTES * watchers
        + fitted.CONNECT_BYTES * connections
        + fitted.READ_COPIES * counts.raft_payload_bytes * is_restarted
    )
    return Band(round(likely / 2), round(likely), round(2 * likely))


def dropped(counts: Counts, before: Counts, snapshot_count: int) -> Band:
    """Estimate what was live beside `counts` under load and has been let go of.

    Entries that the log had before it was cut, and what new watchers took while
    they were made.

    Args:
        snapshot_count: entries between two cuts at most.
    """
    watchers = max(0, counts.watcher_count - before.watcher_count)
    total = watchers * fitted.NEW_WATCHER_BYTES
    count = counts.raft_entry_count
    if before.raft_first_index < counts.raft_first_index and count:
        mean = counts.raft_payload_bytes / count
        kept = counts.raft_snapshot_index - counts.raft_first_index
        new = counts.raft_last_index - before.raft_last_index
        most = before.raft_payload_bytes + min(new, snapshot_count + kept) * mean
        total += max(0, round(most) - counts.raft_payload_bytes)
    return Band(0, total, round(1.2 * total))


def burst(
    counts: Counts, before: Counts, profile: Profile, *, is_restarted: bool
) -> Band:
    """Estimate what was live for a moment between the two."""
    return (
        _ranges(counts, before)
        + _catch_up(counts, before)
        + _transaction(counts, before, profile)
        + (_replay(counts) if is_restarted else _defragmentation(counts, before))
    )


def outside_heap(counts: Counts, heap: Band, *, peer_count: int) -> Band:
    """Predict anonymous pages outside the heap, stacks, and the program's pages.

    Buffers that were never filled are in the heap and not resident.
    """
    stacks = (
        fitted.STACK_BYTES
        + counts.connection_count * fitted.CONNECTION_STACK_BYTES
        + counts.stream_count * fitted.STREAM_STACK_BYTES
    )
    low, likely, high = fitted.PROGRAM_BYTES
    untouched = counts.connection_count * fitted.UNTOUCHED_CONNECTION_BYTES
    untouched += fitted.UNTOUCHED_BYTES + peer_count * fitted.PEER_BYTES
    share = fitted.RUNTIME_SHARE
    return Band(
        round(0.8 * stacks + share * heap.low + low - untouched),
        round(stacks + share * heap.likely + likely - untouched / 2),
        round(1.3 * stacks + share * heap.high + high),
    )


def heap_in_use(live: Band, heap: Band) -> Band:
    """Predict spans in use: live objects spread over them, and garbage."""
    low, likely, high = fitted.SPAN_SHARE
    quiet = round(likely * live.likely + fitted.SPAN_BYTES)
    return Band(
        round(low * live.low),
        max(quiet, round((quiet + heap.likely) / 2)),
        max(round(high * live.high) + fitted.SPAN_BYTES, heap.high),
    )


def _ranges(counts: Counts, before: Counts) -> Band:
    """Responses built and taken: decoded values and their encoding, twice the size.

    Once the most there ever was at once is known, reading that much again may or
    may not have been at once.
    """
    most = counts.response_in_flight_bytes_max
    gone = max(0, 2 * most - counts.response_in_flight_bytes)
    if most > before.response_in_flight_bytes_max:
        return Band(gone, gone, gone)
    read = max(0, counts.backend_read_bytes - before.backend_read_bytes)
    return Band(0, min(gone, read), min(gone, 2 * read))


def is_catching_up(counts: Counts) -> bool:
    """Whether watchers read history: their responses are whole batches."""
    return counts.pending_event_count > 2 * counts.pending_response_count


def _catch_up(counts: Counts, before: Counts) -> Band:
    """Every pass decodes all the history that is left for its first 1,000 events."""
    if not (is_catching_up(counts) or is_catching_up(before)):
        return NOTHING
    return around(1.2 * counts.backend_in_use_bytes, 0.5)


def _transaction(counts: Counts, before: Counts, profile: Profile) -> Band:
    """A commit of more than a batch was one transaction: its list of changes."""
    count = counts.backend_last_commit_count
    if count <= fitted.BATCH_OPERATIONS or count == before.backend_last_commit_count:
        return NOTHING
    change = 2 * profile.key_value_bytes + profile.event_bytes
    return around(count * change, 0.5)


def _defragmentation(counts: Counts, before: Counts) -> Band:
    """Pairs are copied 10,000 to a batch, all of them dirty pages until then."""
    opened = counts.backend_opened_bytes
    pairs = counts.index_revision_count
    if opened == before.backend_opened_bytes or not before.backend_opened_bytes:
        return NOTHING
    batch = round(opened * min(1.0, fitted.BATCH_OPERATIONS / max(1, pairs)))
    return Band(batch, 2 * batch, 3 * batch)


def _replay(counts: Counts) -> Band:
    """Entries of the segments that are read back and lie before the snapshot."""
    if not counts.raft_snapshot_index:
        return NOTHING
    return Band(0, fitted.SEGMENT_BYTES // 2, fitted.SEGMENT_BYTES)
