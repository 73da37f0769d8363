"""`miniet lab run` that ends before its time."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.served import wait_until

LAB = (sys.executable, "-m", "miniet", "lab", "run", "case-study", "--scale=0.2")


def servers_in(folder: Path) -> list[int]:
    """Return the processes whose data lies below a directory."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            words = entry.joinpath("cmdline").read_text(errors="replace")
        except OSError:  # no process, or one that has just ended
            continue
        if f"--data-dir={folder}" in words:
            found.append(int(entry.name))
    return found


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="looks into /proc")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_lab_that_is_ended_leaves_no_server_and_no_file(
    number: signal.Signals, tmp_path: Path
) -> None:
    files = tmp_path / "files"
    files.mkdir()
    with subprocess.Popen(
        [*LAB, f"--out={tmp_path / 'out'}"],
        env={**os.environ, "TMPDIR": str(files)},
        stderr=subprocess.PIPE,
        text=True,
        # pytest may have been started in the background or by nohup: then the signal
        # is ignored, and so it is in what it starts.
        preexec_fn=lambda: signal.signal(number, signal.SIG_DFL),
    ) as lab:
        try:
            wait_until(lambda: any(files.glob("*/data/member")), "a server has begun")
            assert servers_in(files)
            lab.send_signal(number)
            _, said = lab.communicate(timeout=40)
        finally:
            lab.kill()
            left = servers_in(files)
            for pid in left:
                os.kill(pid, signal.SIGKILL)
    assert lab.returncode == (1 if number == signal.SIGINT else 128 + number)
    assert left == []
    assert list(files.iterdir()) == []
    assert "Traceback" not in said
