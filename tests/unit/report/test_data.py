import json
from pathlib import Path

import pytest

from miniet.report import data, text
from tests.unit.report.records import real_run, run


def test_run_comes_back_as_it_was_saved(tmp_path: Path) -> None:
    path = tmp_path / "run.json"
    data.save(run(), path)
    assert data.to_json(data.load(path)) == data.to_json(run())


def test_saved_run_makes_the_same_report(tmp_path: Path) -> None:
    path = tmp_path / "run.json"
    data.save(real_run(), path)
    assert text.render(data.load(path)) == text.render(real_run())


def test_keys_stay() -> None:
    document = data.to_json(run())
    stage = document["variants"][0]["stages"][1]
    assert document["version"] == 1
    assert stage["capture"]["counts"]["raft_entry_count"] == 1004
    assert stage["capture"]["process"]["resident_bytes"] == 1120 << 20
    assert set(stage["prediction"]["resident"]) == {"low", "likely", "high"}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "not JSON"),
        ("[]", "this is not a run"),
        ('{"format": "miniet capture"}', "this is not a run"),
        ('{"format": "miniet run", "version": 9}', "version 9, not 1"),
        ('{"format": "miniet run", "version": 1}', "is missing"),
    ],
)
def test_other_file_is_refused_in_one_line(
    content: str, message: str, tmp_path: Path
) -> None:
    path = tmp_path / "run.json"
    path.write_text(content)
    with pytest.raises(ValueError, match=message) as refused:
        data.load(path)
    assert str(refused.value).startswith(f"{path}: ")
    assert "\n" not in str(refused.value)


def test_damaged_field_is_named() -> None:
    document = json.loads(json.dumps(data.to_json(run())))
    document["variants"][1]["stages"][0]["capture"]["time_s"] = "now"
    with pytest.raises(ValueError, match=r"variants\[1\].stages\[0\].capture.time_s"):
        data.from_json(document)
