"""`backend`: the file, what of it is in use, and what of it is resident.

What it shows beyond the article: loading a database does not make its mapping
resident. Reading does, and so does every start (bbolt maps with MAP_POPULATE), and
while it is defragmented the old file and the new one are resident at once.
"""

from collections.abc import Iterator, Sequence

from miniet.lab.figures import has_stage, stage_of
from miniet.lab.machine import GIB, Need
from miniet.lab.runner import Findings, Lab
from miniet.lab.subject import Subject
from miniet.lab.target import Setup
from miniet.report.run import Stage, Table, Variant
from miniet.report.units import MIB, size

NAME = "backend"
QUESTION = (
    "How much of the backend's file is resident after loading, reading, a restart, "
    "compaction and defragmentation?"
)
DISTURBS = "compacts all history and defragments the backend"

KEYS = 10_000
VALUE_BYTES = 10_240
PAGE_KEYS = 200
"""Keys of one range, when everything is read."""
MOST_SHARE, LITTLE_SHARE = 0.8, 0.2
"""From the one on a file is called resident, up to the other it is not."""

_VALUE = bytes(range(256)) * (VALUE_BYTES // 256)


def need(scale: float) -> Need:
    """The file and its copy, resident at once, and as much in the log."""
    return Need(
        memory_bytes=round(0.3 * GIB + 0.6 * GIB * scale),
        disk_bytes=round(0.3 * GIB + 0.6 * GIB * scale),
    )


def run(lab: Lab) -> None:
    count = lab.scaled(KEYS, 100)
    for subject in lab.subjects([Setup("default")]):
        keys = [subject.key(f"{n:032d}") for n in range(count)]
        known = _opened(subject)
        subject.stage("started", known=known)
        subject.put_all(((key, _VALUE) for key in keys), total=count)
        subject.stage("loaded", known=known)
        _read(subject, keys)
        known["backend_read_bytes"] = count * VALUE_BYTES
        subject.stage("read", known=known)
        if lab.is_own_server:
            subject.restart()
            known = _opened(subject)
            subject.stage("restarted", known=known)
        subject.client.delete(keys[0], keys[count // 2])
        subject.stage("half deleted", known=known)
        subject.compact()
        subject.stage("compacted", known=known)
        subject.read(new_peak=True)
        subject.defragment()
        subject.stage("defragmented", known=_opened(subject))
        if lab.is_own_server:
            subject.restart()
            subject.stage("restarted again", known=_opened(subject))


def _read(subject: Subject, keys: Sequence[bytes]) -> None:
    """Read every key, a page at a time."""
    for first in subject.each(range(0, len(keys), PAGE_KEYS), "reading"):
        page = keys[first : first + PAGE_KEYS]
        subject.client.range(page[0], page[-1] + b"\0")


def _opened(subject: Subject) -> dict[str, int]:
    """Tell what a real etcd has just opened: the file as it is now."""
    return {"backend_opened_bytes": subject.read().counts.backend_size_bytes}


def explain(variants: Sequence[Variant]) -> Findings:
    """Follow the file, and say which steps made its pages resident."""
    (variant,) = variants
    verdict = [*_of_loading(variant), *_of_restarts(variant), *_of_deletion(variant)]
    verdict += _of_defragmentation(variant)
    not_shown = []
    if any(_mapped(stage) is None for stage in variant.stages):
        not_shown.append("What is resident: the server's process is not known.")
    else:
        verdict += _of_go(variant)
    return Findings(
        verdict=verdict, tables=[_table(variant)], not_shown=tuple(not_shown)
    )


def _of_loading(variant: Variant) -> Iterator[str]:
    loaded, read = (stage_of(variant, name) for name in ("loaded", "read"))
    after_load, after_read = _share(loaded), _share(read)
    if after_load is None or after_read is None:
        return
    if after_load <= LITTLE_SHARE and after_read >= MOST_SHARE:
        yield (
            f"Loading does not make the file resident: {_resident(loaded)}. Reading "
            f"every key does: {_resident(read)}."
        )
    else:
        yield (
            f"After loading {_resident(loaded)}; after every key was read, "
            f"{_resident(read)}."
        )


def _of_restarts(variant: Variant) -> Iterator[str]:
    if not has_stage(variant, "restarted"):
        return
    first, again = (stage_of(variant, n) for n in ("restarted", "restarted again"))
    if _share(first) is None:
        return
    is_etcd = first.capture.product.startswith("etcd")
    why = (
        "With MAP_POPULATE bbolt asks the kernel for all of it"
        if is_etcd
        else "LMDB does not ask for it, but all of it is read to build the index"
    )
    ends = f"{_resident(first)}, and after the second start {_resident(again)}"
    if min(_share(first) or 0, _share(again) or 0) >= MOST_SHARE:
        yield f"So does every start: {ends}. {why}."
    else:
        yield f"After a start {ends}."


def _of_deletion(variant: Variant) -> Iterator[str]:
    loaded, compacted = (stage_of(variant, name) for name in ("loaded", "compacted"))
    before, after = loaded.capture.counts, compacted.capture.counts
    freed = before.backend_in_use_bytes - after.backend_in_use_bytes
    if freed <= 0:
        return
    stays = (
        ""
        if _share(compacted) is None
        else f", and all that time {_resident(compacted)}"
        if (_share(compacted) or 0) >= MOST_SHARE
        else f"; {_resident(compacted)}"
    )
    yield (
        f"Deleting half and compacting frees {size(freed)} inside the file, which "
        f"stays at {size(after.backend_size_bytes)}{stays}."
    )


def _of_defragmentation(variant: Variant) -> Iterator[str]:
    """Say what it gave back, and what it took while it ran."""
    before, after = (stage_of(variant, n) for n in ("compacted", "defragmented"))
    old, new = (s.capture.counts.backend_size_bytes for s in (before, after))
    yield f"Defragmentation takes the file from {size(old)} to {size(new)}."
    process, then = before.capture.process, after.capture.process
    if process is None or then is None or then.peak_resident_bytes is None:
        return
    more = then.peak_resident_bytes - process.resident_bytes
    whole = (process.mapped_bytes or 0) + more
    if more > LITTLE_SHARE * new:
        yield (
            "While it runs the old file and the new one are there at once: the process "
            f"peaked at {size(then.peak_resident_bytes)}, {size(more)} above the "
            f"{size(process.resident_bytes)} before. With the old file's pages that "
            f"is {whole / max(old, 1):.1f} times the old file, and a file with nothing "
            f"to free would peak at {1 + more / max(new, 1):.1f} times itself. After "
            f"it {_resident(after)}."
        )
    else:
        yield (
            f"The process peaked at {size(then.peak_resident_bytes)} then, "
            f"{size(more)} above what was resident before."
        )


def _of_go(variant: Variant) -> Iterator[str]:
    """Name the stages at which bbolt's pages would not be what was seen."""
    differing = []
    for stage in variant.stages:
        mapped, predicted = _mapped(stage), stage.prediction
        if mapped is None or predicted is None:
            continue
        error = abs(mapped - predicted.mapped.likely)
        file_bytes = stage.capture.counts.backend_size_bytes
        if error > max(LITTLE_SHARE * file_bytes, MIB):
            differing.append(
                f"{stage.name} {size(mapped)} where {size(predicted.mapped.likely)} is "
                "predicted"
            )
    if differing:
        yield f"Unlike what is predicted for Go's bbolt: {'; '.join(differing)}."
    else:
        yield "At every stage that is what is predicted for Go's bbolt."


def _mapped(stage: Stage) -> int | None:
    process = stage.capture.process
    return process.mapped_bytes if process else None


def _share(stage: Stage) -> float | None:
    """Return how much of the file is resident."""
    mapped = _mapped(stage)
    if mapped is None:
        return None
    return mapped / max(stage.capture.counts.backend_size_bytes, 1)


def _resident(stage: Stage) -> str:
    """Say how much of the file is resident: `6.8 MiB of 117.6 MiB are resident`."""
    file = size(stage.capture.counts.backend_size_bytes)
    return f"{size(_mapped(stage) or 0)} of {file} are resident"


def _table(variant: Variant) -> Table:
    columns: dict[str, list[int | None]] = {
        "file": [s.capture.counts.backend_size_bytes for s in variant.stages],
        "in use": [s.capture.counts.backend_in_use_bytes for s in variant.stages],
        "mapped": [_mapped(stage) for stage in variant.stages],
        "predicted": [
            stage.prediction.mapped.likely if stage.prediction else None
            for stage in variant.stages
        ],
        "RSS": [_of_process(s, "resident_bytes") for s in variant.stages],
        "peak": [_of_process(s, "peak_resident_bytes") for s in variant.stages],
    }
    known = {
        name: [round(found / MIB, 1) for found in sizes if found is not None]
        for name, sizes in columns.items()
        if None not in sizes
    }
    names = [stage.name for stage in variant.stages]
    return Table(
        title="The backend's file, MiB",
        columns=("stage", *known),
        rows=tuple(zip(names, *known.values(), strict=True)),
        note="mapped: pages of the file that are resident; the kernel takes them back "
        "when it runs short. predicted: the same of a Go etcd. peak: since the start, "
        "and from compacted on since then.",
    )


def _of_process(stage: Stage, figure: str) -> int | None:
    process = stage.capture.process
    found: int | None = getattr(process, figure) if process else None
    return found
