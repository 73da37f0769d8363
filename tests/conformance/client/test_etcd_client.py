"""`EtcdClient` against miniet and a real etcd."""

from collections.abc import Iterator

import pytest

from miniet.client import ClientError, EtcdClient, watcher_of
from miniet.lab.child import free_ports
from miniet.pb import rpc_pb2


@pytest.fixture
def client(endpoint: str) -> Iterator[EtcdClient]:
    with EtcdClient(endpoint) as client:
        yield client
        client.delete(b"\0", b"\0")


def test_put_range_and_delete(client: EtcdClient) -> None:
    revision = client.put(b"a", b"1")
    assert client.put(b"b", b"2") == revision + 1
    answer = client.range(b"a", b"c", limit=1)
    assert [(kv.key, kv.value) for kv in answer.kvs] == [(b"a", b"1")]
    assert answer.count == 2
    assert client.delete(b"a", b"c") == 2


def test_put_all_writes_every_pair_and_returns_the_last_revision(
    client: EtcdClient,
) -> None:
    before = client.put(b"first")
    done: list[None] = []
    revision = client.put_all(
        ((b"k%03d" % number, b"v") for number in range(200)),
        in_flight=7,
        on_put=lambda: done.append(None),
    )
    assert revision == before + 200
    assert len(done) == 200
    assert client.range(b"k", b"l", count_only=True).count == 200


def test_put_all_of_nothing_has_no_revision(client: EtcdClient) -> None:
    assert client.put_all(()) == 0


def test_put_together_makes_one_revision(client: EtcdClient) -> None:
    before = client.put(b"a")
    revision = client.put_together((b"t%d" % number, b"") for number in range(100))
    assert revision == before + 1


def test_large_values_go_both_ways(client: EtcdClient) -> None:
    value = bytes(1 << 20)
    client.put_all(((b"big%d" % number, value) for number in range(8)), in_flight=4)
    future = client.begin_range(b"big", b"bih")
    assert sum(len(kv.value) for kv in client.result(future).kvs) == 8 << 20


def test_compaction_and_defragmentation(client: EtcdClient) -> None:
    revision = client.put(b"a")
    client.compact(revision)
    client.defragment()
    with pytest.raises(ClientError, match="has been compacted") as refusal:
        client.range(b"a", revision=revision - 1)
    assert refusal.value.code == "OUT_OF_RANGE"


def test_leases(client: EtcdClient) -> None:
    lease = client.grant(3600)
    client.put(b"leased", lease=lease)
    assert lease in client.leases()
    client.revoke(lease)
    assert lease not in client.leases()
    assert client.range(b"leased").count == 0


def test_leases_by_the_hundred(client: EtcdClient) -> None:
    leases = client.grant_all(3600, (0 for _ in range(100)))
    assert len(set(leases)) == 100
    assert set(leases) <= set(client.leases())
    pairs = [[(b"l%02d-0" % n, b""), (b"l%02d-1" % n, b"")] for n in range(100)]
    client.attach_all(zip(leases, pairs, strict=True))
    assert client.range(b"l99-1").kvs[0].lease == leases[99]
    assert client.range(b"l", b"m", count_only=True).count == 200
    client.revoke_all(leases)
    assert not set(leases) & set(client.leases())
    assert client.range(b"l", b"m", count_only=True).count == 0


def test_watch_stream_lives_on_when_its_requests_have_ended(
    client: EtcdClient,
) -> None:
    stream = client.watch(watcher_of(b"w%d" % number) for number in range(3))
    stream.wait_created()
    client.put(b"w0", b"1")
    client.put(b"w2", b"2")
    assert len(stream.receive().events) == 1
    assert len(stream.receive().events) == 1
    stream.cancel()


def test_refused_watcher_is_an_error(client: EtcdClient) -> None:
    same = rpc_pb2.WatchCreateRequest(key=b"a", watch_id=7)
    stream = client.watch([same, same])
    with pytest.raises(ClientError, match="watcher was refused"):
        stream.wait_created()
    stream.cancel()


def test_refusal_is_one_line_with_the_server_s_words(client: EtcdClient) -> None:
    with pytest.raises(ClientError) as refusal:
        client.put(b"")
    assert str(refusal.value).endswith("refused Put: etcdserver: key is not provided")
    assert refusal.value.code == "INVALID_ARGUMENT"


def test_absent_server_is_one_line() -> None:
    (port,) = free_ports(1)
    with EtcdClient(f"127.0.0.1:{port}") as client, pytest.raises(ClientError) as error:
        client.status()
    assert str(error.value).startswith(f"cannot reach 127.0.0.1:{port}: ")
    assert "\n" not in str(error.value)
