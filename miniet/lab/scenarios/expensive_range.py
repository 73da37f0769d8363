"""`expensive-range`: 100 keys of 1 MiB, read whole by 1 to 8 clients at once.

Beyond the article: a reply costs Go twice its size while it is built, as decoded pairs
and as the encoded answer; and keys_only pays for all values too, which it reads and
drops. Only count_only is free, and a limit pays for what it returns.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from miniet.lab.figures import counts_of, has_stage, stage_of
from miniet.lab.machine import GIB, Need
from miniet.lab.runner import Findings, Lab
from miniet.lab.subject import Subject
from miniet.lab.target import Setup
from miniet.report.run import Stage, Table, Variant
from miniet.report.units import MIB, counted, size

NAME = "expensive-range"
QUESTION = (
    "What does one range over 100 MiB cost, alone and 8 at once, and what do "
    "keys_only, limit and count_only save?"
)
DISTURBS = ""

KEYS = 100
VALUE_BYTES = MIB
AT_ONCE = (1, 2, 4, 8)
LIMIT = 10
CLIENTS = 4
"""At once, for the ways of asking for less."""
GO_TIMES = 2.0
"""Peak heap of Go by the size of the replies: 2.00 in etcd 3.4.23 and 3.5.1, measured
with 1 to 8 clients."""
GO_KEYS_ONLY_MIB = 212
GO_WHOLE_MIB = 803
"""Peak heap of etcd 3.4.23 above what it held, 4 clients at once, 100 keys of 1 MiB:
with keys_only, and with whole replies. Measured; 3.5.1 had 350 and 805."""

_LOADED = "loaded"
_BEFORE = "restarted"
_CHEAPER: Mapping[str, Mapping[str, Any]] = {
    "keys_only": {"keys_only": True},
    f"limit {LIMIT}": {"limit": LIMIT},
    "count_only": {"count_only": True},
}


def need(scale: float) -> Need:
    """The log and the backend, and 8 answers: at the server, and on their way."""
    return Need(
        memory_bytes=round(0.3 * GIB + 2.7 * GIB * scale),
        disk_bytes=round(0.3 * GIB + 0.3 * GIB * scale),
    )


def run(lab: Lab) -> None:
    keys = lab.scaled(KEYS)
    for subject in lab.subjects([Setup("ranges")]):
        pairs = ((subject.key(f"big-{n:04d}"), bytes(VALUE_BYTES)) for n in range(keys))
        subject.put_all(pairs, total=keys, in_flight=4)
        subject.stage(_LOADED)
        for name, count, options in _questions():
            if lab.is_own_server:
                # What the question before has left in the heap would hide a peak.
                subject.restart()
                if count == AT_ONCE[0]:
                    subject.stage(_BEFORE, known=_known(keys), collect=True)
            _ask(subject, count, options)
            subject.stage(name, known=_known(keys, 0 if options else count))


def _questions() -> Iterator[tuple[str, int, Mapping[str, Any]]]:
    """Yield the stage, how many ask at once, and options of their RangeRequest."""
    for count in AT_ONCE:
        yield _whole(count), count, {}
    for name, options in _CHEAPER.items():
        yield f"{CLIENTS} at once, {name}", CLIENTS, options


def _known(keys: int, at_once: int = 0) -> dict[str, int]:
    """Say what a real etcd does not: its log after a restart, replies at once."""
    reply = keys * VALUE_BYTES
    return {
        "raft_payload_bytes": reply,
        "range_response_bytes_max": reply if at_once else 0,
        "response_in_flight_bytes_max": at_once * reply,
    }


def _ask(subject: Subject, count: int, options: Mapping[str, Any]) -> None:
    """Let clients ask for the range at the same time; the peak is that of theirs."""
    first, end = subject.key("big-"), subject.key("big.")
    clients = [subject.connect() for _ in range(count)]
    for client in clients:
        client.range(first, limit=1, count_only=True)  # opens the connection
    subject.read(new_peak=True)
    futures = [client.begin_range(first, end, **options) for client in clients]
    for client, future in zip(clients, futures, strict=True):
        client.result(future)


def explain(variants: Sequence[Variant]) -> Findings:
    """Hold the peaks against the size of the reply."""
    (variant,) = variants
    return Findings(
        verdict=[*_growth(variant), *_cheaper(variant)], tables=[_peaks(variant)]
    )


def _growth(variant: Variant) -> Iterator[str]:
    """Say what the replies at once added to the peak, and what Go's would."""
    base = _base(variant)
    reply = counts_of(variant, _LOADED).put_bytes_total
    peaks = [(n, _above(base, stage_of(variant, _whole(n)))) for n in AT_ONCE]
    seen = [(count, peak) for count, peak in peaks if peak is not None]
    if len(seen) > 1:
        (few, alone), (most, together) = seen[0], seen[-1]
        each = (together - alone) / (most - few)
        yield (
            f"A reply of {size(reply)}: {counted(few, 'client')} that asks for it "
            f"takes {base.capture.product} to {size(alone)} above what it held, "
            f"{most} at once to {size(together)}. So each further client costs "
            f"{size(each)}, {each / reply:.1f} times its reply."
        )
    if base.capture.go is None:
        most = AT_ONCE[-1]
        yield (
            f"A Go etcd takes {GO_TIMES:.0f} times the replies while they are built, "
            "because the decoded pairs and the encoded answer are there at once: "
            f"{size(GO_TIMES * most * reply)} for {counted(most, 'client')}."
        )


