"""tracemalloc, switched on and off, and read without stopping the server.

Tracing belongs to the whole process: two servers in one process share it.

How long requests wait, with 1,000,000 traced blocks on two cores of an x86-64 server
with CPython 3.11; `benchmarks/run.py tracing` measures it:

    start                 2 ms; blocks that exist already are not traced
    while it is on        a put takes 8 to 10 times as long
    read_traced           0.7 s at a time, and ten seconds in all
    read_traced_apart     17 ms, for the fork; the rest is done in another process
    stop                  0.1 s: it frees its tables at once

Tracing takes about 50 bytes per block, `Traced.tracer_bytes`.
"""

import gc
import json
import os
import select
import signal
import sys
import time
import tracemalloc
import warnings
from _tracemalloc import _get_traces
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from operator import attrgetter
from typing import Any, NoReturn

from miniet.compiled import INTERPRETED_VARIABLE, is_compiled
from miniet.memory.attribution import Frame, owner_of, shown_path
from miniet.memory.components import Component
from miniet.memory.records import from_json, to_json
from miniet.memory.traced import Line, Traced

FRAME_COUNT = 8
"""Frames to keep per block: the way from a library's list to the component that owns
it has at most six, and each further frame makes tracing slower."""

_APART_S_MAX = 120.0
_READ_BYTES = 1 << 16
# How grpcio's settings say no.
_GRPC_FALSE = {"0", "f", "false", "n", "no"}
# The child has time; who waits for it only looks at memory.
_CHILD_NICENESS = 10

# Since when this process traces; for one that was started with `-X tracemalloc`, since
# the import of this module.
_since_s = time.time()


class TracingError(RuntimeError):
    """Nothing could be read: tracing is off, or the process that reads has failed."""


class CompiledError(TracingError):
    """miniet runs compiled; see `INTERPRETED_VARIABLE`."""


def start(frame_count: int = FRAME_COUNT) -> None:
    """Trace every block that is allocated from now on; nothing, if that is so.

    Args:
        frame_count: frames to keep per block, 1 or more. With fewer than 8 some
            blocks are booked to nobody.
    Raises:
        CompiledError: there are no frames that say whose a block is.
    """
    global _since_s
    if not tracemalloc.is_tracing():
        if is_compiled():
            raise CompiledError(
                "miniet runs compiled, and tracemalloc cannot see which compiled line "
                f"allocates: start it with {INTERPRETED_VARIABLE}=1 to trace memory"
            )
        tracemalloc.start(frame_count)
        _since_s = time.time()


def stop() -> None:
    """Trace no more and forget everything; nothing, if tracing is off.

    It holds the GIL while tracemalloc frees its tables: 0.1 s per million blocks,
    half of that if no fork came before. There is no way to free them in steps.
    """
    tracemalloc.stop()


def is_tracing() -> bool:
    """Tell whether blocks are traced."""
    return tracemalloc.is_tracing()


def read_traced() -> Traced:
    """Book every traced block to its component, in this process.

    Raises:
        TracingError: tracing is off.
    Memory: 150 bytes per block while it runs. Cost: ten seconds per million blocks,
        with the GIL, because what it does itself is traced too.
    """
    return _reading()()


def _reading() -> Callable[[], Traced]:
    """Take the traces of this moment; the function returned books them.

    The function needs no tracing any more, and without it runs ten times as fast.
    """
    if not tracemalloc.is_tracing():
        raise TracingError("tracing is off")
    frame_count = tracemalloc.get_traceback_limit()
    # Before the traces are copied, which costs memory too.
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracer_bytes = tracemalloc.get_tracemalloc_memory()
    traces = _get_traces()

    def book() -> Traced:
        lines, other = _book(traces)
        return Traced(
            since_s=_since_s,
            frame_count=frame_count,
            bytes_by_component=_sums(lines, attrgetter("bytes")),
            blocks_by_component=_sums(lines, attrgetter("blocks")),
            other_bytes=other[0],
            other_blocks=other[1],
            peak_bytes=peak_bytes,
            tracer_bytes=tracer_bytes,
            lines=lines,
        )

    return book


def _sums(
    lines: Mapping[Component, Sequence[Line]], figure: Callable[[Line], int]
) -> dict[Component, int]:
    return {component: sum(map(figure, found)) for component, found in lines.items()}


