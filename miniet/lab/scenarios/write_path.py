"""`write-path`: one put, followed through every room that it passes.

One put of 4 KiB, then as many as make Python's and Go's bytes per put stand out, then
the ways of getting rid of them.
"""

from collections.abc import Callable, Iterator, Sequence

from miniet.lab.figures import counts_of, stage_of
from miniet.lab.machine import GIB, Need
from miniet.lab.runner import Findings, Lab
from miniet.lab.target import Setup
from miniet.memory.components import COUNTERPARTS, Component
from miniet.memory.counts import Counts
from miniet.report.run import Stage, Table, Variant
from miniet.report.units import KIB, counted, number, size

NAME = "write-path"
QUESTION = "What does one put of 4 KiB leave in each room that it passes?"
DISTURBS = "compacts all history and defragments the backend"

PUTS = 2_000
VALUE_BYTES = 4 * KIB

_ROOMS: tuple[tuple[str, str, Callable[[Counts], int]], ...] = (
    ("raft log", "entries", lambda counts: counts.raft_entry_count),
    ("raft log", "bytes of data", lambda counts: counts.raft_payload_bytes),
    ("treeIndex", "keys", lambda counts: counts.index_key_count),
    ("treeIndex", "bytes of keys", lambda counts: counts.index_key_bytes),
    ("treeIndex", "revisions", lambda counts: counts.index_revision_count),
    ("backend", "pairs not committed", lambda counts: counts.backend_uncommitted_count),
    ("backend", "bytes of those", lambda counts: counts.backend_uncommitted_bytes),
    ("backend", "bytes of pages in use", lambda counts: counts.backend_in_use_bytes),
)


def need(scale: float) -> Need:
    """A few thousand puts, traced."""
    return Need(
        memory_bytes=round(0.3 * GIB + 0.1 * GIB * scale),
        disk_bytes=round(0.3 * GIB + 0.1 * GIB * scale),
    )


def run(lab: Lab) -> None:
    puts = lab.scaled(PUTS)
    value = bytes(VALUE_BYTES)
    for subject in lab.subjects([Setup("one put", is_traced=True)]):
        keys = [subject.key(f"key-{number:06d}") for number in range(puts)]
        subject.put_all((key, value) for key in keys[:1])  # connections, first pages
        subject.client.delete(keys[0])
        subject.compact()
        subject.stage("before", collect=True)
        subject.put_all((key, value) for key in keys[:1])
        subject.stage("put", settle=False)
        subject.stage("committed", known={"index_key_bytes": len(keys[0])})
        subject.put_all(((key, value) for key in keys[1:]), total=puts - 1)
        known = {"index_key_bytes": sum(map(len, keys))}
        held = subject.stage("put many", known=known, collect=True).counts
        subject.client.delete(keys[0], keys[-1] + b"\0")
        # A real etcd counts one deletion; every key has a tombstone of its own.
        known |= {
            "index_key_count": held.index_key_count,
            "index_generation_count": held.index_generation_count + puts,
            "index_revision_count": held.index_revision_count + puts,
        }
        subject.stage("deleted", known=known, collect=True)
        subject.compact()
        subject.stage("compacted", collect=True)
        subject.defragment()
        subject.stage("defragmented", collect=True)


def explain(variants: Sequence[Variant]) -> Findings:
    """Follow the put, and say which room kept it to the end."""
    (variant,) = variants
    verdict = [*_one(variant), *_many(variant), *_end(variant)]
    return Findings(verdict=verdict, tables=[_rooms(variant), _bytes(variant)])


def _one(variant: Variant) -> Iterator[str]:
    before, put = counts_of(variant, "before"), counts_of(variant, "put")
    unseen = stage_of(variant, "before").capture.unseen
    entries = put.raft_entry_count - before.raft_entry_count
    data = put.raft_payload_bytes - before.raft_payload_bytes
    keys = put.index_key_count - before.index_key_count
    revisions = put.index_revision_count - before.index_revision_count
    yield (
        f"One put of {size(VALUE_BYTES)} leaves "
        f"{counted(entries, 'entry', 'entries')} of {number(data)} bytes in the raft "
        f"log, {counted(keys, 'key')} and {counted(revisions, 'revision')} in "
        "treeIndex, which never has the value, and a pair in the backend's file."
    )
    if put.backend_uncommitted_bytes:
        committed = counts_of(variant, "committed")
        yield (
            f"Right after the put {size(put.backend_uncommitted_bytes)} waited for the "
            f"backend's next commit, {size(committed.backend_uncommitted_bytes)} a "
            "moment later. From then on the log alone keeps the value in memory."
        )
    if not put.raft_unstable_count and "raft_unstable_count" not in unseen:
        yield (
            "The unstable log and the WAL's buffer only pass it on: by the time of the "
            "answer it was written, and both were empty again."
        )


