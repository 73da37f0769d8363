"""Findings about the process: freed heap that stays, tracing that is on."""

from miniet.memory.go_memory import GoMemory
from miniet.report.case import BUDGET_BYTES, Case, Finding
from miniet.report.units import duration, size

IDLE_SHARE = 0.25
"""Of RSS. A heap under load has more; one without, after some minutes, less."""


def freed_heap(case: Case) -> Finding | None:
    """Go holds garbage until it collects, and then keeps what it has freed."""
    go, process = case.capture.go, case.capture.process
    if go is None or process is None:
        return None
    lazy = process.lazy_free_bytes or 0
    idle = go.heap_idle_bytes - go.heap_released_bytes + lazy
    live = _live_bytes(case, go)
    garbage = max(0, go.heap_in_use_bytes - live)
    if idle + garbage <= max(BUDGET_BYTES, IDLE_SHARE * process.resident_bytes):
        return None
    is_lazy = lazy > idle // 2
    return Finding(
        kind="freed-heap",
        title=f"{size(idle + garbage)} of RSS are garbage and freed heap of Go",
        evidence=(
            f"RSS {size(process.resident_bytes)}; live heap {size(live)}, garbage and "
            f"gaps {size(garbage)}, freed and kept {size(idle)}"
            + (f", of that {size(lazy)} by MADV_FREE." if lazy else "."),
        ),
        at_stake_bytes=idle + garbage,
        basis="Go, by its own metrics",
        command="GODEBUG=madvdontneed=1 etcd ..." if is_lazy else "GOGC=50 etcd ...",
        price=(
            "Set it in the environment that starts etcd. Pages then leave RSS when "
            "they are given back; until now only when the kernel runs short."
            if is_lazy
            else "Most goes by itself in minutes without load: Go collects after two "
            "and then gives pages back. Set in the environment that starts etcd, it "
            "halves the garbage, for more time spent collecting."
        ),
    )


def tracing(case: Case) -> Finding | None:
    """Tracing makes puts 8 to 10 times slower."""
    traced = case.capture.traced
    if traced is None:
        return None
    on_s = max(0.0, case.capture.time_s - traced.since_s)
    return Finding(
        kind="tracing",
        title="Tracing is on",
        evidence=(
            f"For {duration(on_s)}; {size(traced.total_bytes)} traced, "
            f"{size(traced.tracer_bytes)} for the tracer's own tables. It makes puts "
            "8 to 10 times slower.",
        ),
        at_stake_bytes=traced.tracer_bytes,
        basis="Python, tables of the tracer",
        command=f"miniet memory {case.endpoint} --trace off",
        price="Bytes by component are then no longer known.",
    )


def _live_bytes(case: Case, go: GoMemory) -> int:
    """Return the live heap, as well as it is known."""
    known = case.capture.live_heap_bytes
    if known is not None:
        return known
    if go.bytes_by_component:
        return sum(go.bytes_by_component.values())
    if case.prediction:
        return case.prediction.live_heap.likely
    return go.heap_in_use_bytes
