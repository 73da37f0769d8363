"""`accounts`: what is resident, row by row, and the remainder with its size."""

from collections.abc import Iterator
from dataclasses import dataclass

from miniet.memory.capture import Capture
from miniet.memory.components import Component
from miniet.memory.go_memory import GoMemory
from miniet.memory.process import ProcessMemory
from miniet.memory.traced import Traced


@dataclass(frozen=True, slots=True)
class Account:
    """A part of what is resident."""

    name: str
    bytes: int
    """May be negative in the remainder alone; `note` has the reason."""
    note: str = ""
    """What it consists of."""


def accounts(capture: Capture) -> tuple[Account, ...]:
    """Split what is resident into rows that add up to it exactly.

    Python's components are rows while tracing is on, the parts of Go's heap for a
    real etcd. What no row before it names is the last one, the remainder.

    Returns:
        () for a process on another machine.
    """
    process = capture.process
    if process is None:
        return ()
    rows = list(_named(capture, process))
    rest = process.resident_bytes - sum(row.bytes for row in rows)
    return (*rows, Account("remainder", rest, _remainder_note(capture, rest)))


def _named(capture: Capture, process: ProcessMemory) -> Iterator[Account]:
    if capture.baseline is not None:
        yield Account(
            "baseline",
            # The file's pages have a row of their own, with those of then.
            capture.baseline.resident_bytes - (capture.baseline.mapped_bytes or 0),
            "interpreter, libraries, and what was there before",
        )
    if capture.traced is not None:
        yield from _traced_accounts(capture.traced)
    if capture.go is not None:
        yield from _go_accounts(capture.go, process)
    if process.mapped_bytes is not None:
        yield Account(
            "mapped backend pages",
            process.mapped_bytes,
            "the kernel takes them back when it needs to",
        )


def _traced_accounts(traced: Traced) -> Iterator[Account]:
    for component in Component:
        booked_bytes = traced.bytes_by_component.get(component, 0)
        yield Account(component.label, booked_bytes, "booked by tracemalloc")
    yield Account("other traced", traced.other_bytes, "booked to no component")
    yield Account("tracer", traced.tracer_bytes, "tables of tracemalloc itself")


def _go_accounts(go: GoMemory, process: ProcessMemory) -> Iterator[Account]:
    yield Account("Go heap in use", go.heap_in_use_bytes, "garbage in it")
    yield Account(
        "Go heap idle",
        go.heap_idle_bytes - go.heap_released_bytes,
        "freed and not given back to the system",
    )
    if process.lazy_free_bytes:
        yield Account(
            "Go heap given back",
            process.lazy_free_bytes,
            "with MADV_FREE: the kernel takes it when it runs short",
        )
    yield Account("Go stacks", go.stack_in_use_bytes, "goroutines")


def _remainder_note(capture: Capture, rest: int) -> str:
    if capture.go is not None:
        return (
            "program text, the runtime's own tables" if rest >= 0 else _GO_NOT_TOUCHED
        )
    if rest < 0:
        return "memory of the baseline was freed and is used again by other rows"
    if capture.traced is None:
        return "tracing is off: all components, native memory, free space"
    return "native memory (gRPC, LMDB, protobuf), free space inside the heap"


_GO_NOT_TOUCHED = "Go counts pages that it has not touched, or gave back just now"
