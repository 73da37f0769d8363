"""Running a script with etcdctl against a server."""

import os
import re
import shlex
import subprocess
import time
import urllib.request
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from tests.conformance.etcdctl.normal import Names
from tests.conformance.etcdctl.script import Step
from tests.conformance.etcdctl.servers import Running

COMMAND_SECONDS_MAX = 30.0
WAIT_SECONDS_MAX = 10.0
_POLL_SECONDS = 0.01

_WATCHERS = re.compile(rb"^etcd_debugging_mvcc_watcher_total (\S+)", re.MULTILINE)


def run_steps(
    steps: Sequence[Step], etcdctl: str, server: Running, directory: Path
) -> list[Step]:
    """Run the steps in order, files in `directory`; return them as they came out."""
    directory.mkdir()
    session = _Session(etcdctl, server, directory)
    try:
        return [replace(step, output=session.run(step)) for step in steps]
    finally:
        session.close()


class _Session:
    def __init__(self, etcdctl: str, server: Running, directory: Path) -> None:
        self._etcdctl = etcdctl
        self._metrics_url = server.metrics_url
        self._directory = directory
        self._names = Names(server.endpoint, str(directory))
        self._environment = {
            "PATH": os.environ.get("PATH", os.defpath),
            "ETCDCTL_API": "3",
            "ETCDCTL_ENDPOINTS": server.endpoint,
        }
        self._background: subprocess.Popen[bytes] | None = None

    def run(self, step: Step) -> list[str]:
        """Run one step and return the lines of its output."""
        match step.sign:
            case "$":
                return self._run(step)
            case "&":
                return self._start(step)
            case "+":
                return self._say(step.text)
            case "~":
                self._wait_lines(int(step.text))
                return []
            case ".":
                return self._finish(int(step.text) if step.text else None)
        raise ValueError(f"no such step: {step.command}")

    def close(self) -> None:
        """End what still runs in the background."""
        if self._background is not None:
            self._background.kill()
            self._reap()

    def _arguments(self, step: Step) -> list[str]:
        return [self._etcdctl, *map(self._names.put_in, shlex.split(step.text))]

    def _run(self, step: Step) -> list[str]:
        run = subprocess.run(
            self._arguments(step),
            input=self._names.put_in(step.input_text).encode(),
            env=self._environment,
            capture_output=True,
            check=False,
            timeout=COMMAND_SECONDS_MAX,
        )
        return self._lines(run.stdout, run.stderr, run.returncode)

    def _start(self, step: Step) -> list[str]:
        assert self._background is None, "one command in the background at a time"
        # Watchers of a command before may not be gone yet.
        _wait(lambda: self._watcher_count() == 0)
        self._watchers_wanted = 0
        with self._stdout.open("wb") as stdout, self._stderr.open("wb") as stderr:
            self._background = subprocess.Popen(
                self._arguments(step),
                stdin=subprocess.PIPE,
                stdout=stdout,
                stderr=stderr,
                env=self._environment,
            )
        output = [] if "-i" in step.text.split() else self._wait_watching(step.text)
        for line in step.input_text.splitlines():
            output += self._say(line)
        return output

    def _say(self, line: str) -> list[str]:
        assert self._background is not None
        assert self._background.stdin is not None
        self._background.stdin.write(line.encode() + b"\n")
        self._background.stdin.flush()
        return self._wait_watching(line)

    def _wait_watching(self, command: str) -> list[str]:
        """If the command is a watch, wait until the server has its watcher."""
        if command.split()[0] != "watch":
            return []
        self._watchers_wanted += 1
        if _wait(lambda: self._watcher_count() == self._watchers_wanted):
            return []
        return [f"(the server has {self._watcher_count():.0f} watchers)"]

    def _finish(self, lines_count: int | None) -> list[str]:
        process = self._background
        assert process is not None
        if lines_count is None:
            _wait(lambda: process.poll() is not None)
        else:
            self._wait_lines(lines_count)
        process.terminate()
        self._reap()
        exit_code = 0 if process.returncode < 0 else process.returncode
        return self._lines(
            self._stdout.read_bytes(), self._stderr.read_bytes(), exit_code
        )

    def _wait_lines(self, count: int) -> None:
        """Wait; if the lines do not come, the comparison shows what did."""
        _wait(lambda: self._stdout.read_bytes().count(b"\n") >= count)

    def _reap(self) -> None:
        process, self._background = self._background, None
        assert process is not None
        assert process.stdin is not None
        process.wait(WAIT_SECONDS_MAX)
        process.stdin.close()

    @property
    def _stdout(self) -> Path:
        return self._directory / "background.stdout"

    @property
    def _stderr(self) -> Path:
        return self._directory / "background.stderr"

    def _watcher_count(self) -> float:
        with urllib.request.urlopen(self._metrics_url, timeout=10) as reply:
            found = _WATCHERS.search(reply.read())
        assert found is not None
        return float(found[1])

    def _lines(self, stdout: bytes, stderr: bytes, exit_code: int) -> list[str]:
        output, errors = _readable(stdout), _readable(stderr)
        self._names.learn(output)
        lines = self._names.normal(output).splitlines()
        lines += [f"! {line}" for line in self._names.normal(errors).splitlines()]
        return [*lines, f"exit {exit_code}"] if exit_code else lines


def _wait(condition: Callable[[], bool]) -> bool:
    deadline_s = time.monotonic() + WAIT_SECONDS_MAX
    while not condition():
        if time.monotonic() > deadline_s:
            return False
        time.sleep(_POLL_SECONDS)
    return True


def _readable(output: bytes) -> str:
    r"""Decode what etcdctl wrote; what is no text, as Python's `b"\x00"`."""
    try:
        text = output.decode()
    except UnicodeDecodeError:
        return repr(output)
    if not text.replace("\n", "").replace("\t", "").isprintable():
        return repr(output)
    return text if not text or text.endswith("\n") else text + "(no newline)"
