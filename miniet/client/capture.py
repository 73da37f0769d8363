"""Reads a server's memory: miniet's by its own service, real etcd's from outside."""

import json
import re
import time

from miniet.client.endpoint import Endpoint
from miniet.client.errors import ClientError
from miniet.client.etcd import EtcdClient
from miniet.client.etcd_counts import read_counts
from miniet.client.etcd_process import EtcdProcess
from miniet.client.go_profile import GoProfile
from miniet.client.metrics import Metrics, read_page
from miniet.memory.capture import Capture
from miniet.memory.go_memory import GoMemory
from miniet.memory.process import (
    ProcessMemory,
    connection_count,
    read_process,
    reset_peak,
)
from miniet.pb import memory_pb2

_LONG_CHANNELS = 9
"""Up to this patch release of 3.4, a watch stream had 1,024 slots: `3.4.9`."""


def read_capture(
    endpoint: str,
    *,
    pid: int | None = None,
    label: str = "",
    collect: bool = False,
    new_peak: bool = False,
) -> Capture:
    """Read what a server holds.

    Args:
        pid: a real etcd's process on this machine; it tells the flags, connections and
            resident pages. miniet tells them itself.
        label: what had been done, to be kept with the figures.
        collect: let a real etcd with --enable-pprof collect its garbage first, so
            that `go` is its live heap; the process is read right after that.
        new_peak: begin a new peak of the resident size after this reading.
    Raises:
        ClientError: there is no answer, or `pid` is another process.
    """
    with EtcdClient(endpoint) as client:
        request = memory_pb2.CaptureRequest(label=label, reset_peak=new_peak)
        try:
            answer = client.call(
                "/miniet.Memory/Capture", request, memory_pb2.CaptureResponse
            )
        except ClientError as error:
            if error.code != "UNIMPLEMENTED":
                raise
            return _read_etcd(client, pid, label, collect=collect, new_peak=new_peak)
        try:
            return Capture.from_json(json.loads(answer.json))
        except ValueError as error:
            raise ClientError(
                f"{client.endpoint.address} sent a capture of another miniet: {error}"
            ) from error


def set_tracing(endpoint: str, on: bool, *, frame_count: int = 0) -> None:
    """Switch a miniet server's tracing on or off; nothing, if it is so already.

    Args:
        frame_count: frames kept per block; 0: the server's default.
    Raises:
        ClientError: there is no answer, or it is a real etcd.
    """
    request = memory_pb2.SetTracingRequest(on=on, frame_count=frame_count)
    with EtcdClient(endpoint) as client:
        try:
            client.call(
                "/miniet.Memory/SetTracing", request, memory_pb2.SetTracingResponse
            )
        except ClientError as error:
            if error.code != "UNIMPLEMENTED":
                raise
            raise ClientError(
                f"{client.endpoint.address} is a real etcd: only miniet can trace",
                error.code,
            ) from error


def _read_etcd(
    client: EtcdClient, pid: int | None, label: str, *, collect: bool, new_peak: bool
) -> Capture:
    """Read a real etcd: first the process, as every further step adds to it."""
    endpoint = client.endpoint
    process = None if pid is None else EtcdProcess.read(pid)
    if process is not None and not process.listens_on(endpoint.port):
        raise ClientError(f"process {pid} is not the server at {endpoint.address}")
    # Heap and process must be of one time: a collection lets pages go.
    profile = _heap_profile(endpoint, collect=True) if collect else None
    memory = None if process is None else _memory(process)
    connections = None if pid is None else connection_count({endpoint.port}, pid)
    text = read_page(endpoint, "/metrics")
    if text is None:
        raise ClientError(f"{endpoint.url} has no /metrics page")
    metrics, status = Metrics(text), client.status()
    started_s = metrics.get("process_start_time_seconds")
    if process is not None and not process.has_started(started_s):
        raise ClientError(f"process {pid} is not the server at {endpoint.address}")
    if not collect:
        profile = _heap_profile(endpoint, collect=False)
    resident = metrics.get("process_resident_memory_bytes")
    if memory is None and resident is not None:
        memory = ProcessMemory(resident_bytes=resident)
    release = profile_of(status.version)
    flags = {} if process is None else process.flags
    seen = read_counts(
        status,
        metrics,
        profile=release,
        flags=flags,
        lease_count=len(client.leases()),
        connection_count=connections,
    )
    if pid is not None and new_peak:
        reset_peak(pid)
    return Capture(
        label=label,
        time_s=time.time(),
        product=f"etcd {status.version}",
        profile=release,
        flags=flags,
        counts=seen.counts,
        unseen=seen.unseen,
        estimated=seen.estimated,
        process=memory,
        go=_go_memory(metrics, profile, is_collected=collect),
    )


def profile_of(version: str) -> str:
    """Return the profile of a release: of `3.4.23` it is `3.4`, of `3.7.1` `3.6`."""
    found = re.match(r"3\.(\d+)\.(\d+)", version)
    if found is None:
        return "3.4"
    minor, patch = map(int, found.groups())
    if minor == 4 and patch <= _LONG_CHANNELS:
        return "3.4.9"
    return f"3.{min(max(minor, 4), 6)}"


def _memory(process: EtcdProcess) -> ProcessMemory:
    try:
        return read_process(process.pid, process.backend_path)
    except OSError as error:
        raise ClientError(f"process {process.pid} cannot be read: {error}") from error


def _heap_profile(endpoint: Endpoint, *, collect: bool) -> GoProfile | None:
    """Read the heap profile, None without --enable-pprof.

    A first forced collection moves what sync.Pool holds to where a second finds it.
    """
    if collect:
        read_page(endpoint, "/debug/pprof/heap?gc=1&debug=1")
    query = "gc=1&debug=1" if collect else "debug=1"
    text = read_page(endpoint, f"/debug/pprof/heap?{query}")
    if text is None:
        return None
    try:
        return GoProfile.parse(text)
    except ValueError as error:
        raise ClientError(f"{endpoint.url}/debug/pprof/heap: {error}") from error


def _go_memory(
    metrics: Metrics, profile: GoProfile | None, *, is_collected: bool
) -> GoMemory | None:
    """Return Go's figures, of the profile if there is one: both are of one time."""

    def figure(memstat: str, metric: str) -> int:
        if profile is not None:
            return profile.memstats.get(memstat, 0)
        return metrics.get(f"go_memstats_{metric}_bytes") or 0

    if profile is None and metrics.get("go_memstats_heap_alloc_bytes") is None:
        return None
    return GoMemory(
        heap_alloc_bytes=figure("HeapAlloc", "heap_alloc"),
        heap_in_use_bytes=figure("HeapInuse", "heap_inuse"),
        heap_idle_bytes=figure("HeapIdle", "heap_idle"),
        heap_released_bytes=figure("HeapReleased", "heap_released"),
        stack_in_use_bytes=figure("Stack", "stack_inuse"),
        next_gc_bytes=figure("NextGC", "next_gc"),
        is_collected=is_collected and profile is not None,
        bytes_by_component=None if profile is None else profile.bytes_by_component,
    )
