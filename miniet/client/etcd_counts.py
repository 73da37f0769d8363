"""Counts of a real etcd, as far as its Status and `/metrics` go.

    exact        keys, backend size and in use, puts, leases, watchers, streams,
                 slow watchers, pending events, calls in flight, connections (with
                 the process at hand)
    estimated    the raft log, from the applied index, the snapshot count and what
                 was put per entry; revisions in the index
    unseen       all else: batch buffers, lengths of keys, keys of leases, ...

Rules of the log (3.4 and 3.5): a snapshot is due when more than `snapshot-count`
entries were applied since the last, and cuts the log `catch-up` entries behind it.
Sources: etcd v3.4.9 etcdserver/server.go, triggerSnapshot and snapshot; v3.6
server/etcdserver/server.go, snapshotIfNeededAndCompactRaftLog.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from miniet.client.metrics import Metrics
from miniet.memory.counts import Counts
from miniet.releases import CATCHUP_ENTRIES, RELEASES

_BATCH_ENTRIES = 256
"""A snapshot that is due is taken after the batch of entries that made it due."""
_ENTRY_OVERHEAD_BYTES = 22
"""What a request's encoding adds to key and value: measured, 3.4.23 and 3.5.1."""
_OTHER_ENTRY_BYTES = 30
"""Entries that write no key: lease grants, compactions, empty ones."""
_INDEX_RESTS_ON = "keys, and what was put, deleted and compacted since the start"


@dataclass(frozen=True, slots=True)
class SeenCounts:
    """Counts, and how far they are to be believed."""

    counts: Counts
    estimated: Mapping[str, str]
    """Fields that are estimates, and what they rest on."""
    unseen: tuple[str, ...] = field(default=())
    """Fields that could not be seen."""


def read_counts(
    status: Any,
    metrics: Metrics,
    *,
    profile: str,
    flags: Mapping[str, str],
    lease_count: int,
    connection_count: int | None,
) -> SeenCounts:
    """Put together what can be known.

    Args:
        status: a StatusResponse.
        flags: those known to be in force, `snapshot-count` among them if it is.
    """
    seen = _exact(status, metrics)
    seen["lease_count"] = lease_count
    if connection_count is not None:
        seen["connection_count"] = connection_count
    log, rests_on = _log(status, metrics, profile, flags)
    index = _index(seen, metrics)
    estimated = dict.fromkeys(log, rests_on) | dict.fromkeys(index, _INDEX_RESTS_ON)
    del estimated["raft_last_index"]
    seen |= log | index
    known = {name: value for name, value in seen.items() if value is not None}
    unseen = tuple(spec.name for spec in fields(Counts) if spec.name not in known)
    estimated = {name: basis for name, basis in estimated.items() if name in known}
    return SeenCounts(Counts(**known), estimated, unseen)


def _exact(status: Any, metrics: Metrics) -> dict[str, int | None]:
    mvcc = "etcd_debugging_mvcc_"
    keys = metrics.get(f"{mvcc}keys_total")
    started = metrics.get("grpc_server_started_total")
    handled = metrics.get("grpc_server_handled_total")
    return {
        "key_count": keys,
        "current_revision": metrics.get(f"{mvcc}current_revision"),
        "compact_revision": metrics.get(f"{mvcc}compact_revision"),
        "put_total": metrics.get("etcd_mvcc_put_total"),
        "put_bytes_total": metrics.get(f"{mvcc}total_put_size_in_bytes"),
        "backend_size_bytes": status.dbSize,
        "backend_in_use_bytes": status.dbSizeInUse,
        "stream_count": metrics.get(f"{mvcc}watch_stream_total"),
        "watcher_count": metrics.get(f"{mvcc}watcher_total"),
        "slow_watcher_count": metrics.get(f"{mvcc}slow_watcher_total"),
        "pending_event_count": metrics.get(f"{mvcc}pending_events_total"),
        "calls_in_flight": (started or 0) - (handled or 0),
    }


