from pathlib import Path

import pytest

from miniet.predict import PROFILES, Workload
from miniet.predict.workload import parse_size


def names(workload: Workload) -> list[str]:
    return [stage.name for stage in workload.stages(PROFILES["3.4"])]


def test_only_what_is_asked_for_is_a_stage() -> None:
    assert names(Workload(puts=10)) == ["empty", "loaded"]
    assert names(Workload(puts=10, compact=True, defragment=True, rest=True)) == [
        "empty",
        "loaded",
        "compacted",
        "defragmented",
        "after 1 min",
        "after 6 min",
    ]


def test_every_act_has_its_stage() -> None:
    everything = Workload(
        puts=10,
        keys=5,
        leases=2,
        connections=2,
        streams=1,
        watchers=1,
        ranges=1,
        deletes=2,
        compact=True,
        defragment=True,
        restart=True,
    )
    assert names(everything)[1:] == [
        "connected",
        "leases granted",
        "loaded",
        "watching",
        "ranges answered",
        "deleted",
        "compacted",
        "defragmented",
        "restarted",
    ]


def test_file_describes_a_load(tmp_path: Path) -> None:
    file = tmp_path / "load.toml"
    file.write_text("puts = 1000\nvalue_size = 1048576\ncompact = true\n")
    assert Workload.load(file) == Workload(puts=1000, value_size=2**20, compact=True)
    file.write_text('value_size = "1MiB"\n')
    assert Workload.load(file).value_size == 2**20


@pytest.mark.parametrize(
    ("text", "size"),
    [("1024", 1024), ("17B", 17), ("16KiB", 2**14), ("1m", 2**20), ("2 GB", 2**31)],
)
def test_size_is_read_with_its_unit(text: str, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "MiB", "1.5MiB", "-1", "1TiB", "1kk"])
def test_what_is_no_size_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="no size: write 1024, 16KiB or 1MiB"):
        parse_size(text)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("put = 1", "no such setting of a workload: put"),
        ('puts = "1"', "puts must be a whole number: '1'"),
        ("puts = true", "puts must be a whole number: True"),
        ("compact = 1", "compact must be true or false: 1"),
        ("puts = -1", "puts must be 0 or more: -1"),
        ("keys = 0", "keys must be at least 1: 0"),
        ("puts", "Expected '=' after a key"),
        ("# \udcff", "this is no text"),
    ],
)
def test_file_that_is_wrong_says_where(tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "load.toml"
    file.write_text(text, errors="surrogateescape")
    with pytest.raises(ValueError, match=rf"load\.toml: .*{said}"):
        Workload.load(file)
