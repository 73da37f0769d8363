"""What watchers and undelivered events cost, and that it is booked to watch."""

import gc
import tracemalloc
from pathlib import Path

import pytest

import miniet
from miniet.watch import WatchCreate
from tests.support.watch_rig import Client, Rig

PACKAGES = Path(miniet.__file__).parent


def booked_bytes() -> dict[str, int]:
    """Traced bytes by package: the innermost frame inside one decides."""
    gc.collect()
    booked: dict[str, int] = {}
    for trace in tracemalloc.take_snapshot().traces:
        for frame in reversed(trace.traceback):
            path = Path(frame.filename)
            if path.parent.parent == PACKAGES:
                name = path.parent.name
                booked[name] = booked.get(name, 0) + trace.size
                break
    return booked


@pytest.fixture
def client() -> Client:
    rig = Rig()
    client = rig.client()
    client.create(b"warm", b"x")
    client.read()
    return client


@pytest.mark.parametrize(
    ("suffix", "bytes_max"), [(b"", 650), (b"\xff", 800)], ids=["key", "range"]
)
def test_bytes_of_a_watcher(client: Client, suffix: bytes, bytes_max: int) -> None:
    stream, count = client.stream, 2000
    keys = [b"key/%08d" % number for number in range(count)]
    requests = [WatchCreate(key, key + suffix if suffix else b"") for key in keys]
    tracemalloc.start(8)
    try:
        before = booked_bytes().get("watch", 0)
        for request in requests:
            stream.create(request)
            stream.take(1)
        cost = (booked_bytes()["watch"] - before) / count
    finally:
        tracemalloc.stop()
    assert 300 < cost < bytes_max


def test_undelivered_events_are_booked_to_watch(client: Client) -> None:
    rig, value_bytes = client.rig, 4000
    client.create(b"k")
    client.read()
    tracemalloc.start(8)
    try:
        for number in range(500):
            with rig.store.write() as txn:
                txn.put(b"k", bytes([number % 256]) * value_bytes)
        booked = booked_bytes()["watch"]
    finally:
        tracemalloc.stop()
    now = rig.watch.statistics()
    # What fits into the stream, and the batch of the victim; the rest is history.
    assert now.held_event_count == 129
    assert now.held_event_bytes > 129 * value_bytes
    assert now.held_event_bytes < booked < now.held_event_bytes + 129 * 600
