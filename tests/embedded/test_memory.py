"""Captures of a running server: over gRPC, over HTTP, and in its own process."""

import asyncio
import http.client
import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import grpc
import pytest

import miniet
from miniet.memory import tracing
from miniet.memory.components import Component
from miniet.memory.counts import Counts
from miniet.pb import memory_pb2
from tests.embedded.client import Client, connect
from tests.support.served import Served

KIB, MIB = 1 << 10, 1 << 20


def config(**settings: Any) -> miniet.Config:
    return miniet.Config(
        listen_client_urls=("http://127.0.0.1:0",),
        listen_metrics_urls=("http://127.0.0.1:0",),
        **settings,
    )


@pytest.fixture(autouse=True)
def tracing_is_off_before_and_after() -> Iterator[None]:
    assert not tracing.is_tracing()
    yield
    assert not tracing.is_tracing()


@pytest.fixture
def etcd(tmp_path: Path) -> Iterator[miniet.Server]:
    with miniet.Server(tmp_path / "data", config=config()) as server:
        yield server


@pytest.fixture
def client(etcd: miniet.Server) -> Iterator[Client]:
    with connect(etcd.endpoint) as client:
        yield client


def capture(client: Client, label: str = "") -> dict[str, Any]:
    """Capture over gRPC."""
    answer = client.call(
        "/miniet.Memory/Capture",
        memory_pb2.CaptureRequest(label=label),
        memory_pb2.CaptureResponse,
    )
    document: dict[str, Any] = json.loads(answer.json)
    return document


def set_tracing(client: Client, on: bool, frame_count: int = 0) -> None:
    client.call(
        "/miniet.Memory/SetTracing",
        memory_pb2.SetTracingRequest(on=on, frame_count=frame_count),
        memory_pb2.SetTracingResponse,
    )


def page(etcd: miniet.Server, path: str) -> bytes:
    connection = http.client.HTTPConnection(urlsplit(etcd.metrics_urls[0]).netloc)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        assert response.status == 200
        return response.read()
    finally:
        connection.close()


def fill(client: Client, keys: int) -> None:
    """Make blocks to be traced: some 20 per key."""
    for number in range(keys):
        client.put(b"key-%06d" % number, b"v" * 100)


# ---- what a capture says


def test_capture_holds_counts_process_and_flags(
    etcd: miniet.Server, client: Client
) -> None:
    client.put(b"k", bytes(MIB))
    client.commit()  # else the next one may fall between the two readings
    taken = etcd.capture("loaded")
    assert taken.label == "loaded"
    assert taken.product == f"miniet {miniet.__version__}"
    assert taken.profile == "3.4"
    assert taken.flags["snapshot-count"] == "100000"
    assert taken.flags["memory-only"] == "false"
    assert taken.counts == Counts.of(etcd.statistics(), connection_count=1)
    assert taken.counts.raft_payload_bytes > MIB
    assert (taken.traced, taken.go, taken.unseen) == (None, None, ())


@pytest.mark.parametrize("data", ["data", None])
def test_process_is_told_apart_from_the_mapped_file(
    tmp_path: Path, data: str | None
) -> None:
    directory = tmp_path / data if data else None
    with miniet.Server(directory) as etcd, connect(etcd.endpoint) as client:
        for number in range(20):
            client.put(b"%d" % number, bytes(256 * KIB))
        client.commit()  # from then on values are read from the file
        for number in range(20):
            client.get(b"%d" % number)
        taken = etcd.capture()
    assert taken.flags["memory-only"] == ("true" if data is None else "false")
    process, baseline = taken.process, taken.baseline
    assert process is not None
    assert baseline is not None
    assert process.mapped_bytes is not None
    assert process.mapped_bytes > 20 * 256 * KIB
    assert process.resident_bytes > baseline.resident_bytes > MIB


def test_baseline_tells_what_of_the_file_a_restart_has_read(tmp_path: Path) -> None:
    with miniet.Server(tmp_path) as etcd, connect(etcd.endpoint) as client:
        for number in range(20):
            client.put(b"%d" % number, bytes(256 * KIB))
    with miniet.Server(tmp_path) as etcd:
        baseline = etcd.capture().baseline
    assert baseline is not None
    assert baseline.mapped_bytes is not None
    assert baseline.mapped_bytes > 20 * 256 * KIB


