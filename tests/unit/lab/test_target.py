"""What `--target` says, and what each kind of target refuses."""

import sys

import pytest

from miniet.lab.errors import LabError
from miniet.lab.target import Binary, Embedded, Running, Setup, target_of

FLAG = Setup("flag", ("--snapshot-count=5",))
PROFILE = Setup("profile", profile="3.6")


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("embedded", Embedded),
        (sys.executable, Binary),
        ("localhost:2379", Running),
        ("http://localhost:2379", Running),
        ("http://localhost:2379/", Running),
    ],
)
def test_target_is_told_by_its_form(text: str, kind: type) -> None:
    assert isinstance(target_of(text), kind)


def test_program_that_is_none_is_refused() -> None:
    with pytest.raises(LabError, match="is no program"):
        target_of("/nowhere/etcd")


@pytest.mark.parametrize("text", ["embedded", sys.executable])
def test_process_id_goes_with_a_running_server_only(text: str) -> None:
    with pytest.raises(LabError, match="--pid"):
        target_of(text, pid=1)


def test_running_server_takes_no_flags() -> None:
    running = target_of("localhost:1")
    assert not running.is_own
    assert running.refusal(Setup("plain")) == ""
    assert "needs a server of the lab's own" in running.refusal(FLAG)
    assert running.refusal(PROFILE)


def test_program_takes_flags_and_no_profile() -> None:
    binary = target_of(sys.executable)
    assert binary.refusal(FLAG) == ""
    assert "miniet's" in binary.refusal(PROFILE)


def test_running_server_is_not_restarted() -> None:
    with pytest.raises(LabError, match="not restarted"):
        Running("localhost:1", None).restart()
