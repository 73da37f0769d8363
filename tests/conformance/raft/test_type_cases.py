"""Ids, slices, sizes and message classes agree with etcd's, row by row."""

import re

from miniet.raft import Entry, MessageType
from miniet.raft.log_slice import EntryId, LogSlice
from miniet.raft.messages import LOCAL_MESSAGE_TYPES, RESPONSE_MESSAGE_TYPES
from miniet.raft.sizes import limit_size, payload_bytes
from tests.conformance.raft.loading import (
    Case,
    CaseFile,
    entries_of,
    entry_id,
    limit,
)

FILE = CaseFile("types_util.json")


@FILE.rows("TestEntryID")
def test_entry_id(case: Case) -> None:
    [entry] = entries_of([case["entry"]])
    assert EntryId.of(entry) == EntryId(**case["want"])


@FILE.rows("TestLogSlice")
def test_log_slice(case: Case) -> None:
    run = LogSlice(
        case["leader_term"], entry_id(case["prev"]), entries_of(case["entries"])
    )
    assert run.is_valid() is case["want_valid"]
    if case["want_valid"]:
        assert run.last_entry_id == entry_id(case["want_last"])
        assert run.last_index == case["want_last"][0]


@FILE.rows("TestLimitSize")
def test_limit_size(case: Case) -> None:
    entries = entries_of(case["setup"]["entries"])
    kept = limit_size(entries, limit(case["max_size"]))
    assert kept == entries[: case["want_count"]]


@FILE.rows("TestIsLocalMsg + TestIsResponseMsg")
def test_message_class(case: Case) -> None:
    name = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", case["type"].removeprefix("Msg"))
    kind = MessageType[name.upper()]
    assert (kind in LOCAL_MESSAGE_TYPES) is case["want_local"]
    assert (kind in RESPONSE_MESSAGE_TYPES) is case["want_response"]


@FILE.rows("TestPayloadSizeOfEmptyEntry", keep=lambda case: "entry" in case)
def test_payload_of_empty_entry(case: Case) -> None:
    assert payload_bytes([Entry(**case["entry"])]) == case["want"]


def test_every_case_is_run() -> None:
    # Describing an entry in words is for scripts with golden output.
    assert FILE.left_out() == {"TestDescribeEntry": 2}
