"""Clients that ask for more than they read: the server holds what its limits say."""

import re
import sys
from pathlib import Path

import pytest

from miniet.pb import rpc_pb2
from tests.support.etcd_calls import EtcdCalls
from tests.support.served import Served

MIB = 1 << 20
VALUE_BYTES = MIB // 4
RESPONSES_MAX = 128
"""Responses that wait in a watch stream."""

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")


def anonymous_bytes(server: Served) -> int:
    """Memory of the server's own, the pages of its file left out."""
    status = Path(f"/proc/{server.pid}/status").read_text()
    found = re.search(r"^RssAnon:\s+(\d+) kB$", status, re.M)
    assert found is not None
    return int(found[1]) * 1024


@pytest.mark.parametrize("watchers", [1, 5])
def test_watcher_that_never_reads_holds_a_bounded_number_of_responses(
    tmp_path: Path, watchers: int
) -> None:
    # The log's own memory must not be mistaken for the watchers'.
    flags = ("--snapshot-count=10", "--experimental-snapshot-catchup-entries=5")
    create = rpc_pb2.WatchRequest()
    create.create_request.key = b"a"
    with (
        Served(tmp_path / "data", *flags) as server,
        EtcdCalls(server.endpoint) as calls,
        EtcdCalls(server.endpoint) as slow,
    ):
        value = bytes(VALUE_BYTES)
        for _ in range(40):
            calls.put(b"a", value)
        before_bytes = anonymous_bytes(server)
        streams = [
            slow.raw_stream(
                "/etcdserverpb.Watch/Watch", iter([create.SerializeToString()])
            )
            for _ in range(watchers)
        ]
        for stream in streams:
            next(stream)  # the watcher is there; nothing is read after this
        for _ in range(2 * RESPONSES_MAX):
            calls.put(b"a", value)
        full_bytes = anonymous_bytes(server)
        for _ in range(2 * RESPONSES_MAX):
            calls.put(b"a", value)
        after_bytes = anonymous_bytes(server)
        # Watchers of one key share their events.
        assert full_bytes - before_bytes < RESPONSES_MAX * VALUE_BYTES + 24 * MIB
        assert after_bytes - full_bytes < 16 * MIB  # they were 64 MiB more to tell
        assert server.log.count("saved raft snapshot") > 10
