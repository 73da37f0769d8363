"""`watchers`: what a connection, a stream and a watcher cost, and what a slow one does.

The article has the sum `c1 * connections + c2 * streams + c3 * watchers`. Here the
three are fitted to growing numbers of each. What it shows beyond the article: a slow
watcher costs when it catches up, not while it lags.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import pairwise

from miniet.client import WatchStream, watcher_of
from miniet.lab.costs import Cost, cost_of
from miniet.lab.figures import counts_of, stage_of
from miniet.lab.fit import Fit, fit
from miniet.lab.machine import GIB, Need
from miniet.lab.runner import Findings, Lab
from miniet.lab.subject import Subject
from miniet.lab.target import Setup
from miniet.memory.components import COUNTERPARTS, Component
from miniet.predict import calibration as fitted
from miniet.report.run import Stage, Table, Variant
from miniet.report.units import counted, number, size

NAME = "watchers"
QUESTION = (
    "What do a connection, a watch stream and a watcher cost, and what does a watcher "
    "that does not keep up?"
)
DISTURBS = ""

IDLE, TRACED, BACKLOG = "idle watchers", "idle watchers, traced", "backlog"
SHAPES = ((100, 0, 0), (20, 10, 0), (50, 1, 1), (10, 10, 10), (2, 5, 500), (2, 1, 2000))
"""Connections, streams on each, watchers on each of those; all of them stay."""
SLOW = 10
EVENTS = 20_000
EVENTS_MIN = 5_000
"""Windows and buffers on both ends take some MiB before a watcher is slow at all."""
EVENT_BYTES = 1024
EVENT_KEYS = 100
HISTORY_EVENTS = 1_000
PASSES_S = 4.0
"""etcd sends so many events of history at a time, every 100 ms."""
CHANNEL = 128
"""Responses that wait for a stream's client in etcd, from 3.4.10 on."""
ARTICLE = ("the article, etcd 3.4.9", 17_000, 18_000, 350)
MEASURED = ("etcd 3.4.23, heap and stacks", 119_000, 28_000, 470)
"""Fitted to 29 loads of a real one: its heap and stacks, each watcher with a key of
its own, 1,000 on a stream."""
SEEN_SHARE = 0.5
"""A witness that has less than this of RSS is said not to see the thing."""

CATCHING_UP_TIMES = 2
"""So many times what was held while they lagged is called a cost of catching up."""

PREDICTED = "Go, predicted, heap and stacks"
HERE_GO = "this etcd, heap and stacks"
RSS = "this server, RSS"
TRACED_ROW = "this server, traced by Python"

_KINDS = (Component.WATCH, Component.SERVER)
_PARTS = [part for kind in _KINDS for part in COUNTERPARTS[kind]]
_MANY_WATCHERS = 100


def need(scale: float) -> Need:
    """Both ends of a connection are on this machine."""
    return Need(
        memory_bytes=round(0.4 * GIB + 0.5 * GIB * scale),
        disk_bytes=round(0.2 * GIB + 0.1 * GIB * scale),
    )


def run(lab: Lab) -> None:
    traces = False
    for subject in lab.subjects([Setup(IDLE)]):
        traces = subject.read().product.startswith("miniet")
        _open_idle(lab, subject)
    if traces:
        for subject in lab.subjects([Setup(TRACED, is_traced=True)]):
            _open_idle(lab, subject)
    for subject in lab.subjects([Setup(BACKLOG)]):
        _fall_behind(lab, subject)


def _open_idle(lab: Lab, subject: Subject) -> None:
    """Open more and more, each on connections of its own, and read in between."""
    known = {"connection_count": 1, "watcher_key_bytes": 0, "watched_key_count": 0}
    subject.stage("started", collect=True, known=known)
    opened = []  # a stream that nobody refers to ends
    for shape in SHAPES:
        connections, streams, watchers = shape
        connections = lab.scaled(connections)
        if watchers > _MANY_WATCHERS:
            watchers = lab.scaled(watchers)
        for _ in subject.each(range(connections), "connecting"):
            client = subject.connect()
            client.status()
            for _ in range(streams):
                first = known["watched_key_count"]
                keys = [subject.key(f"w-{first + n:06d}") for n in range(watchers)]
                opened.append(client.watch(watcher_of(key) for key in keys))
                opened[-1].wait_created()
                known["watched_key_count"] += watchers
                known["watcher_key_bytes"] += sum(map(len, keys))
        known["connection_count"] += connections
        name = f"{connections} x {streams} x {watchers}"
        subject.stage(name, collect=True, known=known)


