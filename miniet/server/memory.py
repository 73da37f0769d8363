"""A member's own memory: captures, and tracing switched on and off."""

import asyncio
import logging
import os
import time
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

from miniet.memory import tracing
from miniet.memory.capture import Capture
from miniet.memory.counts import Counts
from miniet.memory.process import (
    ProcessMemory,
    connection_count,
    read_process,
    reset_peak,
)
from miniet.memory.traced import Traced
from miniet.memory.tracing import CompiledError, TracingError
from miniet.server.config import FIELD_OF_FLAG, Config
from miniet.server.rpc_errors import CallError, Code
from miniet.server.statistics import ServerStatistics
from miniet.version import MINIET_VERSION

logger = logging.getLogger(__name__)

FRAME_COUNT_MAX = 100
"""Most frames per block that a client may ask for; each makes tracing slower."""

# What decides how much a member keeps, and what a capture therefore says.
_FIELDS_SHOWN = frozenset(
    (
        "snapshot_count",
        "snapshot_catchup_entries",
        "quota_backend_bytes",
        "backend_batch_interval_s",
        "backend_batch_limit",
        "max_txn_ops",
        "max_request_bytes",
        "max_concurrent_streams",
        "auto_compaction_mode",
        "auto_compaction_retention",
        "compaction_batch_limit",
        "unsafe_no_fsync",
        "memory_only",
        "memory_trace",
    )
)

# A file this small changes a baseline less than its own reading does.
_SMALL_FILE_BYTES = 1 << 18

InThread = Callable[[Callable[[], Any]], Awaitable[Any]]
"""Runs something long beside the loop and returns what it returned."""


class Observed(Protocol):
    """The member as it is looked at here."""

    def statistics(self) -> ServerStatistics:
        """Return the present counts; called on the loop."""
        ...


def flags_in_force(config: Config, *, is_durable: bool) -> dict[str, str]:
    """Return the flags that matter to memory as one would write them.

    By their newest names, and with the defaults that a profile brings.
    """
    values: Mapping[str, object] = {
        "snapshot_count": config.raft_snapshot_count,
        "memory_only": not is_durable,
    }
    return {
        flag.names[-1]: _text(values.get(field, getattr(config, field)))
        for flag, field in FIELD_OF_FLAG.items()
        if field in _FIELDS_SHOWN
    }


def _text(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:g}s" if isinstance(value, float) else str(value)


class TracingSwitch:
    """tracemalloc in the hands of one server: what it switched on ends with it.

    Tracing belongs to the process. A server that finds it on, because another one in
    the process or Python's `-X tracemalloc` has begun, takes part and has no baseline.

    baseline: the process when this server switched tracing on, None while it has not.
    """

    def __init__(self) -> None:
        self.baseline: ProcessMemory | None = None
        self._is_ours = False

    def set(
        self, on: bool, frame_count: int = 0, path: os.PathLike[str] | None = None
    ) -> None:
        """Switch on or off; nothing, if it is so already. May take 200 ms.

        Args:
            frame_count: frames kept per block; 0: as many as it takes.
            path: the backend's file, for the baseline.
        Raises:
            CompiledError: this cannot be traced.
        """
        if on == tracing.is_tracing():
            return
        if on:
            baseline = _process(path)
            tracing.start(frame_count or tracing.FRAME_COUNT)
            self.baseline = baseline
            logger.warning("tracing memory: requests take several times as long")
        else:
            tracing.stop()
            self.baseline = None
            logger.info("tracing memory no more")
        self._is_ours = on

    def close(self) -> None:
        """Switch off what was switched on here."""
        if self._is_ours:
            self.set(False)


@dataclass(frozen=True, slots=True)
class Glance:
    """What can be read without a capture, for gauges."""

    counts: Counts
    mapped_bytes: int | None
    """Resident pages of the backend's file; None where the system does not say."""
    is_tracing: bool
    traced: Traced | None
    """As of the last capture while tracing was on."""
    traced_time_s: float
    """When that was, in seconds since 1970."""


