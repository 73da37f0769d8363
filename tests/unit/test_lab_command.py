"""`miniet lab run`: what it says of a mistake, before anything is started."""

import os
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from miniet.cli import main


def lab(out: Path, *words: str) -> Result:
    return CliRunner().invoke(
        main, ["lab", "run", "write-path", f"--out={out}", *words]
    )


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--scale=0"], "a scale is a number above 0, not 0"),
        (["--idle=-1"], "time is 0 or more, not -60 s"),
        (["--idle=nan"], "time is 0 or more, not nan s"),
        (["--scale=1e9"], "this needs "),
        (["--profile=3.6", "--target=localhost", "--yes"], "--profile is miniet's"),
        (["--pid=1"], "--pid goes with the endpoint"),
        (["--target=/no/such/program"], "/no/such/program is no program"),
        (["--target=http://[", "--yes"], "is not an endpoint"),
        (["--out=/proc/none"], "/proc/none"),
    ],
)
def test_mistake_is_told_in_a_line(words: list[str], said: str, tmp_path: Path) -> None:
    result = lab(tmp_path / "out", *words)
    assert result.exit_code == 2
    assert said in result.stderr
    assert result.stderr.startswith("miniet: ")
    assert len(result.stderr.splitlines()) == 1


def test_directory_that_takes_no_report_is_refused_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Root may write anywhere, so permissions alone would not show it.
    monkeypatch.setattr("os.access", lambda path, mode: mode != os.W_OK)
    result = lab(tmp_path)
    assert result.exit_code == 2
    assert "is not writable" in result.stderr
