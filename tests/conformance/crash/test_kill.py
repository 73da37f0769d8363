"""`kill -9` at any moment: what was acknowledged is there, and was done once.

Source: etcd v3.4 documentation, API guarantees: a completed operation is durable.
"""

import time
from pathlib import Path
from random import Random

import pytest

from tests.conformance.crash.history import History, state_of
from tests.conformance.crash.load import Client
from tests.support.etcd_calls import EtcdCalls
from tests.support.nursery import ForkedServed
from tests.support.served import Served, wait_until

CLIENTS = 4
# Small numbers, so that raft snapshots and commits are under way when the kill comes.
FLAGS = (
    "--snapshot-count=25",
    "--backend-batch-interval=15ms",
    "--experimental-compaction-batch-limit=5",
    "--experimental-compaction-sleep-interval=1ms",
)


def run_clients_and_kill(
    server: Served, history: History, random: Random
) -> list[Client]:
    """Let clients write, kill the server at some moment, return the clients."""
    clients = [
        Client(server.endpoint, number, history, Random(random.random()))
        for number in range(CLIENTS)
    ]
    writes = random.randint(1, 100)
    for client in clients:
        client.start()
    wait_until(
        lambda: (
            sum(len(client.acknowledged) for client in clients) >= writes
            or any(client.error for client in clients)
        ),
        f"{writes} acknowledged writes",
        seconds_max=60.0,  # many, for a disk that others keep busy
    )
    server.kill()
    for client in clients:
        client.join(20)
        assert not client.is_alive()
        if client.error is not None:
            raise client.error
    return clients


def kill_in_start(server: Served, random: Random) -> None:
    """Kill the server at some moment of a start, by the time that the last took."""
    server.spawn()
    time.sleep(random.uniform(0, server.start_seconds))
    server.kill()


def kill_often(data_dir: Path, kills: int, seed: int) -> None:
    random = Random(seed)
    history = History()
    server = ForkedServed(data_dir, *FLAGS)
    clients: list[Client] = []
    killed = 0
    while killed < kills:
        while killed and killed < kills and random.random() < 0.3:
            kill_in_start(server, random)
            killed += 1
        with server, EtcdCalls(server.endpoint) as calls:
            history.check(
                calls,
                [write for client in clients for write in client.acknowledged],
                [write for client in clients for write in client.pending],
            )
            clients = run_clients_and_kill(server, history, random)
            killed += 1
    with server, EtcdCalls(server.endpoint) as calls:
        history.check(
            calls,
            [write for client in clients for write in client.acknowledged],
            [write for client in clients for write in client.pending],
        )
        before = state_of(calls)
        assert server.stop() == 0
    with server, EtcdCalls(server.endpoint) as calls:
        assert state_of(calls) == before


@pytest.mark.parametrize(
    "kills",
    [25, pytest.param(200, marks=[pytest.mark.slow, pytest.mark.timeout(600)])],
)
def test_killed_server_keeps_every_acknowledged_write_once(
    tmp_path: Path, kills: int
) -> None:
    seed = Random().getrandbits(32)
    try:
        kill_often(tmp_path / "data", kills, seed)
    except BaseException as error:
        error.add_note(f"seed {seed}, {kills} kills")
        raise
