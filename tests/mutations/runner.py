"""Running mutations: in a copy of the tree, each with a pytest in a fork.

pytest and hypothesis take two seconds to import, most tests that notice a mutation
a tenth of that. So everything that is not ours is imported here once, and each run
is a fork, which then imports miniet and the tests from its own copy.
"""

import gc
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import NoReturn

import crc32c  # noqa: F401
import google.protobuf.json_format  # noqa: F401
import hypothesis.stateful  # noqa: F401
import lmdb  # noqa: F401
import pytest
import sortedcontainers  # noqa: F401

from tests.mutations.mutation import ROOT, Mutation

RUN_SECONDS_MAX = 600.0
"""After which a run hangs; pytest ends a single test much sooner."""


_POLL_SECONDS = 0.02
_NOT_RUN = 70
_SCRATCH = "scratch"
_LEFT_OUT = shutil.ignore_patterns(
    *(".*", "__pycache__", "*.egg-info", "build", "dist", "demo", "results")
)
_FIRST_FAILURE = re.compile(r"^(?:FAILED|ERROR) (\S+)", re.MULTILINE)


class Verdict(Enum):
    """What became of a run."""

    CAUGHT = "caught"
    HUNG = "hung"
    """It did not end in time, which nobody overlooks: counts as caught."""
    SURVIVED = "survived"
    """All tests passed; without a mutation that is as it should be."""
    BROKEN = "broken"
    """The tests did not run at all, so nothing is known."""


@dataclass(frozen=True, slots=True)
class Job:
    """Some tests to be run up to the first failure, in a tree of their own."""

    name: str
    tests: tuple[str, ...]
    mutation: Mutation | None = None
    """None: nothing is done to the tree."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one job ended."""

    job: Job
    verdict: Verdict
    noticed_by: str
    """Id of the first failing test, or what was said instead."""
    seconds: float

    @property
    def is_good(self) -> bool:
        """Whether the mutation was caught, or the untouched tree passed."""
        if self.job.mutation is None:
            return self.verdict is Verdict.SURVIVED
        return self.verdict in (Verdict.CAUGHT, Verdict.HUNG)


def jobs_of(mutations: Iterable[Mutation]) -> list[Job]:
    """A job per mutation, after one for each of their tests on an untouched tree.

    A test that fails there as well would tell nothing.
    """
    chosen = list(mutations)
    tests = dict.fromkeys(test for mutation in chosen for test in mutation.tests)
    return [
        *(Job(test, (test,)) for test in tests),
        *(Job(mutation.name, mutation.tests, mutation) for mutation in chosen),
    ]


class Runner:
    """Runs jobs, several at a time, each in a copy of the tree that it has alone.

    A copy is used again when what was done to it is undone. Its bytecode says which
    source it is of by its hash, not by its time, so that none of it is taken for that
    of another mutation.
    """

    def __init__(self, directory: Path, root: Path = ROOT) -> None:
        self._directory = directory
        self._root = root

    def run(
        self,
        jobs: Sequence[Job],
        at_once: int,
        *,
        seconds_max: float = RUN_SECONDS_MAX,
        on_poll: Callable[[], None] = lambda: None,
    ) -> Iterator[Outcome]:
        """Run jobs, at most `at_once` of them at a time; yield each when it ends."""
        waiting = deque(jobs)
        free = [self._copy(number) for number in range(min(at_once, len(jobs)))]
        running: list[_Run] = []
        try:
            while waiting or running:
                while waiting and free:
                    running.append(_Run(waiting.popleft(), free.pop()))
                ended = [run for run in running if run.has_ended(seconds_max)]
                for run in ended:
                    running.remove(run)
                    yield run.outcome()
                    free.append(run.tree)
                if not ended:
                    on_poll()
                    time.sleep(_POLL_SECONDS)
        finally:
            for run in running:
                run.stop()

    def _copy(self, number: int) -> Path:
        tree = self._directory / f"tree-{number}"
        shutil.rmtree(tree, ignore_errors=True)
        shutil.copytree(self._root, tree, ignore=_LEFT_OUT)
        subprocess.run(
            [
                *(sys.executable, "-m", "compileall", "-q"),
                *("--invalidation-mode", "checked-hash", str(tree)),
            ],
            check=True,
        )
        return tree


