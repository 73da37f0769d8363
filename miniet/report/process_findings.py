"""Findings about the process: freed heap that stays, tracing that is on."""

from miniet.report.case import BUDGET_BYTES, Case, Finding
from miniet.report.units import size

IDLE_SHARE = 0.25
"""Of RSS. A heap that just grew has more; one that idles for minutes, less."""


def freed_heap(case: Case) -> Finding | None:
    """Go keeps what it has freed, for minutes or until the kernel runs short."""
    go, process = case.capture.go, case.capture.process
    if go is None or process is None:
        return None
    lazy = process.lazy_free_bytes or 0
    idle = go.heap_idle_bytes - go.heap_released_bytes + lazy
    if idle <= max(BUDGET_BYTES, IDLE_SHARE * process.resident_bytes):
        return None
    is_lazy = lazy > idle // 2
    return Finding(
        kind="freed-heap",
        title=f"{size(idle)} of RSS are heap that Go has freed and kept",
        evidence=(
            f"RSS {size(process.resident_bytes)}, heap in use "
            f"{size(go.heap_in_use_bytes)}, idle {size(go.heap_idle_bytes)}; given "
            f"back {size(go.heap_released_bytes)}, of that still counted {size(lazy)}.",
        ),
        at_stake_bytes=idle,
        basis="Go, by its own metrics",
        command=("GODEBUG=madvdontneed=1 etcd ..." if is_lazy else "GOGC=50 etcd ..."),
        price=(
            "Set it in the environment that starts etcd. Pages then leave RSS at once "
            "when given back; until now only when the kernel runs short."
            if is_lazy
            else "Nothing has to be done: what is idle goes back within minutes. The "
            "setting halves the garbage of the next load, for more time in collection."
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
            f"For {on_s / 60:.0f} minutes; {size(traced.total_bytes)} traced, "
            f"{size(traced.tracer_bytes)} for the tracer's own tables. It makes puts "
            "8 to 10 times slower.",
        ),
        at_stake_bytes=traced.tracer_bytes,
        basis="Python, tables of the tracer",
        command=f"miniet memory {case.endpoint} --trace off",
        price="Bytes by component are then no longer known.",
    )
