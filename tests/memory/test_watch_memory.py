"""What watchers and undelivered events cost, and that it is booked to watch."""

import pytest

from miniet.memory.components import Component
from miniet.watch import WatchCreate
from tests.support.booked import growth
from tests.support.watch_rig import Client, Rig

pytestmark = pytest.mark.traced


@pytest.fixture
def client() -> Client:
    rig = Rig()
    client = rig.client()
    client.create(b"warm", b"x")
    client.read()
    return client


@pytest.mark.parametrize(
    ("suffix", "bytes_max"), [(b"", 350), (b"\xff", 450)], ids=["key", "range"]
)
def test_bytes_of_a_watcher(client: Client, suffix: bytes, bytes_max: int) -> None:
    # Of a key 283: the watcher 136, its key 45, places by key and by id 37 each, its
    # id 28; 32 more for a start above 256. Of a range 404: the end 46 more, and a node
    # of the tree 112 in place of the place by key.
    stream, count = client.stream, 2000
    keys = [b"key/%08d" % number for number in range(count)]
    requests = [WatchCreate(key, key + suffix if suffix else b"") for key in keys]

    def load() -> None:
        for request in requests:
            stream.create(request)
            stream.take(1)

    cost = growth(load).bytes_by_component[Component.WATCH] / count
    assert 200 < cost < bytes_max


def test_undelivered_events_are_booked_to_watch(client: Client) -> None:
    rig, value_bytes = client.rig, 4000
    client.create(b"k")
    client.read()

    def load() -> None:
        for number in range(500):
            with rig.store.write() as txn:
                txn.put(b"k", bytes([number % 256]) * value_bytes)

    booked_bytes = growth(load).bytes_by_component[Component.WATCH]
    now = rig.watch.statistics()
    # What fits into the stream, and the batch of the victim; the rest is history.
    assert now.held_event_count == 129
    assert now.held_event_bytes > 129 * value_bytes
    overhead_bytes = booked_bytes - now.held_event_bytes
    assert 0 < overhead_bytes < 129 * 600