class MemoryReader:
    """Reads captures of one member, one at a time.

    Args:
        config: what was asked for; `is_durable` False: nothing is kept on disk.
        path: the backend's file.
        ports: those that clients connect to.
    """

    def __init__(
        self,
        config: Config,
        member: Observed,
        switch: TracingSwitch,
        in_thread: InThread,
        *,
        path: os.PathLike[str],
        ports: Collection[int],
        is_durable: bool,
    ) -> None:
        self._profile = config.profile
        self._flags = flags_in_force(config, is_durable=is_durable)
        self._member = member
        self._switch = switch
        self._in_thread = in_thread
        self._path = path
        self._ports = ports
        # A second child beside the first would only be slower.
        self._reading = asyncio.Lock()
        self._baseline: asyncio.Future[ProcessMemory | None] | None = None
        self._traced: Traced | None = None
        self._traced_time_s = 0.0

    def begin(self) -> None:
        """Take the baseline, beside the loop: now, before the first request."""
        # Most of a page walk is the kernel's and needs no GIL; only a file that was
        # read while the member started has pages that must be told apart.
        is_small = self._member.statistics().backend.size_bytes < _SMALL_FILE_BYTES
        read = partial(_process, None if is_small else self._path)
        self._baseline = asyncio.ensure_future(self._in_thread(read))

    async def capture(self, label: str = "", *, new_peak: bool = False) -> Capture:
        """Read all witnesses; requests go on meanwhile.

        Args:
            label: what had been done.
            new_peak: begin a new peak of the resident size after this reading.
        Raises:
            CallError: the process that books the traced blocks failed.
        """
        async with self._reading:
            statistics = self._member.statistics()
            time_s = time.time()
            process, connections, traced = await self._in_thread(
                partial(self._read, new_peak)
            )
            if traced is not None:
                self._traced, self._traced_time_s = traced, time_s
                baseline = self._switch.baseline
            else:
                baseline = await self._baseline if self._baseline else None
        return Capture(
            label=label,
            time_s=time_s,
            product=f"miniet {MINIET_VERSION}",
            profile=self._profile,
            flags=self._flags,
            counts=Counts.of(statistics, connection_count=connections or 0),
            unseen=("connection_count",) if connections is None else (),
            process=process,
            baseline=baseline,
            traced=traced,
        )

    async def set_tracing(self, on: bool, frame_count: int = 0) -> None:
        """Switch tracing on or off; nothing, if it is so already.

        Args:
            frame_count: frames kept per block; 0: as many as it takes.
        Raises:
            CallError: more than `FRAME_COUNT_MAX` frames, or miniet runs compiled.
        """
        if frame_count > FRAME_COUNT_MAX:
            raise CallError(
                Code.INVALID_ARGUMENT,
                f"miniet: frame_count is {frame_count}, at most {FRAME_COUNT_MAX}",
            )
        async with self._reading:
            work = partial(self._switch.set, on, frame_count, self._path)
            try:
                await self._in_thread(work)
            except CompiledError as error:
                raise CallError(Code.FAILED_PRECONDITION, f"miniet: {error}") from None
            self._traced = None

    async def glance(self) -> Glance:
        """Read what is cheap: no blocks are booked."""
        process, connections = await self._in_thread(self._look)
        counts = Counts.of(self._member.statistics(), connection_count=connections or 0)
        is_tracing = tracing.is_tracing()
        return Glance(
            counts,
            process.mapped_bytes if process else None,
            is_tracing,
            self._traced if is_tracing else None,
            self._traced_time_s,
        )

    async def close(self) -> None:
        """Wait for what is being read; call it before the member ends."""
        async with self._reading:
            if self._baseline is not None:
                await self._baseline

    def _look(self) -> tuple[ProcessMemory | None, int | None]:
        return _process(self._path), connection_count(self._ports)

    def _read(
        self, new_peak: bool
    ) -> tuple[ProcessMemory | None, int | None, Traced | None]:
        process, connections = self._look()
        try:
            traced = tracing.read_traced_apart() if tracing.is_tracing() else None
        except (TracingError, OSError) as error:
            raise CallError(
                Code.INTERNAL, f"miniet: the traced blocks cannot be read: {error}"
            ) from error
        if new_peak:
            reset_peak()
        return process, connections, traced


def _process(path: os.PathLike[str] | None) -> ProcessMemory | None:
    """Read this process; None where the system does not say."""
    try:
        return read_process(None, path)
    except OSError:
        return None