class _Run:
    """A job under way: a forked process in its tree."""

    def __init__(self, job: Job, tree: Path) -> None:
        self._job = job
        self.tree = tree
        self._log_path = tree / "pytest.log"
        self._begun_s = time.monotonic()
        self._code: int | None = None
        self._text_before = job.mutation.apply(tree) if job.mutation else ""
        gc.freeze()
        self._pid = os.fork()
        if self._pid == 0:
            _become_pytest(tree, self._log_path, job.tests)

    def has_ended(self, seconds_max: float) -> bool:
        """Whether it has, by itself or because its time is over."""
        pid, status = os.waitpid(self._pid, os.WNOHANG)
        if pid:
            self._code = os.waitstatus_to_exitcode(status)
            return True
        return time.monotonic() - self._begun_s > seconds_max

    def outcome(self) -> Outcome:
        """Say how it ended, and undo what was done to its tree."""
        seconds = time.monotonic() - self._begun_s
        code = self._code
        self.stop()
        said = self._log_path.read_text() if self._log_path.exists() else ""
        self._log_path.unlink(missing_ok=True)
        shutil.rmtree(self.tree / _SCRATCH, ignore_errors=True)
        if self._job.mutation is not None:
            (self.tree / self._job.mutation.file).write_text(self._text_before)
        if code is None:
            said = f"still running after {seconds:.0f} s"
            return Outcome(self._job, Verdict.HUNG, said, seconds)
        return Outcome(self._job, *read_verdict(code, said), seconds)

    def stop(self) -> None:
        """End what still runs, and what that has started."""
        if self._code is None:
            os.killpg(self._pid, signal.SIGKILL)
            os.waitpid(self._pid, 0)
            self._code = -signal.SIGKILL


def _become_pytest(tree: Path, log_path: Path, tests: Sequence[str]) -> NoReturn:
    """Run the tests in this process, a fork, and end it."""
    code: int = _NOT_RUN
    try:
        os.setpgid(0, 0)
        log = os.open(log_path, os.O_CREAT | os.O_WRONLY)
        for descriptor in (1, 2):
            os.dup2(log, descriptor)
        sys.stdout = sys.stderr = os.fdopen(1, "w", closefd=False)
        os.chdir(tree)
        # What is ours comes from the copy, in child processes, too.
        for name in list(sys.modules):
            if name.partition(".")[0] in ("tests", "miniet"):
                del sys.modules[name]
        sys.path[:] = [str(tree), *(p for p in sys.path if p not in ("", str(ROOT)))]
        for name in list(os.environ):
            if name.startswith("ETCD_"):
                del os.environ[name]
        os.environ["PYTHONPATH"] = str(tree)
        os.environ["PYTHONDONTWRITEBYTECODE"] = "1"
        sys.dont_write_bytecode = True
        code = pytest.main(
            [
                *("-x", "-q", "--tb=no", "-p", "no:cacheprovider"),
                # Rewritten asserts say more, which nobody reads here, and are
                # compiled anew each time.
                "--assert=plain",
                *("-W", "ignore::pytest.PytestAssertRewriteWarning"),
                *("--hypothesis-seed=0", f"--basetemp={tree / _SCRATCH}", *tests),
            ]
        )
        sys.stdout.flush()
    finally:
        # Not an exception, not `exit`: nothing of the parent may run here.
        os._exit(code)


def read_verdict(code: int, said: str) -> tuple[Verdict, str]:
    """Read an exit code and what pytest said; see its "Exit codes".

    A file that cannot be imported is `BROKEN`: any test would notice that.
    """
    if code == 0:
        return Verdict.SURVIVED, "every test passed"
    if code < 0:
        return Verdict.CAUGHT, f"the interpreter was ended by signal {-code}"
    first = _FIRST_FAILURE.search(said)
    if code == 1 and first is not None:
        return Verdict.CAUGHT, first[1]
    return Verdict.BROKEN, " ".join(said.split())[-300:] or f"exit code {code}"
