"""`case-study`: one key of 1 MiB is put 1,000 times; who holds 2 GB at the end?

The load of the article, under four settings. What it shows beyond the article: only
half of the 2 GB is the raft log. The rest is garbage and freed heap, which Go gives
back by itself within minutes, or keeps until the kernel asks (MADV_FREE).
"""

from collections.abc import Iterator, Sequence
from itertools import pairwise

from miniet.lab.figures import (
    catchup_entries,
    counts_of,
    has_stage,
    snapshot_count,
    stage_of,
)
from miniet.lab.machine import GIB, Need
from miniet.lab.runner import Findings, Lab
from miniet.lab.subject import Subject
from miniet.lab.target import Setup
from miniet.memory.capture import Capture
from miniet.memory.counts import Counts
from miniet.predict import GoModel, profile_of
from miniet.releases import CATCHUP_ENTRIES
from miniet.report.run import Stage, Table, Variant
from miniet.report.units import MIB, counted, duration, number, percent, size

NAME = "case-study"
QUESTION = (
    "One key of 1 MiB is put again and again, then compacted and defragmented: which "
    "structure still holds the memory, and what frees it?"
)
DISTURBS = "compacts all history and defragments the backend"

PUTS = 1_000
VALUE_BYTES = MIB
SNAPSHOT_COUNT = 500
SMALL_CATCHUP = 100
FREED_SHARE = 0.5
"""A variant that ends with less than this of the log's payload has freed it."""
NOTICED_SHARE = 0.1
"""Of RSS. Between two readings it moves by some percent anyway."""
KEPT_SHARE = 0.2
"""Of freed bytes, what a process must still have for that to be worth a sentence."""
KEPT_BYTES_MIN = 64 << 20
"""And at the least: the allocator keeps pieces, tracing takes its own."""

_KEY = "foo"
_TOLD = ("defragmented", "left alone")
"""Stages whose measured RSS is told, where there is one."""
_IDLE_MINUTES = (0, 2, 5, 8)
_MADV_FREE = "3.4.9"
"""The article's release, built with a Go whose freed pages stay resident."""


def need(scale: float) -> Need:
    """The log in memory; on disk the WAL, the backend and its copy."""
    return Need(
        memory_bytes=round(0.3 * GIB + 2.8 * GIB * scale),
        disk_bytes=round(0.5 * GIB + 3.3 * GIB * scale),
    )


def run(lab: Lab) -> None:
    puts = lab.scaled(PUTS)
    every = f"--snapshot-count={lab.scaled(SNAPSHOT_COUNT)}"
    catchup = f"--experimental-snapshot-catchup-entries={lab.scaled(SMALL_CATCHUP)}"
    setups = (
        Setup("default", is_traced=True),
        Setup(every, (every,)),
        Setup("--profile=3.6", profile="3.6"),
        Setup(f"{every}, few catch-up entries", (every, catchup)),
    )
    for subject in lab.subjects(setups):
        key = subject.key(_KEY)
        known = {"index_key_bytes": len(key)}
        subject.stage("started", known=known)
        subject.put_all(
            ((key, _value(number)) for number in range(puts)), total=puts, in_flight=4
        )
        subject.stage("loaded", known=known)
        subject.compact()
        subject.stage("compacted", known=known)
        subject.defragment()
        last = subject.stage("defragmented", known=known)
        if lab.idle_s:
            subject.idle(lab.idle_s)
            last = subject.stage("left alone", known=known, idle_s=lab.idle_s)
        if last.go is not None:
            subject.stage("garbage collected", known=known, collect=True)
        if subject.name == "default" and lab.is_own_server:
            _restart(subject, known, last)