def _fall_behind(lab: Lab, subject: Subject) -> None:
    """Let watchers lag, then read; last comes one that starts with all of history."""
    count = lab.scaled(EVENTS, EVENTS_MIN)
    key, end = subject.key("e-"), subject.key("e.")
    known = {"connection_count": 1 + SLOW, "range_watcher_count": SLOW}
    streams = [subject.connect().watch([watcher_of(key, end)]) for _ in range(SLOW)]
    for stream in streams:
        stream.wait_created()
    subject.stage("watching", collect=True, known=known)
    begun = subject.revision() + 1
    keys = [subject.key(f"e-{n:03d}") for n in range(EVENT_KEYS)]
    value = bytes(EVENT_BYTES)
    pairs = ((keys[n % EVENT_KEYS], value) for n in range(count))
    subject.put_all(pairs, total=count)
    waiting = {
        "pending_response_count": SLOW * CHANNEL,
        "held_event_count": CHANNEL,
        "held_event_bytes": CHANNEL * (EVENT_BYTES + len(keys[0])),
    }
    subject.stage("lagging", collect=True, known=known | waiting)
    subject.read(new_peak=True)
    _read_all(subject, streams, count)
    subject.stage("caught up", known=known)
    subject.read(new_peak=True)
    late = subject.client.watch([watcher_of(key, end, start_revision=begun)])
    late.wait_created()
    subject.idle(PASSES_S, "waiting")
    pending = subject.read().counts.pending_event_count
    waiting = {
        "pending_response_count": -(-pending // HISTORY_EVENTS),
        "held_event_count": pending,
        "held_event_bytes": pending * (EVENT_BYTES + len(keys[0])),
    }
    subject.stage("from the start", collect=True, known=known | waiting)
    late.cancel()


def _read_all(subject: Subject, streams: Sequence[WatchStream], count: int) -> None:
    """Read what has happened, all streams side by side."""
    left = dict.fromkeys(streams, count)
    for _ in subject.each(range(count), "catching up"):
        for stream in [stream for stream in left if left[stream] > 0]:
            left[stream] -= len(stream.receive().events)
        if max(left.values()) <= 0:
            break


def explain(variants: Sequence[Variant]) -> Findings:
    """Fit the three costs, and say what it costs to lag and to catch up."""
    fits = dict(_fits(variants))
    verdict = [*_of_fits(fits)]
    for variant in variants:
        if variant.name == BACKLOG:
            verdict += _of_backlog(variant)
    return Findings(verdict=verdict, tables=[_table(fits)])


Reading = Callable[[Stage], int | None]


def _fits(variants: Sequence[Variant]) -> Iterator[tuple[str, Fit]]:
    """Fit every witness there is, on the server that it is to be read of."""
    readings: list[tuple[str, str, Reading]] = [
        (IDLE, PREDICTED, _predicted),
        (IDLE, HERE_GO, _measured),
        (IDLE, RSS, _resident),
        (TRACED, TRACED_ROW, _traced),
    ]
    for variant in variants:
        steps = list(pairwise(variant.stages))
        for of, name, read in readings:
            sizes = [(read(before), read(after)) for before, after in steps]
            grown = [b - a for a, b in sizes if a is not None and b is not None]
            if of != variant.name or not steps or len(grown) < len(steps):
                continue
            found = fit([_opened(before, after) for before, after in steps], grown)
            if found is not None:
                yield name, found


def _opened(before: Stage, after: Stage) -> tuple[int, int, int]:
    a, b = before.capture.counts, after.capture.counts
    return (
        b.connection_count - a.connection_count,
        b.stream_count - a.stream_count,
        b.watcher_count - a.watcher_count,
    )


def _predicted(stage: Stage) -> int | None:
    if stage.prediction is None:
        return None
    counts = stage.capture.counts
    heap = sum(stage.prediction.components[part].likely for part in _PARTS)
    stacks = counts.connection_count * fitted.CONNECTION_STACK_BYTES
    return heap + stacks + counts.stream_count * fitted.STREAM_STACK_BYTES


def _measured(stage: Stage) -> int | None:
    live, go = stage.capture.live_heap_bytes, stage.capture.go
    return None if live is None or go is None else live + go.stack_in_use_bytes


def _resident(stage: Stage) -> int | None:
    process = stage.capture.process
    return process.resident_bytes if process else None


def _traced(stage: Stage) -> int | None:
    traced = stage.capture.traced
    return traced.total_bytes if traced else None


def _of_fits(fits: Mapping[str, Fit]) -> Iterator[str]:
    go = fits.get(HERE_GO) or fits.get(PREDICTED)
    if go is not None:
        how = "measured" if HERE_GO in fits else "predicted"
        times = [
            f"{weight / known:.1f}"
            for weight, known in zip(go.weights, ARTICLE[1:], strict=True)
        ]
        yield (
            f"In Go a connection costs {_bytes(go, 0)}, a watch stream {_bytes(go, 1)} "
            f"and a watcher {_bytes(go, 2)}, heap and stacks together ({how}). The "
            "article has 17 KB, 18 KB and 350 B: what is found here is "
            f"{times[0]}, {times[1]} and {times[2]} times that."
        )
    resident, traced = fits.get(RSS), fits.get(TRACED_ROW)
    if resident is not None and traced is not None:
        yield (
            f"Of this server the RSS grew by {_bytes(resident, 0)} per connection, "
            f"{_bytes(resident, 1)} per stream and {_bytes(resident, 2)} per watcher."
            f"{_unseen(resident, traced)}"
        )


def _bytes(found: Fit, position: int) -> str:
    return f"{number(round(found.weights[position]))} B"


def _unseen(resident: Fit, traced: Fit) -> str:
    """Say what tracemalloc does not see: grpcio keeps it in C."""
    missed = [
        f"{_bytes(traced, position)} of a {what}"
        for position, what in enumerate(("connection", "stream"))
        if traced.weights[position] < SEEN_SHARE * resident.weights[position]
    ]
    if not missed:
        return ""
    return (
        f" tracemalloc sees only {' and '.join(missed)}: grpcio keeps connections and "
        "the transport's part of streams in C."
    )


def _of_backlog(variant: Variant) -> Iterator[str]:
    counts = counts_of(variant, "lagging")
    if not counts.slow_watcher_count:
        yield f"No watcher fell behind by {number(_events(variant))} events."
        return
    lag = cost_of(variant, "lagging", _KINDS, since="watching")
    held = max(counts.held_event_bytes, lag.predicted or 0, lag.measured or 0)
    yield (
        f"{counted(counts.slow_watcher_count, 'watcher')} that did not read fell "
        f"{number(_events(variant))} events behind. While they lag, "
        f"{number(counts.pending_event_count)} events wait in their streams, "
        f"{counted(counts.held_event_count, 'different one')} with "
        f"{size(counts.held_event_bytes)}{_in_go(lag)}. The rest is not kept: it is in "
        "the backend."
    )
    yield from _of_catching_up(variant, held)
    late = counts_of(variant, "from the start")
    cost = cost_of(variant, "from the start", _KINDS, since="watching")
    if late.pending_event_count > counts.pending_event_count:
        yield (
            "A watcher that begins with the oldest event and does not read is worse "
            f"than all of those: {number(late.pending_event_count)} events wait, up to "
            f"{number(HISTORY_EVENTS)} in each response, {size(late.held_event_bytes)}"
            f"{_in_go(cost)}."
        )


def _of_catching_up(variant: Variant, held: int) -> Iterator[str]:
    before = stage_of(variant, "lagging").capture.process
    after = stage_of(variant, "caught up").capture.process
    if before is None or after is None or after.peak_resident_bytes is None:
        return
    more = after.peak_resident_bytes - before.resident_bytes
    peak = (
        f"when they read all of it the server peaked at "
        f"{size(after.peak_resident_bytes)}, {size(more)} above the "
        f"{size(before.resident_bytes)} before"
    )
    if more > CATCHING_UP_TIMES * held:
        yield f"A slow watcher costs when it catches up, not while it lags: {peak}."
    else:
        yield f"{peak[0].upper()}{peak[1:]}."


def _events(variant: Variant) -> int:
    lagging, watching = (counts_of(variant, n) for n in ("lagging", "watching"))
    return lagging.put_total - watching.put_total


def _in_go(cost: Cost) -> str:
    if cost.predicted is None:
        return ""
    measured = "" if cost.measured is None else f", measured: {size(cost.measured)}"
    return f" (in Go {size(cost.predicted)}{measured})"


def _table(fits: dict[str, Fit]) -> Table:
    rows: list[tuple[str, int | str, int | str, int | str, str]] = [
        (*known, "") for known in (ARTICLE, MEASURED)
    ]
    for name, found in fits.items():
        c1, c2, c3 = (round(weight) for weight in found.weights)
        rows.append((name, c1, c2, c3, f"{found.worst:.0%}"))
    return Table(
        title="Bytes per connection, stream and watcher",
        columns=("by", "connection", "stream", "watcher", "worst error"),
        rows=tuple(rows),
        note="Least squares of relative errors over growing numbers of each; the worst "
        "error is that of one step. A step opens so many connections x streams on each "
        "x watchers on each. A Go process's RSS has garbage in it.",
    )
