"""Where miniet deliberately does not do what etcd 3.4 does; the table is in README.md.

These run on miniet alone: most of the calls end a real etcd's process.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conformance.api.targets import MINIET, Target, running
from tests.support.api_client import Refusal
from tests.support.api_requests import delete, put


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Target]:
    with running(MINIET, tmp_path) as target:
        yield target


@pytest.mark.parametrize("keep", ["ignore_value", "ignore_lease"])
def test_put_cannot_keep_from_a_key_that_its_txn_deleted(
    server: Target, keep: str
) -> None:
    server.put_all((b"b", b"1"))
    refusal = server.refusal(
        "Txn", success=[delete(b"a", b"\x00"), put(b"b", **{keep: True})]
    )
    assert refusal == Refusal("INVALID_ARGUMENT", "etcdserver: key not found")
    assert server.call("Range", key=b"b").kvs[0].value == b"1"


def test_put_may_keep_from_a_key_that_its_txn_deletes_later(server: Target) -> None:
    server.put_all((b"b", b"1"))
    answer = server.call(
        "Txn",
        success=[
            put(b"b", ignore_value=True),
            delete(b"a", b"\x00", prev_kv=True),
        ],
    )
    pair = answer.responses[1].response_delete_range.prev_kvs[0]
    assert (pair.value, pair.version) == (b"1", 2)


@pytest.mark.parametrize("option", ["sort_order", "sort_target"])
def test_unknown_sort_option_is_refused(server: Target, option: str) -> None:
    refusal = server.refusal("Range", key=b"a", range_end=b"b", **{option: 9})
    assert refusal == Refusal("INVALID_ARGUMENT", "etcdserver: invalid sort option")


@pytest.mark.parametrize("action", ["ACTIVATE", "DEACTIVATE"])
def test_alarm_of_no_kind_is_ignored(server: Target, action: str) -> None:
    assert not server.call("Alarm", action=action, memberID=1).alarms
    assert not server.call("Alarm").alarms


def test_lifting_one_kind_of_alarm_leaves_the_other(server: Target) -> None:
    for kind in ("CORRUPT", "NOSPACE"):
        server.call("Alarm", action="ACTIVATE", memberID=1, alarm=kind)
    server.call("Alarm", action="DEACTIVATE", memberID=1, alarm="NOSPACE")
    refusal = server.refusal("Put", key=b"a")
    assert refusal == Refusal("DATA_LOSS", "etcdserver: corrupt cluster")


@pytest.mark.parametrize("url", ["http://127.0.0.1:1", "http://:1", "unix://a:1"])
def test_member_cannot_be_added(server: Target, url: str) -> None:
    refusal = server.refusal("MemberAdd", peerURLs=[url])
    assert refusal.code == "UNIMPLEMENTED"
    assert len(server.call("MemberList").members) == 1


@pytest.mark.parametrize("start", [-1, -2])
def test_watch_from_a_negative_revision_is_cancelled(
    server: Target, start: int
) -> None:
    stream = server.watch(key=b"a", start_revision=start)
    assert stream.receive().created
    notice = stream.receive()
    assert (notice.canceled, notice.compact_revision) == (True, -1)


def test_progress_is_answered_after_the_events_before_it(server: Target) -> None:
    for _ in range(12):
        server.call("Txn", success=[put(b"%d" % i) for i in range(100)])
    revision = server.put_all(*((b"a", b"%d" % i) for i in range(1200)))
    stream = server.watch(key=b"\x00", range_end=b"\x00", start_revision=1)
    stream.request_progress()
    assert stream.receive().created
    before = list(stream.responses_until(revision))
    answer = stream.receive()
    assert (answer.watch_id, answer.header.revision) == (-1, revision)
    assert all(response.watch_id == 0 for response in before)
