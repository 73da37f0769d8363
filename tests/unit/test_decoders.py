"""Every decoder of ours, given any bytes: an answer, or the error it names.

What is not said by its docstring must not come out: no IndexError, no
RecursionError, no endless loop, no memory for a length that is only claimed.
"""

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from random import Random
from typing import Any

import pytest
from google.protobuf.message import DecodeError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from miniet.engine import requests, validation
from miniet.errors import DataError, RequestError
from miniet.mvcc import KeyValue
from miniet.pb import kv_pb2, raft_internal_pb2, raft_pb2, record_pb2, rpc_pb2
from miniet.protowire import fields
from miniet.raft import codec
from miniet.raft.messages import ConfState, Snapshot
from miniet.wal import SnapshotFiles, Wal, WalSnapshot, record
from miniet.wal.contents import decode_wal_snapshot, read_log, valid_snapshots
from miniet.wal.repair import repair
from miniet.wal.snap import read_snapshot
from tests.support.messages import random_message
from tests.support.mutations import mutated
from tests.unit.wal.logs import entries, last_segment, write_log

# A failure prints the seed; hypothesis replays it until it passes.
SEEDS = st.integers(0, 2**32)
MANY = settings(max_examples=200, deadline=None)
FILES = settings(
    max_examples=100,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)

DECODERS: dict[str, tuple[Callable[[bytes], Any], Any]] = {
    "fields": (lambda data: list(fields(data)), kv_pb2.KeyValue),
    "key value": (KeyValue.decode, kv_pb2.KeyValue),
    "entry": (codec.decode_entry, raft_pb2.Entry),
    "hard state": (codec.decode_hard_state, raft_pb2.HardState),
    "conf state": (codec.decode_conf_state, raft_pb2.ConfState),
    "conf change": (codec.decode_conf_change, raft_pb2.ConfChange),
    "snapshot": (codec.decode_snapshot, raft_pb2.Snapshot),
    "snapshot record": (
        lambda data: decode_wal_snapshot(memoryview(data)),
        raft_pb2.SnapshotMetadata,
    ),
    "wal record": (lambda data: record.parse(data, len(data)), record_pb2.Record),
    "internal request": (requests.decode, raft_internal_pb2.InternalRaftRequest),
}


@pytest.mark.parametrize(("decode", "kind"), DECODERS.values(), ids=DECODERS)
@MANY
@given(seed=SEEDS)
def test_decoder_takes_any_bytes_or_says_that_they_are_none(
    decode: Callable[[bytes], Any], kind: Any, seed: int
) -> None:
    random = Random(seed)
    data = random_message(kind.DESCRIPTOR, random).SerializeToString()
    spoilt = random.choice((mutated(data, random), random.randbytes(30)))
    with suppress(ValueError):
        decode(spoilt)


REQUESTS: list[tuple[Any, Callable[[Any], Any]]] = [
    (rpc_pb2.PutRequest, lambda m: validation.check_put(requests.put_request(m))),
    (rpc_pb2.RangeRequest, lambda m: validation.check_range(requests.range_query(m))),
    (
        rpc_pb2.DeleteRangeRequest,
        lambda m: validation.check_range(requests.delete_range_request(m)),
    ),
    (rpc_pb2.TxnRequest, lambda m: validation.check_txn(requests.txn_request(m), 128)),
]


@pytest.mark.parametrize(
    ("kind", "check"), REQUESTS, ids=[kind.DESCRIPTOR.name for kind, _ in REQUESTS]
)
@MANY
@given(seed=SEEDS)
def test_request_is_read_or_refused(
    kind: Any, check: Callable[[Any], Any], seed: int
) -> None:
    random = Random(seed)
    data = random_message(kind.DESCRIPTOR, random).SerializeToString()
    try:
        message = kind.FromString(mutated(data, random))
    except DecodeError:
        return
    with suppress(RequestError):
        check(message)


@pytest.fixture(scope="module")
def segment(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, bytes]:
    """The name of a segment, and what is in it without the room at its end."""
    directory = tmp_path_factory.mktemp("log") / "wal"
    write_log(directory, [entries(1, 3), entries(4, 3)])
    path = last_segment(directory)
    return path.name, path.read_bytes().rstrip(b"\0")


@FILES
@given(seed=SEEDS)
def test_log_of_any_bytes_is_read_or_refused(
    segment: tuple[str, bytes], tmp_path: Path, seed: int
) -> None:
    random = Random(seed)
    name, data = segment
    spoilt = random.choice((mutated(data, random), random.randbytes(200)))
    path = tmp_path / name
    path.write_bytes(spoilt + bytes(random.choice((0, 7, 512, 4096))))
    for read in (
        lambda: read_log(tmp_path, WalSnapshot()),
        lambda: valid_snapshots(tmp_path),
        lambda: repair(tmp_path),
        lambda: Wal.open(tmp_path, WalSnapshot())[0].close(),
    ):
        error = refused(read)
        assert error is None or str(tmp_path) in str(error)


@FILES
@given(seed=SEEDS)
def test_snapshot_file_of_any_bytes_is_read_or_refused(
    tmp_path: Path, seed: int
) -> None:
    random = Random(seed)
    snapshot = Snapshot(
        data=b"members", index=7, term=2, conf_state=ConfState(voters=(1, 2))
    )
    path = SnapshotFiles(tmp_path, sync=False).save(snapshot)
    data = path.read_bytes()
    spoilt = random.choice((mutated(data, random), random.randbytes(60)))
    path.write_bytes(spoilt)
    error = refused(lambda: read_snapshot(path))
    if error is not None:
        assert str(path) in str(error)
    else:
        # The CRC held, so it is what was written; unknown fields may stand beside it.
        assert read_snapshot(path) == snapshot


def refused(read: Callable[[], Any]) -> DataError | None:
    """Return the error that says what is wrong with a file; None: it was read."""
    try:
        read()
    except DataError as error:
        return error
    return None