def _value(number: int) -> bytes:
    """Make a value; bytes that differ from the next one's, cheaply."""
    return number.to_bytes(8, "big") * (VALUE_BYTES // 8)


def _restart(subject: Subject, known: dict[str, int], before: Capture) -> None:
    """What everybody tries first: the log comes back out of the WAL."""
    subject.restart()
    payload = before.counts.raft_payload_bytes
    subject.stage(
        "restarted", known={**known, "raft_payload_bytes": payload}, collect=True
    )


def explain(variants: Sequence[Variant]) -> Findings:
    """Tell the story of the first variant, and hold the others against it."""
    first, *others = variants
    verdict = [*_story(first), *_others(first, others), *_remedy(variants)]
    return Findings(verdict=verdict, tables=[*_ends(variants), *_later(first)])


def _story(variant: Variant) -> Iterator[str]:
    loaded, stage = counts_of(variant, "loaded"), stage_of(variant, "defragmented")
    end = stage.capture.counts
    backend = (
        "after compaction and defragmentation the backend is "
        f"{size(end.backend_size_bytes)}"
    )
    log = f"the raft log still holds {_log(end)}"
    if end.raft_payload_bytes > FREED_SHARE * loaded.put_bytes_total:
        yield f"The raft log holds it: {backend}, but {log}, the puts as proposed."
    else:
        yield f"The raft log does not hold it: {backend}, and {log}."
    revisions = counted(loaded.index_revision_count, "revision")
    yield (
        f"Compaction took treeIndex from {revisions} to "
        f"{number(end.index_revision_count)}, and defragmentation the backend's file "
        f"from {size(loaded.backend_size_bytes)} to {size(end.backend_size_bytes)}. "
        "Neither reaches the log. It is cut only when raft takes a snapshot, after "
        f"more than {number(snapshot_count(stage.capture))} entries "
        f"(--snapshot-count), and even then the last "
        f"{number(catchup_entries(stage.capture))} stay for followers that are behind "
        "(catch-up entries)."
    )
    if has_stage(variant, "restarted"):
        back = counts_of(variant, "restarted")
        if back.raft_payload_bytes > FREED_SHARE * end.raft_payload_bytes:
            yield (
                "A restart does not help: the log is read back from the WAL, "
                f"{_log(back)}."
            )
    yield from _of_go(variant, stage)
    yield from _measured(variant)


def _log(counts: Counts) -> str:
    entries = counted(counts.raft_entry_count, "entry", "entries")
    return f"{entries} with {size(counts.raft_payload_bytes)}"


def _of_go(variant: Variant, stage: Stage) -> Iterator[str]:
    """Say what of Go's figure is the log, and what becomes of the rest."""
    if stage.prediction is None:
        return
    live, rss = stage.prediction.live_heap, stage.prediction.resident
    log, release = stage.prediction.components["raft"].likely, stage.prediction.profile
    later, kept = (
        _idle_predictions(variant, name)[-1] for name in (release, _MADV_FREE)
    )
    yield (
        f"A Go etcd {release} is predicted at {size(rss.likely)} RSS right then "
        f"({size(rss.low)} to {size(rss.high)}). Of that the raft log is {size(log)}, "
        f"{log / rss.likely:.0%}, out of {size(live.likely)} of live heap; the rest is "
        "garbage, freed heap that is not returned yet, and the program. Left alone for "
        f"{_IDLE_MINUTES[-1]} minutes it comes to {size(later)}, as Go from 1.16 on "
        f"gives freed pages back at once (MADV_DONTNEED). An etcd {_MADV_FREE} (Go "
        f"1.12, MADV_FREE) goes on to show {size(kept)} until the kernel runs short of "
        "memory."
    )


def _measured(variant: Variant) -> Iterator[str]:
    """Hold a real etcd's own figures against the prediction."""
    for stage in variant.stages:
        capture, prediction = stage.capture, stage.prediction
        if capture.go is None or prediction is None:
            continue
        measured = capture.live_heap_bytes
        if measured is not None:
            predicted = prediction.live_heap.likely
            log = (capture.go.bytes_by_component or {}).get("raft")
            of_it = f", {size(log)} of it the log by its profile" if log else ""
            yield (
                f"Measured when {stage.name}: {size(measured)} of live heap{of_it}; "
                f"predicted {size(predicted)} ({percent(predicted / measured - 1)})."
            )
        elif capture.process is not None and stage.name in _TOLD:
            low, high = prediction.resident.low, prediction.resident.high
            yield (
                f"Measured when {stage.name}: {size(capture.process.resident_bytes)} "
                f"RSS; predicted {size(low)} to {size(high)}."
            )
    yield from _given_back(variant)


def _given_back(variant: Variant) -> Iterator[str]:
    """Say what of a real etcd's RSS went by itself, and what stays as it is lazy."""
    if not has_stage(variant, "left alone"):
        return
    before = stage_of(variant, "defragmented").capture
    after = stage_of(variant, "left alone").capture
    if after.go is None or before.process is None or after.process is None:
        return
    resident = after.process.resident_bytes
    gone = before.process.resident_bytes - resident
    lazy = after.process.lazy_free_bytes or 0
    if gone > NOTICED_SHARE * before.process.resident_bytes:
        time = duration(after.time_s - before.time_s)
        yield (
            f"So {size(gone)} of garbage and freed heap went by themselves in {time}, "
            "with nothing cut, compacted or restarted."
        )
    if lazy > NOTICED_SHARE * resident:
        yield (
            f"Of the {size(resident)}, {size(lazy)} are freed heap that Go has given "
            "back with MADV_FREE: resident until the kernel runs short of memory."
        )


def _others(first: Variant, others: Sequence[Variant]) -> Iterator[str]:
    """Say of each other variant what it freed, and what its catch-up entries hold."""
    whole = counts_of(first, "defragmented")
    for variant in others:
        capture = stage_of(variant, "defragmented").capture
        end, catchup = capture.counts, number(catchup_entries(capture))
        freed = whole.raft_payload_bytes - end.raft_payload_bytes
        # A snapshot with fewer entries before it than stay takes the first alone.
        if end.raft_first_index > 2 and freed > 0.01 * whole.raft_payload_bytes:
            yield (
                f"With {variant.name} the log ends with {_log(end)}, {size(freed)} "
                f"less: snapshots cut it, and each leaves {catchup} entries behind it."
                f"{_kept_by_allocator(capture, freed)}"
            )
        elif end.raft_snapshot_index:
            yield (
                f"With {variant.name} a snapshot at index "
                f"{number(end.raft_snapshot_index)} freed nothing: the log holds "
                f"{_log(end)}, no more entries than the {catchup} that stay for "
                "catching up."
            )
        else:
            yield f"With {variant.name} no snapshot was due: the log holds {_log(end)}."


def _kept_by_allocator(capture: Capture, freed: int) -> str:
    """Say what a process still has of what was freed in it, if that is much."""
    now, before = capture.process, capture.baseline
    if now is None or before is None:
        return ""
    if now.anonymous_bytes is None or before.anonymous_bytes is None:
        return ""
    grown = now.anonymous_bytes - before.anonymous_bytes
    kept = grown - capture.counts.raft_payload_bytes
    if kept < max(KEPT_SHARE * freed, KEPT_BYTES_MIN):
        return ""
    return (
        " Of what was freed, miniet's process still has up to "
        f"{size(min(kept, freed))} resident: Python's allocator keeps it for new "
        "values, as Go's does for a while."
    )


def _remedy(variants: Sequence[Variant]) -> Iterator[str]:
    """Say what freed it here, and what it comes to where catch-up cannot be set."""
    first = counts_of(variants[0], "defragmented")
    mean = first.raft_payload_bytes / max(first.raft_entry_count, 1)
    floor = size(mean * CATCHUP_ENTRIES)
    ends = [stage_of(variant, "defragmented").capture for variant in variants[1:]]
    freeing = [
        f"--snapshot-count={snapshot_count(end)} with "
        f"--experimental-snapshot-catchup-entries={catchup_entries(end)}"
        for end in ends
        if end.counts.raft_payload_bytes < FREED_SHARE * first.raft_payload_bytes
    ]
    if freeing:
        yield (
            f"What frees it: {' or '.join(freeing)}. The price: a follower that falls "
            "further behind is sent a whole snapshot. etcd has that flag from 3.5.16 "
            "on (in 3.6 without `experimental`); before, catch-up entries are "
            f"{number(CATCHUP_ENTRIES)}, here {floor}, which only smaller values make "
            "less."
        )
    else:
        tried = "Nothing tried here freed it. " if ends else ""
        yield (
            f"{tried}With {number(CATCHUP_ENTRIES)} catch-up entries the log may keep "
            f"{floor} of values of this size."
        )


def _later(variant: Variant) -> Iterator[Table]:
    """Predict what Go gives back by itself while nothing is asked of it."""
    stage = stage_of(variant, "defragmented")
    if stage.prediction is None:
        return
    names = dict.fromkeys((stage.prediction.profile, _MADV_FREE))
    columns = [_idle_predictions(variant, name) for name in names]
    yield Table(
        title="Predicted RSS of a Go etcd that is left alone then",
        columns=("minutes", *(f"etcd {name}, MiB" for name in names)),
        rows=tuple(
            (minutes, *(round(column[row] / MIB) for column in columns))
            for row, minutes in enumerate(_IDLE_MINUTES)
        ),
        note="The likely figures. After 2 minutes without a collection Go forces one; "
        "then its scavenger gives pages back, slowly. With MADV_FREE (Go 1.12 to 1.15) "
        "they count as resident until the kernel wants them.",
    )


def _ends(variants: Sequence[Variant]) -> Iterator[Table]:
    rows = []
    for variant in variants:
        stage = stage_of(variant, "defragmented")
        counts = stage.capture.counts
        predicted = stage.prediction.resident.likely if stage.prediction else 0
        rows.append(
            (
                variant.name,
                counts.raft_entry_count,
                round(counts.raft_payload_bytes / MIB, 1),
                counts.raft_snapshot_index,
                round(counts.backend_size_bytes / MIB, 1),
                round(predicted / MIB),
            )
        )
    yield Table(
        title="The variants, defragmented",
        columns=(
            "variant",
            "log entries",
            "log, MiB",
            "last snapshot",
            "backend, MiB",
            "Go RSS, MiB",
        ),
        rows=tuple(rows),
    )


def _idle_predictions(variant: Variant, profile: str) -> list[int]:
    """Follow a Go etcd through the stages and predict its RSS while it is idle."""
    model = GoModel(profile_of(profile))
    for stage in variant.stages:
        sizes = [model.step(stage.capture.counts).resident.likely]
        if stage.name == "defragmented":
            break
    for before, after in pairwise(_IDLE_MINUTES):
        idle_s = 60.0 * (after - before)
        sizes.append(model.step(stage.capture.counts, idle_s=idle_s).resident.likely)
    return sizes