def _many(variant: Variant) -> Iterator[str]:
    """Divide what many puts have left by their number."""
    before, many = stage_of(variant, "committed"), stage_of(variant, "put many")
    puts = _puts(before, many)
    per_put = _per_put(before, many)
    python = {name: booked for name, booked, _ in per_put if booked}
    go = {name: predicted for name, _, predicted in per_put if predicted}
    for who, sizes in (("Python", python), ("Go, as predicted", go)):
        if sizes:
            parts = sorted(sizes.items(), key=lambda item: -item[1])
            said = ", ".join(f"{name} {number(part)}" for name, part in parts[:4])
            yield (
                f"{who}: {number(sum(sizes.values()))} bytes per put stay, over "
                f"{number(puts)} puts: {said}."
            )


def _end(variant: Variant) -> Iterator[str]:
    """Say what deleting, compacting and defragmenting took, and what is left."""
    many, deleted, end = (
        counts_of(variant, name) for name in ("put many", "deleted", "defragmented")
    )
    more = deleted.index_revision_count - many.index_revision_count
    if more > 0:
        yield (
            "Deleting all keys makes treeIndex larger, by "
            f"{counted(more, 'revision')}: a tombstone each. "
            "Compaction takes keys, revisions and tombstones."
        )
    yield (
        f"At the end treeIndex has {counted(end.index_revision_count, 'revision')}, "
        f"the backend is {size(end.backend_size_bytes)}, and the raft log has "
        f"{counted(end.raft_entry_count, 'entry', 'entries')} with "
        f"{size(end.raft_payload_bytes)}: neither deleting, compacting nor "
        "defragmenting takes anything from it."
        if end.raft_payload_bytes >= many.raft_payload_bytes
        else f"At the end the raft log has {size(end.raft_payload_bytes)}, "
        f"{size(many.raft_payload_bytes - end.raft_payload_bytes)} less: a snapshot "
        "cut it."
    )


def _puts(before: Stage, after: Stage) -> int:
    return max(after.capture.counts.put_total - before.capture.counts.put_total, 1)


def _per_put(before: Stage, after: Stage) -> list[tuple[str, int, int]]:
    """Return component, bytes that Python booked and Go is predicted, per put."""
    puts = _puts(before, after)

    def growth(read: Callable[[Stage, Component], int], component: Component) -> int:
        return round((read(after, component) - read(before, component)) / puts)

    return [
        (component.label, growth(_booked, component), growth(_predicted, component))
        for component in Component
    ]


def _booked(stage: Stage, component: Component) -> int:
    traced = stage.capture.traced
    return traced.bytes_by_component[component] if traced else 0


def _predicted(stage: Stage, component: Component) -> int:
    if stage.prediction is None:
        return 0
    return sum(stage.prediction.components[go].likely for go in COUNTERPARTS[component])


def _rooms(variant: Variant) -> Table:
    """Show what every room has more than before, stage by stage."""
    before, *later = variant.stages
    rows: list[tuple[str | int | float, ...]] = []
    for room, what, read in _ROOMS:
        changes = [
            read(stage.capture.counts) - read(before.capture.counts) for stage in later
        ]
        if any(changes):
            rows.append((f"{room}, {what}", *changes))
    return Table(
        title="More than before the put",
        columns=("room", *(stage.name for stage in later)),
        rows=tuple(rows),
    )


def _bytes(variant: Variant) -> Table:
    before, many = stage_of(variant, "committed"), stage_of(variant, "put many")
    rows = [row for row in _per_put(before, many) if any(row[1:])]
    return Table(
        title="Bytes that stay, per put",
        columns=("component", "Python, booked", "Go, predicted"),
        rows=tuple(rows),
    )
