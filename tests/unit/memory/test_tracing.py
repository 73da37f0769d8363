"""Tracing switched on and off, and read here and in a child."""

import os
import signal
import threading
import time
import tracemalloc
from collections.abc import Iterator

import pytest

from miniet.memory import tracing
from miniet.memory.components import Component
from miniet.memory.tracing import TracingError, read_traced, read_traced_apart
from miniet.protowire import varint
from miniet.raft import Entry, MemoryStorage

pytestmark = pytest.mark.traced


@pytest.fixture
def traced() -> Iterator[None]:
    tracing.start()
    yield
    tracing.stop()


def filled_storage(count: int) -> MemoryStorage:
    """Return a raft log whose array raft itself has made."""
    storage = MemoryStorage()
    entries = [Entry(1, index) for index in range(1, count + 1)]
    for entry in entries:
        storage.append([entry])
    return storage


@pytest.mark.usefixtures("traced")
def test_blocks_are_booked_to_the_component_whose_line_allocates_them() -> None:
    before = read_traced().bytes_by_component
    storage = filled_storage(1000)
    found = read_traced()
    grown = {c: found.bytes_by_component[c] - before[c] for c in Component}
    assert grown.pop(Component.RAFT) >= 8 * 1000
    assert set(grown.values()) == {0}
    (line,) = [line for line in found.lines[Component.RAFT] if line.bytes >= 8000]
    assert line.file == "miniet/raft/memory_storage.py"
    assert line.blocks == 1
    assert storage.last_index() == 1000


@pytest.mark.usefixtures("traced")
def test_blocks_of_nobody_are_other() -> None:
    before = read_traced()
    kept = [varint(1000 + number) for number in range(5000)]
    found = read_traced()
    assert found.other_bytes - before.other_bytes > 5000 * 30
    assert found.other_blocks - before.other_blocks >= 5000
    assert len(kept) == 5000


@pytest.mark.usefixtures("traced")
def test_all_that_is_traced_is_booked_once() -> None:
    kept = [bytearray(1000) for _ in range(100)]
    total = tracemalloc.get_traced_memory()[0]
    found = read_traced()
    # What reading itself has allocated in between is traced too.
    assert found.total_bytes == pytest.approx(total, abs=2000)
    for component, lines in found.lines.items():
        booked = found.bytes_by_component[component]
        assert booked == sum(line.bytes for line in lines)
        assert found.blocks_by_component[component] == sum(x.blocks for x in lines)
        assert list(lines) == sorted(lines, key=lambda line: -line.bytes)
    assert len(kept) == 100


@pytest.mark.usefixtures("traced")
def test_a_reading_says_what_tracing_costs_and_since_when_it_is_on() -> None:
    spike = bytearray(1_000_000)
    del spike
    found = read_traced()
    assert found.frame_count == tracing.FRAME_COUNT
    assert found.peak_bytes > 1_000_000
    assert found.tracer_bytes > 0
    assert time.time() - 60 < found.since_s <= time.time()


@pytest.mark.usefixtures("traced")
def test_a_child_reads_the_same() -> None:
    storage = filled_storage(5000)
    here, apart = read_traced(), read_traced_apart()
    for component in Component:
        assert apart.bytes_by_component[component] == pytest.approx(
            here.bytes_by_component[component], abs=1000
        )
    assert apart.lines[Component.RAFT][0] == here.lines[Component.RAFT][0]
    assert apart.since_s == here.since_s
    assert storage.last_index() == 5000


@pytest.mark.usefixtures("traced")
def test_a_child_lets_go_of_all_that_is_open() -> None:
    kept = [bytearray(40) for _ in range(200_000)]
    forked = threading.Event()
    os.register_at_fork(after_in_parent=forked.set)
    receiver, sender = os.pipe()
    reading = threading.Thread(target=read_traced_apart)
    reading.start()
    forked.wait()
    os.close(sender)
    # This ends when no process has the other side any more.
    assert os.read(receiver, 1) == b""
    ended = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    assert ended is None, "the child ended before it let go"
    reading.join()
    os.close(receiver)
    assert len(kept) == 200_000


@pytest.mark.usefixtures("traced")
def test_a_child_that_takes_too_long_is_killed() -> None:
    with pytest.raises(TracingError, match=f"signal {signal.SIGKILL.value}"):
        read_traced_apart(seconds_max=0)
    with pytest.raises(ChildProcessError):
        os.waitpid(-1, os.WNOHANG)


@pytest.mark.usefixtures("traced")
def test_a_program_that_waits_for_no_child_gets_its_reading() -> None:
    before = signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    try:
        assert read_traced_apart().frame_count == tracing.FRAME_COUNT
        with pytest.raises(TracingError, match="exit code 1"):
            read_traced_apart(seconds_max=0)
    finally:
        signal.signal(signal.SIGCHLD, before)


@pytest.mark.usefixtures("traced")
def test_threads_go_on_while_a_child_reads() -> None:
    kept = [bytearray(40) for _ in range(100_000)]
    ended = threading.Event()
    reading = threading.Thread(target=lambda: (read_traced_apart(), ended.set()))
    reading.start()
    turns = 0
    while not ended.wait(0.001):
        turns += 1
    reading.join()
    assert turns > 20
    assert len(kept) == 100_000


def test_nothing_is_read_while_tracing_is_off() -> None:
    assert not tracing.is_tracing()
    for read in (read_traced, read_traced_apart):
        with pytest.raises(TracingError, match="tracing is off"):
            read()


def test_on_and_off_may_be_said_twice() -> None:
    tracing.start(3)
    tracing.start(5)
    since_s = read_traced().since_s
    assert tracing.is_tracing()
    assert tracemalloc.get_traceback_limit() == 3
    tracing.start()
    assert read_traced().since_s == since_s
    tracing.stop()
    tracing.stop()
    assert not tracing.is_tracing()