def _log(
    status: Any, metrics: Metrics, profile: str, flags: Mapping[str, str]
) -> tuple[dict[str, int | None], str]:
    """Estimate what the log keeps, and say what that rests on."""
    count = _number(flags, "snapshot-count")
    basis = f"--snapshot-count={count}" if count else "the default of --snapshot-count"
    count = count or RELEASES[profile].snapshot_count
    catchup = _number(flags, "snapshot-catchup-entries")
    catchup = CATCHUP_ENTRIES if catchup is None else catchup
    last, applied = int(status.raftIndex), int(status.raftAppliedIndex)
    saves = metrics.get("etcd_debugging_snap_save_total_duration_seconds_count")
    if in_memory := RELEASES[profile].memory_snapshot_count:
        snapshot = applied - applied % in_memory
        is_cut = True
    else:
        snapshots, beyond = divmod(applied, count + 1)
        if beyond < _BATCH_ENTRIES and saves == snapshots - 1:
            snapshots -= 1  # it is due and not taken yet
        snapshot = snapshots * (count + 1)
        # A process that has taken no snapshot began with one: its log was read from
        # the WAL, which has nothing before it.
        is_cut = saves != 0
    if snapshot == 0:
        first = 1
    elif is_cut:
        # etcd compacts up to index 1 where there is less than the catch-up entries.
        first = max(snapshot - catchup, 1) + 1
    else:
        first = snapshot + 1
    entries = max(last - first + 1, 0)
    mean = _mean_entry_bytes(metrics, last)
    return {
        "raft_entry_count": entries,
        "raft_payload_bytes": None if mean is None else round(entries * mean),
        "raft_first_index": first,
        "raft_last_index": last,
        "raft_snapshot_index": snapshot,
    }, f"{basis} ({count:,}), the applied index and the mean size of puts"


def _mean_entry_bytes(metrics: Metrics, last_index: int) -> float | None:
    """Estimate the data of a mean entry; None where all writes are from before.

    Every entry that writes makes one revision, with one or more puts in it. There
    have been at most as many as revisions, and as puts and deletes since the start.
    """
    writes, is_whole = _writes(metrics)
    if writes == 0:
        return _OTHER_ENTRY_BYTES if is_whole else None
    put_bytes = metrics.get("etcd_debugging_mvcc_total_put_size_in_bytes") or 0
    mean = put_bytes / writes + _ENTRY_OVERHEAD_BYTES
    share = min(writes / max(last_index, 1), 1.0) if is_whole else 1.0
    return share * mean + (1 - share) * _OTHER_ENTRY_BYTES


def _writes(metrics: Metrics) -> tuple[int, bool]:
    """Return the writing entries since the start; and whether that is all there are."""
    puts = metrics.get("etcd_mvcc_put_total") or 0
    operations = puts + (metrics.get("etcd_mvcc_delete_total") or 0)
    revisions = (metrics.get("etcd_debugging_mvcc_current_revision") or 1) - 1
    return min(operations, revisions), operations >= revisions


def _index(seen: Mapping[str, int | None], metrics: Metrics) -> dict[str, int | None]:
    """Estimate the revisions that the index holds, from those since the start."""
    keys = seen["key_count"]
    if keys is None:
        return {}
    puts = metrics.get("etcd_mvcc_put_total") or 0
    operations = puts + (metrics.get("etcd_mvcc_delete_total") or 0)
    # A process that began later than the store has counted fewer.
    current, compacted = seen["current_revision"] or 1, seen["compact_revision"] or 0
    if operations >= current - 1:
        gone = metrics.get("etcd_debugging_mvcc_db_compaction_keys_total") or 0
        revisions = operations - gone
    elif compacted > 0:  # at most: one of every key, and all since
        revisions = keys + current - compacted
    else:
        revisions = current - 1
    return {
        "index_key_count": keys,  # the metric has no deleted ones
        "index_generation_count": keys,
        "index_revision_count": max(revisions, keys),
    }


def _number(flags: Mapping[str, str], name: str) -> int | None:
    text = flags.get(name, "")
    return int(text) if text.isdecimal() else None
