"""A capture is kept as JSON, and what does not fit is refused by its field."""

import json
from pathlib import Path
from typing import Any

import pytest

from miniet.memory.capture import Capture
from miniet.memory.components import Component
from tests.unit.memory.captures import capture, go_memory, traced

CAPTURES = {
    "of a process": capture(),
    "traced": capture(traced=traced(raft=400, server=100, other=7)),
    "of a real etcd": capture(
        product="etcd 3.4.23",
        unseen=("raft_entry_count", "lease_heap_element_count"),
        process=None,
        baseline=None,
        go=go_memory(),
    ),
}


@pytest.mark.parametrize("made", CAPTURES.values(), ids=CAPTURES)
def test_what_is_saved_is_loaded(tmp_path: Path, made: Capture) -> None:
    made.save(tmp_path / "a.json")
    assert Capture.load(tmp_path / "a.json") == made


def test_components_are_keys_by_their_names() -> None:
    made = capture(traced=traced(raft=400))
    document = made.to_json()
    assert document["traced"]["bytes_by_component"]["raft"] == 400
    assert list(document["traced"]["lines"]) == [str(each) for each in Component]


DAMAGES: dict[str, tuple[dict[str, Any], str]] = {
    "other file": ({"format": "run"}, "this is not a capture"),
    "version": ({"version": 2}, "version: this is a capture of version 2, not 1"),
    "text for number": (
        {"process": {"resident_bytes": "1"}},
        "process.resident_bytes: a whole number is expected, not '1'",
    ),
    "fraction": (
        {"process": {"resident_bytes": 1.5}},
        "process.resident_bytes: a whole number is expected, not 1.5",
    ),
    "truth for number": (
        {"time_s": True},
        "time_s: a number is expected, not True",
    ),
    "missing field": ({"process": {}}, "process.resident_bytes: it is missing"),
    "unknown field": ({"extra": 1}, "extra: there is no such field"),
    "unknown count": ({"counts": {"keys": 1}}, "counts.keys: there is no such field"),
    "list for object": ({"counts": []}, "counts: an object is expected, not []"),
    "object for list": ({"unseen": {}}, "unseen: a list is expected, not {}"),
    "wrong item": ({"unseen": ["a", 2]}, "unseen[1]: a text is expected, not 2"),
    "null": ({"label": None}, "label: a text is expected, not None"),
    "long value": (
        {"label": list(range(99))},
        "label: a text is expected, not [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11...",
    ),
}


@pytest.mark.parametrize(("damage", "message"), DAMAGES.values(), ids=DAMAGES)
def test_damage_is_refused_in_one_line_with_the_field(
    tmp_path: Path, damage: dict[str, Any], message: str
) -> None:
    file = tmp_path / "a.json"
    file.write_text(json.dumps(capture().to_json() | damage))
    with pytest.raises(ValueError, match=r".") as refusal:
        Capture.load(file)
    assert str(refusal.value) == f"{file}: {message}"


def test_an_unknown_component_is_refused() -> None:
    document = capture(traced=traced()).to_json()
    document["traced"]["lines"] = {"rafts": []}
    with pytest.raises(ValueError, match=r"^traced\.lines: a component is expected"):
        Capture.from_json(document)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "not JSON: Expecting value"),
        (b'{"format": ', "not JSON: Expecting value"),
        (b"\xff\xfe\x00", "not JSON: it is no text"),
        (b"[]", "this is not a capture"),
    ],
    ids=["empty", "cut off", "binary", "list"],
)
def test_what_is_no_capture_is_refused_in_one_line(
    tmp_path: Path, content: bytes, message: str
) -> None:
    file = tmp_path / "a.json"
    file.write_bytes(content)
    with pytest.raises(ValueError, match=message) as refusal:
        Capture.load(file)
    assert str(file) in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_no_file_is_an_error_of_the_system(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        Capture.load(tmp_path / "none")