def _book(
    traces: Iterable[tuple[Any, ...]],
) -> tuple[dict[Component, tuple[Line, ...]], list[int]]:
    """Sum up traces by component and line, most bytes first, and those of nobody.

    Blocks allocated at one place share one traceback object, so each place is
    attributed once however many blocks there are.
    """
    places: dict[int, list[Any]] = {}
    for trace in traces:
        size, frames = trace[1], trace[2]
        place = places.get(id(frames))
        if place is None:
            places[id(frames)] = [size, 1, frames]
        else:
            place[0] += size
            place[1] += 1
    sums: dict[Component, dict[Frame, list[int]]] = {
        component: defaultdict(lambda: [0, 0]) for component in Component
    }
    other = [0, 0]
    for size, blocks, frames in places.values():
        owner = owner_of(frames)
        total = other if owner is None else sums[owner[0]][owner[1]]
        total[0] += size
        total[1] += blocks
    lines = {
        component: [
            Line(shown_path(file), line, *total)
            for (file, line), total in found.items()
        ]
        for component, found in sums.items()
    }
    by_size = attrgetter("bytes")
    return {
        component: tuple(sorted(found, key=by_size, reverse=True))
        for component, found in lines.items()
    }, other


def read_traced_apart(seconds_max: float = _APART_S_MAX) -> Traced:
    """Do the same in a forked process, as Redis saves in one: call it on a thread.

    Other threads are stopped for the fork alone, while the kernel copies the page
    tables; then the caller waits without the GIL. The child sees the memory of that
    moment and needs as much again as the traces take.

    Where it is not possible to fork and be left alone, it is done in this process
    after all, and others wait: on Windows, and in a program that had imported grpcio
    before miniet could tell it to start no threads in children.

    Args:
        seconds_max: after this the child is killed.
    Raises:
        TracingError: tracing is off, or the child failed or took too long.
        OSError: there is no room for another process.
    """
    if not tracemalloc.is_tracing():
        raise TracingError("tracing is off")
    if not _can_fork():
        return read_traced()
    receiver, sender = os.pipe()
    try:
        pid = _fork_reader(receiver, sender)
        answer = _read_child(pid, receiver, time.monotonic() + seconds_max)
    finally:
        os.close(receiver)
    return from_json(Traced, json.loads(answer))


def _can_fork() -> bool:
    """Tell whether a forked child has this one thread only."""
    if not hasattr(os, "fork"):
        return False
    grpc_follows = os.environ.get("GRPC_ENABLE_FORK_SUPPORT", "1").lower()
    return "grpc" not in sys.modules or grpc_follows in _GRPC_FALSE


def _fork_reader(receiver: int, sender: int) -> int:
    # Python warns of forking beside threads, because a lock that one of them holds
    # stays locked in the child. This child takes no lock that others share but the
    # allocator's, which the C library hands over, and it is killed if it hangs.
    warnings.filterwarnings("ignore", ".*fork", DeprecationWarning, __name__)
    try:
        pid = os.fork()
        if pid == 0:
            _be_the_child(sender)
        return pid
    finally:
        os.close(sender)


def _read_child(pid: int, receiver: int, deadline_s: float) -> bytes:
    """Take what the child sends, and its end; by then, or it is killed."""
    # Not `select`: that takes no file descriptor above 1,023.
    poll = select.poll()
    poll.register(receiver, select.POLLIN)
    chunks = []
    while poll.poll(max(deadline_s - time.monotonic(), 0) * 1000):
        chunk = os.read(receiver, _READ_BYTES)
        if not chunk:
            break
        chunks.append(chunk)
    else:
        os.kill(pid, signal.SIGKILL)
    try:
        exit_code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    except ChildProcessError:
        # A program around this one waits for all children, or for none.
        exit_code = 0 if chunks else 1
    if exit_code != 0:
        reason = f"signal {-exit_code}" if exit_code < 0 else f"exit code {exit_code}"
        raise TracingError(f"the process that reads the traces ended with {reason}")
    return b"".join(chunks)


def _be_the_child(sender: int) -> NoReturn:
    """Read the traces, send them as JSON, and end without cleaning anything up."""
    exit_code = 1
    try:
        # A collection would touch, and so copy, every page that is shared.
        gc.disable()
        # What ends the parent ends the child, whose signal handlers are the parent's.
        signal.set_wakeup_fd(-1)
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_DFL)
        _close_all_but(sender)
        os.nice(_CHILD_NICENESS)
        book = _reading()
        # What follows would be traced too, and ten times as slow.
        tracemalloc.stop()
        answer = memoryview(json.dumps(to_json(book())).encode())
        while answer:
            answer = answer[os.write(sender, answer) :]
        exit_code = 0
    finally:
        os._exit(exit_code)


def _close_all_but(kept: int) -> None:
    """Let go of what is the parent's.

    A socket must close when the parent closes it, and no file may stay locked if the
    parent dies.
    """
    for name in os.listdir("/dev/fd"):
        if int(name) != kept:
            with suppress(OSError):  # the one that read the directory
                os.close(int(name))