def test_profile_and_its_defaults_are_told() -> None:
    with miniet.Server(config=config(profile="3.6")) as etcd:
        taken = etcd.capture()
    assert (taken.profile, taken.flags["snapshot-count"]) == ("3.6", "10000")


def test_peak_begins_anew_when_asked(etcd: miniet.Server, client: Client) -> None:
    client.put(b"k", bytes(MIB))
    request = memory_pb2.CaptureRequest(reset_peak=True)
    client.call("/miniet.Memory/Capture", request, memory_pb2.CaptureResponse)
    process = etcd.capture().process
    assert process is not None
    assert process.peak_resident_bytes is not None
    assert process.peak_resident_bytes < process.resident_bytes + 4 * MIB


@pytest.mark.traced
def test_capture_over_grpc_is_the_page_of_debug_memory(
    etcd: miniet.Server, client: Client
) -> None:
    def shape(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: shape(part) for key, part in value.items()}
        return type(value)

    for is_tracing in (False, True):
        set_tracing(client, is_tracing)
        client.put(b"k")
        by_grpc = capture(client, "loaded")
        by_http = json.loads(page(etcd, "/debug/memory"))
        assert miniet.Capture.from_json(by_grpc).label == "loaded"
        assert miniet.Capture.from_json(by_http).label == ""
        assert (by_http["traced"] is not None) == is_tracing
        for document in (by_grpc, by_http):
            for part in (document["traced"] or {"lines": {}})["lines"].values():
                part.clear()
        assert shape(by_grpc) == shape(by_http)
    set_tracing(client, False)


# ---- tracing


@pytest.mark.traced
def test_traced_bytes_are_booked_to_the_component_that_keeps_them(
    etcd: miniet.Server, client: Client
) -> None:
    etcd.set_tracing(True)
    for _ in range(20):
        client.put(b"k", bytes(100 * KIB))
    taken = etcd.capture()
    etcd.set_tracing(False)
    assert taken.traced is not None
    booked = taken.traced.bytes_by_component
    assert 20 * 100 * KIB < booked[Component.RAFT] < 21 * 100 * KIB
    assert taken.baseline is not None
    assert etcd.capture().traced is None


@pytest.mark.traced
def test_switching_on_or_off_twice_changes_nothing(
    etcd: miniet.Server, client: Client
) -> None:
    set_tracing(client, False)
    set_tracing(client, True, 5)
    first = etcd.capture()
    set_tracing(client, True, 9)
    second = etcd.capture()
    set_tracing(client, False)
    set_tracing(client, False)
    assert first.traced is not None
    assert second.traced is not None
    assert first.traced.frame_count == second.traced.frame_count == 5
    assert first.traced.since_s == second.traced.since_s
    assert first.baseline == second.baseline != etcd.capture().baseline


@pytest.mark.parametrize("frame_count", [101, 2**32 - 1])
def test_too_many_frames_are_refused(client: Client, frame_count: int) -> None:
    with pytest.raises(grpc.RpcError) as refused:
        set_tracing(client, True, frame_count)
    assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert "at most 100" in refused.value.details()
    assert not tracing.is_tracing()


@pytest.mark.traced
def test_server_may_trace_from_its_start(tmp_path: Path) -> None:
    with (
        miniet.Server(tmp_path, config=config(memory_trace=True)) as etcd,
        connect(etcd.endpoint) as client,
    ):
        fill(client, 10)
        taken = etcd.capture()
    assert taken.flags["memory-trace"] == "true"
    assert taken.baseline is not None
    assert taken.traced is not None
    # Its services, made before the first request.
    assert taken.traced.bytes_by_component[Component.SERVER] > 50 * KIB


@pytest.mark.traced
def test_server_leaves_on_what_another_one_switched_on() -> None:
    with miniet.Server() as first:
        first.set_tracing(True)
        with miniet.Server() as second:
            second.set_tracing(True)
            taken = second.capture()
            assert taken.traced is not None
            assert taken.baseline is None  # of the other's tracing it has none
        assert tracing.is_tracing()


