"""`miniet predict`: what it prints, and what it says of a mistake."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from miniet.cli import main
from miniet.memory.capture import Capture
from miniet.memory.counts import Counts

CASE_STUDY = ("--puts=1000", "--value-size=1MiB", "--compact", "--defragment", "--rest")
MIB = 2**20


def predict(*words: str) -> Result:
    return CliRunner().invoke(main, ["predict", *words])


def stages(*words: str) -> dict[str, dict[str, dict[str, int]]]:
    document = json.loads(predict(*words, "--json").output)
    return {stage["name"]: stage["prediction"] for stage in document["stages"]}


def test_case_study_is_told_within_80_columns() -> None:
    result = predict(*CASE_STUDY)
    assert result.exit_code == 0
    assert max(map(len, result.output.splitlines())) <= 80
    words = " ".join(result.output.split())
    for said in (
        "A Go etcd 3.4.23 under this load",
        "After 6 min: most of the live heap is raft log, 1005.1 MiB or 100%.",
        "Compaction and defragmentation free none of it.",
        "RSS is likely 1233.4 MiB, between",
    ):
        assert said in words


def test_figures_are_those_of_the_case_study() -> None:
    """Measured on 3.4.23: 1,012 live, RSS 2,426 loaded and 1,198 after 8 minutes."""
    found = stages(*CASE_STUDY)
    live = found["after 6 min"]["live_heap"]["likely"] / MIB
    loaded = found["loaded"]["resident"]
    rested = found["after 6 min"]["resident"]
    assert live == pytest.approx(1_012, rel=0.02)
    assert loaded["low"] < 2_426 * MIB < loaded["high"]
    assert rested["low"] < 1_198 * MIB < rested["high"]


def test_snapshot_count_frees_what_compaction_does_not() -> None:
    load = ("--puts=12000", "--value-size=1KiB", "--compact")
    kept = stages(*load)["compacted"]["components"]["raft"]["likely"]
    cut = stages(*load, "--snapshot-count=1000")["compacted"]["components"]["raft"]
    assert cut["likely"] < 0.6 * kept


def test_restart_gives_back_what_was_freed() -> None:
    load = ("--puts=110000", "--value-size=1KiB", "--profile=3.4.9")
    found = stages(*load, "--restart")
    restarted, loaded = (
        found[name]["resident"]["likely"] - found[name]["mapped"]["likely"]
        for name in ("restarted", "loaded")
    )
    assert restarted < loaded / 2


def test_3_4_9_keeps_what_it_has_freed() -> None:
    old, new = (
        stages(*CASE_STUDY, f"--profile={name}")["after 6 min"]["resident"]["likely"]
        for name in ("3.4.9", "3.4")
    )
    assert old > 1.5 * new


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--connections=1000"], "is connections, 99.9 MiB or 96%"),
        (["--leases=100000"], "most of the live heap is leases"),
        (
            ["--puts=200000", "--keys=200000", "--puts-per-txn=100"],
            "most of the live heap is treeIndex",
        ),
    ],
)
def test_what_dominates_is_named(words: list[str], said: str) -> None:
    assert said in predict(*words).output


def test_flags_overrule_the_file(tmp_path: Path) -> None:
    file = tmp_path / "load.toml"
    file.write_text('puts = 100\nvalue_size = "1MiB"\nsnapshot_count = 10\n')
    raft = stages(f"--workload={file}", "--puts=50")["loaded"]["components"]["raft"]
    assert raft["likely"] == pytest.approx(50 * MIB, rel=0.05)


def test_counts_may_be_bare_or_a_capture(tmp_path: Path) -> None:
    counts = Counts(connection_count=1_000)
    bare, capture = tmp_path / "bare.json", tmp_path / "capture.json"
    bare.write_text(json.dumps({"connection_count": 1_000}))
    Capture(
        label="now", time_s=0.0, product="miniet", profile="3.5", counts=counts
    ).save(capture)
    for file, release in ((bare, "3.4.23"), (capture, "3.5.1")):
        result = predict(f"--counts={file}")
        assert f"A Go etcd {release} with the counts of {file.name}" in result.output
        now = stages(f"--counts={file}")["now"]["components"]["connections"]
        assert now["likely"] == 104_750_000


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "nothing to predict: say how many --puts, or see --help"),
        (["--profile=3.3", "--puts=1"], "no profile for '3.3': use 3.4.9, 3.4, 3.5"),
        (["--puts=-1"], "puts must be 0 or more: -1"),
        (["--puts=1", "--keys=0"], "keys must be at least 1: 0"),
        (["--value-size=1MB5"], "is no size: write 1024"),
        (["--puts=1", "--value-size=10GB"], "gRPC has no messages above 2 GiB"),
        (["--workload=nothing.toml"], "miniet: nothing.toml: No such file"),
        (["--counts=nothing.json"], "miniet: nothing.json: No such file"),
        (["--counts=x", "--puts=1"], "--server stand in place of a load"),
    ],
)
def test_mistake_is_answered_with_a_line(words: list[str], said: str) -> None:
    result = predict(*words)
    assert result.exit_code == 2
    assert said in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "this is not JSON"),
        ("[]", "counts are an object with a number for each name"),
        ('{"keys": 1}', "no such counts: keys"),
        ('{"key_count": -1}', "key_count is below 0: -1"),
        ('{"key_count": "1"}', "key_count is not a whole number: '1'"),
        ('{"format": "miniet capture", "version": 9}', "version"),
    ],
)
def test_counts_that_are_wrong_say_where(tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "counts.json"
    file.write_text(text)
    result = predict(f"--counts={file}")
    assert (result.exit_code, said in result.stderr) == (2, True)
    assert len(result.stderr.splitlines()) == 1


def test_help_fits_80_columns() -> None:
    result = predict("--help")
    assert result.exit_code == 0
    assert max(map(len, result.output.splitlines())) <= 80
