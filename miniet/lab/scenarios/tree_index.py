"""`tree-index`: what a key and a revision cost, and what compaction gives back.

The index has every key, and per key every revision since the last compaction. What it
shows beyond the article: compaction does not shrink what Go keeps for a key that lives
on. Its slice of revisions is re-sliced, the array stays until it must grow.
"""

from collections.abc import Iterator, Sequence

from miniet.lab.costs import Cost, cost_of, cost_table, untraced
from miniet.lab.figures import counts_of, has_stage
from miniet.lab.machine import GIB, Need
from miniet.lab.runner import Findings, Lab
from miniet.lab.subject import Subject
from miniet.lab.target import Setup
from miniet.memory.components import Component
from miniet.report.run import Table, Variant
from miniet.report.units import counted, number

NAME = "tree-index"
QUESTION = (
    "What do a key and each of its revisions cost in the index, and what do "
    "compaction, deletion and a restart give back?"
)
DISTURBS = "compacts all history"

KEYS = 10_000
KEY_LENGTHS = {"short keys": 16, "long keys": 256}
HISTORY = "100 revisions"
HISTORY_KEYS = 500
HISTORY_KEY_LENGTH = 64
REVISIONS = 100
FREE_SLOTS = 28
"""Go's array for 100 revisions has 128 slots. What compaction leaves takes one of
those behind the 99 that it cut off."""
MORE, ONE_MORE = f"{FREE_SLOTS} more", f"{FREE_SLOTS + 1} more"
SAME_SHARE = 0.05
"""Figures that are closer than this are called the same."""


_VALUE = b"8 bytes."
_KEYS_MIN = 100  # of one txn: in it no key may come twice


def need(scale: float) -> Need:
    """A traced server takes some KiB per key, the tables of the tracer among them."""
    return Need(
        memory_bytes=round(0.3 * GIB + 0.3 * GIB * scale),
        disk_bytes=round(0.2 * GIB + 0.3 * GIB * scale),
    )


def run(lab: Lab) -> None:
    # Python's bytes are what nobody can tell from counts.
    names = (*KEY_LENGTHS, HISTORY)
    for subject in lab.subjects([Setup(name, is_traced=True) for name in names]):
        if subject.name == HISTORY:
            _write_history(lab, subject)
        else:
            _write_and_delete(lab, subject, KEY_LENGTHS[subject.name])


def _write_and_delete(lab: Lab, subject: Subject, length: int) -> None:
    keys = _keys(subject, lab.scaled(KEYS, _KEYS_MIN), length)
    known = _Known(keys)
    subject.stage("started", collect=True, known=known.empty())
    before = subject.client.put(keys[0], _VALUE)
    loaded = _put(subject, keys, 1)
    subject.rest(before)
    subject.stage("loaded", collect=True, known=known.held(1))
    subject.client.delete(min(keys), max(keys) + b"\0")
    subject.rest(loaded)
    subject.stage("deleted", collect=True, known=known.deleted())
    subject.compact()
    subject.stage("compacted", collect=True, known=known.empty())


def _write_history(lab: Lab, subject: Subject) -> None:
    keys = _keys(subject, lab.scaled(HISTORY_KEYS, _KEYS_MIN), HISTORY_KEY_LENGTH)
    known = _Known(keys)
    subject.stage("started", collect=True, known=known.empty())
    before = subject.client.put(keys[0], _VALUE)
    _put(subject, keys, REVISIONS)
    subject.rest(before)
    subject.stage("loaded", collect=True, known=known.held(REVISIONS))
    subject.compact()
    cut = REVISIONS - 1
    subject.stage("compacted", collect=True, known=known.held(1, cut=cut))
    # Revisions to rest at, of which each takes one revision from one key.
    rests = [subject.client.put(key, _VALUE) for key in keys[:2]]
    _put(subject, keys, FREE_SLOTS)
    subject.rest(rests[0])
    subject.stage(MORE, collect=True, known=known.held(1 + FREE_SLOTS))
    _put(subject, keys, 1)
    subject.rest(rests[1])
    subject.stage(ONE_MORE, collect=True, known=known.held(2 + FREE_SLOTS))
    subject.compact()
    cut = 1 + FREE_SLOTS
    last = subject.stage("compacted again", collect=True, known=known.held(1, cut=cut))
    if lab.is_own_server:
        subject.restart()
        # A real etcd forgets what its entries were made of; they are the same.
        log = {"raft_payload_bytes": last.counts.raft_payload_bytes}
        subject.stage("restarted", collect=True, known=known.held(1) | log)


class _Known:
    """What a real etcd does not tell of its index, and this load implies."""

    def __init__(self, keys: Sequence[bytes]) -> None:
        self._key_count = len(keys)
        self._key_bytes = sum(map(len, keys))

    def empty(self) -> dict[str, int]:
        return self._index(0, 0)

    def held(self, revisions: int, *, cut: int = 0) -> dict[str, int]:
        """Describe keys of so many revisions, and what a compaction took of each."""
        known = self._index(1, revisions)
        if cut:
            known["index_cut_revision_count"] = cut * self._key_count
            known["index_compacted_revision_count"] = self._key_count
        return known

    def deleted(self) -> dict[str, int]:
        """Describe deleted keys: a tombstone, and an empty generation behind it."""
        return self._index(2, 2)

    def _index(self, generations: int, revisions: int) -> dict[str, int]:
        count = self._key_count if generations else 0
        return {
            "index_key_count": count,
            "index_key_bytes": self._key_bytes if generations else 0,
            "index_generation_count": generations * count,
            "index_revision_count": revisions * count,
        }


