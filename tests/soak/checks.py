"""The verdict: what must hold of a soak, from what clients heard and captures say."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from miniet.memory.capture import Capture
from miniet.memory.counts import Counts
from miniet.memory.timeline import Point
from tests.soak.ledger import Ledger
from tests.soak.settings import Settings

TREND_SECONDS_MIN = 240.0
"""A shorter run is all warming up: nothing is said of its trend."""

_TREND_SHARE = 0.05
_FAULTS_SHOWN = 5
MIB = 1 << 20


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that had to hold."""

    claim: str
    holds: bool
    figures: str


def judge(
    settings: Settings, points: Sequence[Point], ledger: Ledger, end: Counts
) -> list[Finding]:
    """Hold a run against everything.

    Args:
        points: captures under load.
        end: counts after all clients but one have left and all leases have run out.
    """
    return [
        _faults(ledger),
        _raft_log(settings, points),
        _index(points, ledger),
        _retention(settings, points),
        _keys(settings, points),
        *_trends(points),
        *_emptied(end),
    ]


def _faults(ledger: Ledger) -> Finding:
    shown = "; ".join(ledger.faults[:_FAULTS_SHOWN])
    return Finding(
        "no event lost, no gap in the revisions, no error that is not of the load",
        not ledger.faults,
        f"{len(ledger.faults)} faults: {shown}"
        if ledger.faults
        else f"{ledger.revision} revisions, {ledger.change_count} changes,"
        f" {ledger.acknowledged_count} writes acknowledged",
    )


def _raft_log(settings: Settings, points: Sequence[Point]) -> Finding:
    """Entries from one snapshot to the next, and those to catch up with.

    Beyond that come the entries of the batch in which a snapshot falls due: at most
    what arrives in a second.
    """
    bound = settings.snapshot_count + settings.catchup_entries
    bound += int(settings.operations_per_s)
    most = max(point.capture.counts.raft_entry_count for point in points)
    return Finding(
        "raft log within snapshot-count + catch-up entries",
        most <= bound,
        f"{most} entries at the most, bound {bound}",
    )


def _index(points: Sequence[Point], ledger: Ledger) -> Finding:
    """A revision for each key that compaction left, and every change since.

    A compaction takes some steps, so the bound is that of the capture before.
    """
    worst, figures = -1.0, "no capture"
    compacted = 0
    for point in points:
        counts = point.capture.counts
        bound = counts.index_key_count + ledger.changes_between(
            compacted, counts.current_revision
        )
        if counts.index_revision_count > worst * max(bound, 1):
            worst = counts.index_revision_count / max(bound, 1)
            figures = f"{counts.index_revision_count} of {bound} where it was closest"
        compacted = counts.compact_revision
    return Finding("index within keys + changes not compacted", worst <= 1, figures)


def _retention(settings: Settings, points: Sequence[Point]) -> Finding:
    """Automatic compaction goes on: what is older than twice the period is gone.

    It looks once in a tenth of the period, after a whole one has passed.
    """
    slack_s = 2.2 * settings.retention_s + 5
    oldest_s = 0.0
    for point in points:
        before = [p for p in points if p.time_s <= point.time_s - slack_s]
        if before:
            must_be_gone = before[-1].capture.counts.current_revision
            kept = point.capture.counts.compact_revision
            if kept < must_be_gone:
                since = [p for p in points if p.capture.counts.current_revision >= kept]
                oldest_s = max(oldest_s, point.time_s - since[0].time_s)
    return Finding(
        "history no longer than the retention allows",
        oldest_s == 0,
        f"{oldest_s:.0f} s kept" if oldest_s else f"never more than {slack_s:.0f} s",
    )


def _keys(settings: Settings, points: Sequence[Point]) -> Finding:
    most = max(point.capture.counts.index_key_count for point in points)
    return Finding(
        "no more keys in the index than clients use",
        most <= settings.keys_max,
        f"{most} at the most, {settings.keys_max} used",
    )


def _heap_bytes(capture: Capture) -> float:
    """RSS without the backend's map, which is the page cache's."""
    process = capture.process
    if process is None:
        return 0.0
    return process.resident_bytes - (process.mapped_bytes or 0)


# What must not grow and has no bound of its own: how it is read, its unit, and
# what is noise at any size.
_TRENDS: Sequence[tuple[str, Callable[[Capture], float], float, float]] = (
    ("RSS without the map, MiB", _heap_bytes, MIB, 3.0),
    ("backend in use, MiB", lambda c: c.counts.backend_in_use_bytes, MIB, 2.0),
    ("leases", lambda c: c.counts.lease_count, 1, 10),
    ("elements of the lease heap", lambda c: c.counts.lease_heap_element_count, 1, 10),
    ("attached keys", lambda c: c.counts.attached_key_count, 1, 20),
    ("watch streams", lambda c: c.counts.stream_count, 1, 4),
    ("watchers", lambda c: c.counts.watcher_count, 1, 8),
    ("connections", lambda c: c.counts.connection_count, 1, 5),
    ("calls in flight", lambda c: c.counts.calls_in_flight, 1, 8),
    ("held events, MiB", lambda c: c.counts.held_event_bytes, MIB, 2.0),
)


def _trends(points: Sequence[Point]) -> list[Finding]:
    """Fit a line over the second half: what it rises there, against its mean."""
    half_s = points[-1].time_s / 2
    late = [point for point in points if point.time_s >= half_s]
    if points[-1].time_s < TREND_SECONDS_MIN or len(late) < 10:
        said = f"too short to tell: {points[-1].time_s:.0f} s of {TREND_SECONDS_MIN:g}"
        return [Finding("no trend in what has no bound", True, said)]
    times = [point.time_s for point in late]
    findings = []
    for name, read, unit, noise in _TRENDS:
        values = [read(point.capture) / unit for point in late]
        mean = sum(values) / len(values)
        rise = slope(times, values) * (times[-1] - times[0])
        allowed = noise + _TREND_SHARE * mean
        findings.append(
            Finding(
                f"{name}: no growth",
                rise <= allowed,
                f"{rise:+.1f} in {times[-1] - times[0]:.0f} s around {mean:.1f},"
                f" allowed {allowed:+.1f}",
            )
        )
    return findings


def slope(times: Sequence[float], values: Sequence[float]) -> float:
    """Return the slope of the line that fits best, 0 for a single time."""
    mean_time, mean_value = sum(times) / len(times), sum(values) / len(values)
    spread = sum((time - mean_time) ** 2 for time in times)
    if not spread:
        return 0.0
    pairs = zip(times, values, strict=True)
    return sum((t - mean_time) * (v - mean_value) for t, v in pairs) / spread


def _emptied(end: Counts) -> list[Finding]:
    """All clients have left but the one that asks, with its one call."""
    gone = {
        "watch streams": end.stream_count,
        "watchers": end.watcher_count,
        "slow watchers": end.slow_watcher_count,
        "waiting responses": end.pending_response_count,
        "held events": end.held_event_count,
        "leases": end.lease_count,
        "attached keys": end.attached_key_count,
        "elements of the lease heap": end.lease_heap_element_count,
        "other connections": max(end.connection_count - 1, 0),
        "other calls": max(end.calls_in_flight - 1, 0),
        "response bytes": end.response_in_flight_bytes,
    }
    left = {name: count for name, count in gone.items() if count}
    return [
        Finding(
            "nothing is left of clients that have gone",
            not left,
            ", ".join(f"{count} {name}" for name, count in left.items())
            or ", ".join(f"0 {name}" for name in gone),
        )
    ]