def _cheaper(variant: Variant) -> Iterator[str]:
    """Say what asking for less saves, from what was read and from the peak."""
    base = _base(variant)
    whole = _above(base, stage_of(variant, _whole(CLIENTS)))
    for stage in variant.stages:
        name = stage.name.removeprefix(f"{CLIENTS} at once, ")
        if name not in _CHEAPER:
            continue
        peak = _above(base, stage)
        words = []
        if peak is not None and whole:
            words.append(f"peaks {size(peak)} above, {peak / whole:.0%} of the whole")
        read = _read_bytes(stage)
        if read is not None:
            words.append(f"reads {size(read / CLIENTS)} of values for each client")
        if words:
            yield f"{name}, {counted(CLIENTS, 'client')}: {' and '.join(words)}."
    if base.capture.go is None:
        yield from _keys_only_in_go(variant)


def _keys_only_in_go(variant: Variant) -> Iterator[str]:
    """Say what keys_only costs Go, if it was seen to read every value."""
    whole = _read_bytes(stage_of(variant, _whole(CLIENTS)))
    read = _read_bytes(stage_of(variant, f"{CLIENTS} at once, keys_only"))
    if whole and read and read > 0.9 * whole:
        yield (
            "So keys_only saves the reply, not the reading. miniet passes over the "
            "values where they lie; Go copies them out before it drops them: etcd "
            f"3.4.23 with {counted(CLIENTS, 'client')} and 100 MiB was measured at "
            f"{GO_KEYS_ONLY_MIB} MiB above, {GO_KEYS_ONLY_MIB / GO_WHOLE_MIB:.0%} of "
            "what whole replies took."
        )


def _peaks(variant: Variant) -> Table:
    base = _base(variant)
    rows: list[tuple[str | int | float, ...]] = []
    for stage in variant.stages:
        if stage.name in (_LOADED, _BEFORE):
            continue
        peak, read = _above(base, stage), _read_bytes(stage)
        rows.append(
            (
                stage.name,
                "-" if peak is None else round(peak / MIB),
                "-" if read is None else round(read / MIB),
                round(stage.capture.counts.response_in_flight_bytes_max / MIB),
            )
        )
    return Table(
        title="What the ranges took",
        columns=("ranges", "peak RSS, MiB more", "values read, MiB", "in flight, MiB"),
        rows=tuple(rows),
        note="Peak: above what was resident before, of a server started anew. In "
        "flight: the most of replies at once.",
    )


def _whole(count: int) -> str:
    return f"{count} at once"


def _base(variant: Variant) -> Stage:
    """Return the stage that a peak is held against."""
    return stage_of(variant, _BEFORE if has_stage(variant, _BEFORE) else _LOADED)


def _above(base: Stage, stage: Stage) -> int | None:
    """Return how far the process rose above what it held; None if that is unseen."""
    before, after = base.capture.process, stage.capture.process
    if before is None or after is None or after.peak_resident_bytes is None:
        return None
    return max(after.peak_resident_bytes - before.resident_bytes, 0)


def _read_bytes(stage: Stage) -> int | None:
    """Return what was read from the backend; None if that is unseen."""
    capture = stage.capture
    unseen = "backend_read_bytes" in capture.unseen
    return None if unseen else capture.counts.backend_read_bytes