def _keys(subject: Subject, count: int, length: int) -> list[bytes]:
    """Make keys of a length, or what the lab's prefix and their number take."""
    width = length - len(subject.key(""))
    # Reversed digits: most keys come between others, not after the last one.
    return [subject.key(f"{n:08d}"[::-1].ljust(width, "-")) for n in range(count)]


def _put(subject: Subject, keys: Sequence[bytes], times: int) -> int:
    pairs = ((key, _VALUE) for _ in range(times) for key in keys)
    return subject.put_together(pairs, total=times * len(keys))


def explain(variants: Sequence[Variant]) -> Findings:
    """Say what keys cost, and what each way of getting rid of them frees."""
    verdict: list[str] = []
    for variant in variants:
        if has_stage(variant, "deleted"):
            verdict += _of_deletion(variant)
        else:
            verdict += _of_history(variant)
    return Findings(
        verdict=verdict,
        tables=[_table(variants)],
        not_shown=untraced(_cost(variant, "loaded") for variant in variants),
    )


def _of_deletion(variant: Variant) -> Iterator[str]:
    loaded, deleted = (_cost(variant, name) for name in ("loaded", "deleted"))
    before, after = (counts_of(variant, name) for name in ("loaded", "deleted"))
    key_bytes = before.index_key_bytes
    key_bytes -= counts_of(variant, "started").index_key_bytes
    length = round(key_bytes / max(_key_count(variant), 1))
    yield f"A key of {length} B with one revision takes {loaded}."
    if after.index_key_count < before.index_key_count:
        return
    kept = (
        f"Deleting all {number(_key_count(variant))} of them takes nothing out of the "
        f"index, it adds a tombstone each: {deleted} per key"
    )
    left = counts_of(variant, "compacted").index_key_count
    left -= counts_of(variant, "started").index_key_count
    if left > 0:
        yield f"{kept}. The compaction left {counted(left, 'key')} in it."
    else:
        yield (
            f"{kept}. The compaction after that takes the keys out: "
            f"{_cost(variant, 'compacted')}."
        )


def _of_history(variant: Variant) -> Iterator[str]:
    loaded, compacted = (_cost(variant, name) for name in ("loaded", "compacted"))
    cut = counts_of(variant, "loaded").index_revision_count
    cut -= counts_of(variant, "compacted").index_revision_count
    yield (
        f"A key with {number(REVISIONS)} revisions takes {loaded}. Compaction "
        f"took {number(cut)} of them from {number(_key_count(variant))} keys that live "
        f"on, and a key then takes {compacted}."
    )
    if _is_same(loaded.predicted, compacted.predicted):
        yield (
            "So compaction does not shrink the slices of a live key in Go: it moves "
            f"their start, and the array stays{_agrees(loaded, compacted)}."
            f"{_shrinks_here(loaded, compacted)}"
        )
    more, grown = (_cost(variant, name) for name in (MORE, ONE_MORE))
    if _is_same(compacted.predicted, more.predicted) and _is_less(grown, more):
        yield (
            f"The array goes when it must grow: the next {FREE_SLOTS} puts per key fit "
            f"in its end, and it stays {more.in_go}; put number {FREE_SLOTS + 1} "
            f"copies what is left into a new one, {grown.in_go}."
        )
    if has_stage(variant, "restarted"):
        again, restarted = (
            _cost(variant, name) for name in ("compacted again", "restarted")
        )
        if _is_less(restarted, again):
            yield (
                "A restart does it at once, as it reads the index back into new "
                f"arrays: from {again}, to {restarted}."
            )


def _cost(variant: Variant, name: str) -> Cost:
    """Return what a key takes in the index at a stage."""
    cost, loaded = (cost_of(variant, n, [Component.MVCC]) for n in (name, "loaded"))
    return cost.measured_within(loaded).per(_key_count(variant))


def _key_count(variant: Variant) -> int:
    loaded, started = (counts_of(variant, name) for name in ("loaded", "started"))
    return loaded.index_key_count - started.index_key_count


def _is_same(a: int | None, b: int | None) -> bool:
    return a is not None and b is not None and abs(a - b) <= SAME_SHARE * abs(a)


def _is_less(a: Cost, b: Cost) -> bool:
    if a.predicted is None or b.predicted is None:
        return False
    return a.predicted < (1 - SAME_SHARE) * b.predicted


def _agrees(before: Cost, after: Cost) -> str:
    """Say whether a real etcd does what is predicted."""
    if before.measured is None or after.measured is None:
        return ""
    if _is_same(before.measured, after.measured):
        return ", as measured"
    return f", though {number(before.measured - after.measured)} B less were measured"


def _shrinks_here(before: Cost, after: Cost) -> str:
    """Say what Python's lists do: they give slots back when they are cut."""
    if before.booked is None or after.booked is None:
        return ""
    if after.booked < (1 - SAME_SHARE) * before.booked:
        return (
            f" Here it does, from {number(before.booked)} to {number(after.booked)} B: "
            "what is left is copied into a new array."
        )
    return " Here neither."


def _table(variants: Sequence[Variant]) -> Table:
    rows = [
        (variant.name, stage.name, _cost(variant, stage.name))
        for variant in variants
        for stage in variant.stages[1:]
    ]
    title = "Index, bytes per key, the key's own bytes among them"
    return cost_table(title, ("keys", "stage"), rows)