@pytest.mark.traced
def test_failed_start_switches_tracing_off(tmp_path: Path) -> None:
    with miniet.Server(tmp_path), pytest.raises(miniet.DataError):
        miniet.Server(tmp_path, config=config(memory_trace=True)).start()


# ---- under load, and at the end


@pytest.mark.usefixtures("interpreted")
def test_requests_go_on_while_blocks_are_booked(tmp_path: Path) -> None:
    with (
        Served(tmp_path / "data", "--memory-trace") as server,
        connect(server.endpoint) as client,
        ThreadPoolExecutor(1) as beside,
    ):
        fill(client, 500)
        booking = beside.submit(capture, client)
        served_count = 0
        while not booking.done():
            client.put(b"k")
            served_count += 1
        assert booking.result()["traced"]["bytes_by_component"]["raft"] > 50_000
        assert served_count > 3
        assert "tracing memory" in server.log


@pytest.mark.traced
def test_captures_asked_for_at_once_are_all_answered(
    etcd: miniet.Server, client: Client
) -> None:
    etcd.set_tracing(True)
    fill(client, 100)
    with ThreadPoolExecutor(4) as beside:
        asked = [beside.submit(capture, client) for _ in range(4)]
        assert all(one.result()["traced"] for one in asked)


@pytest.mark.traced
def test_stop_lets_a_capture_finish() -> None:
    async def main() -> miniet.Capture:
        etcd = miniet.AsyncServer()
        await etcd.start()
        await etcd.set_tracing(True)
        taking = asyncio.ensure_future(etcd.capture())
        await asyncio.sleep(0)  # it has begun
        await etcd.stop()
        return await taking

    assert asyncio.run(main()).traced is not None


@pytest.mark.traced
def test_stop_beside_captures_ends_them_or_lets_them_finish() -> None:
    with miniet.Server() as etcd:
        etcd.set_tracing(True)
        begun = threading.Event()

        def take_until_refused() -> int:
            count = 0
            while True:
                begun.set()
                try:
                    etcd.capture()
                except miniet.NotRunningError:
                    return count
                count += 1

        with ThreadPoolExecutor(1) as beside:
            counting = beside.submit(take_until_refused)
            assert begun.wait(10)
            etcd.stop()
            assert counting.result(30) >= 0


def test_what_needs_a_running_server_says_so() -> None:
    etcd = miniet.Server()
    for ask in (etcd.capture, lambda: etcd.set_tracing(True)):
        with pytest.raises(miniet.NotRunningError):
            ask()


@pytest.mark.traced
def test_reset_begins_the_counts_anew_and_keeps_tracing() -> None:
    with miniet.Server() as etcd, connect(etcd.endpoint) as client:
        etcd.set_tracing(True)
        lease = client.grant(60)
        for number in range(20):
            client.put(b"%d" % number, bytes(10 * KIB), lease)
        etcd.reset()
        taken = etcd.capture()
    assert taken.counts.raft_payload_bytes == taken.counts.index_key_count == 0
    assert taken.counts.lease_count_max == taken.counts.attached_key_count_max == 0
    assert taken.traced is not None
    assert taken.traced.bytes_by_component[Component.RAFT] < 20 * KIB


# ---- gauges


@pytest.mark.traced
def test_metrics_show_memory_by_component(etcd: miniet.Server, client: Client) -> None:
    def lines() -> list[str]:
        return page(etcd, "/metrics").decode().splitlines()

    fill(client, 5)
    plain = lines()
    assert 'miniet_memory_items{component="mvcc",kind="keys"} 5.0' in plain
    assert "miniet_memory_tracing 0.0" in plain
    assert any(line.startswith("miniet_memory_mapped_bytes ") for line in plain)
    assert not any("memory_booked" in line for line in plain)
    etcd.set_tracing(True)
    assert "miniet_memory_tracing 1.0" in lines()
    assert not any("memory_booked" in line for line in lines())
    etcd.capture()
    booked = 'miniet_memory_booked_bytes{component="raft"} '
    assert any(line.startswith(booked) for line in lines())
    etcd.set_tracing(False)
    assert not any("memory_booked" in line for line in lines())
    etcd.set_tracing(True)  # what was booked before is of no use now
    assert not any("memory_booked" in line for line in lines())
    etcd.set_tracing(False)
