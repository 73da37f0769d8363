"""`Lab`: runs a scenario's variants, one after the other, and reports."""

import math
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from miniet.clock import Clock, SystemClock
from miniet.lab import machine
from miniet.lab.errors import LabError
from miniet.lab.machine import Need
from miniet.lab.subject import Progress, Subject, Where
from miniet.lab.target import Embedded, Setup, Target
from miniet.releases import DEFAULT_RELEASE
from miniet.report.run import Run, Table, Variant

PREFIX = "miniet-lab/"


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """What a scenario makes of its figures."""

    verdict: Sequence[str]
    """Paragraphs in words, the answer first."""
    tables: Sequence[Table] = ()
    not_shown: Sequence[str] = ()


class Scenario(Protocol):
    """A module of `scenarios/`; `miniet.lab` says how one is written."""

    NAME: str
    QUESTION: str
    DISTURBS: str

    def need(self, scale: float) -> Need:
        """Return what the scenario takes."""

    def run(self, lab: "Lab") -> None:
        """Load, and read at every stage."""

    def explain(self, variants: Sequence[Variant]) -> Findings:
        """Say what the figures mean."""


class Silent:
    """Progress that nobody sees."""

    def begin(self, text: str, total: int | None) -> None:
        """Show nothing."""

    def advance(self, steps: int) -> None:
        """Show nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How an experiment is done."""

    target: Target = field(default_factory=Embedded)
    scale: float = 1.0
    """Of the load; 1 is the scenario's own size."""
    profile: str = DEFAULT_RELEASE
    """Of miniet, where a variant has none of its own."""
    idle_s: float = 0.0
    """How long a server is left alone at the end, to see what it gives back."""
    progress: Progress = field(default_factory=Silent)
    clock: Clock = field(default_factory=SystemClock)
    command: str = ""
    """What repeats it."""


class Lab:
    """What a scenario works with."""

    def __init__(self, options: Options) -> None:
        self.scale = options.scale
        self.idle_s = options.idle_s
        self.is_own_server = options.target.is_own
        self.variants: list[Variant] = []
        self.left_out: list[str] = []
        self._options = options
        self.running = ExitStack()
        """The server of the variant under way, what it wrote, and its client."""

    def scaled(self, count: int, at_least: int = 1) -> int:
        """Return a count of the load at the scale that was asked for."""
        return max(round(count * self.scale), at_least)

    def subjects(self, setups: Sequence[Setup]) -> Iterator[Subject]:
        """Yield a server for each setup, fresh where the target has its own.

        A setup that the target cannot have is left out, and the report says why.
        """
        for setup in setups:
            reason = self._options.target.refusal(setup)
            if not reason:
                try:
                    subject = self._start(setup)
                except LabError as error:
                    if setup.is_plain:
                        raise
                    reason = str(error)  # as of a flag that this release lacks
            if reason:
                reason = reason.rstrip(".")
                self.left_out.append(f"Variant {setup.name} is left out: {reason}.")
                continue
            yield subject
            self.variants.append(subject.variant())
            self.close()

    def close(self) -> None:
        """End the server and remove what it wrote, if one runs."""
        self.running.close()

    def _start(self, setup: Setup) -> Subject:
        options = self._options
        options.progress.begin(f"{setup.name}: starting", None)
        prefix = "" if self.is_own_server else f"{PREFIX}{time.time_ns():x}/"
        where = Where(options.clock, options.progress, prefix.encode())
        enter = self.running.enter_context
        directory = enter(tempfile.TemporaryDirectory(prefix="miniet-lab-"))
        target = options.target
        server = enter(target.start(setup, options.profile, Path(directory)))
        return enter(Subject(setup, server, where))


def run_scenario(scenario: Scenario, options: Options) -> Run:
    """Do an experiment and return all that it found.

    Raises:
        LabError: the machine is too small, a server does not start, or the scale
            or the time to idle is none.
        ClientError: a server refused what the load asked for.
    """
    if not 0 < options.scale < math.inf:
        raise LabError(f"a scale is a number above 0, not {options.scale:g}")
    if not 0 <= options.idle_s < math.inf:
        raise LabError(f"time is 0 or more, not {options.idle_s:g} s")
    scenario.need(options.scale).check()
    lab = Lab(options)
    with lab.running:
        scenario.run(lab)
    findings = scenario.explain(lab.variants)
    return Run(
        scenario=scenario.NAME,
        question=scenario.QUESTION,
        command=options.command,
        target=_target_text(lab.variants),
        time_s=options.clock.unix_s(),
        machine=machine.describe(),
        variants=tuple(lab.variants),
        tables=tuple(findings.tables),
        verdict=tuple(findings.verdict),
        not_shown=(*findings.not_shown, *lab.left_out, *_unseen(lab.variants)),
    )


def _target_text(variants: Sequence[Variant]) -> str:
    products = dict.fromkeys(
        stage.capture.product for variant in variants for stage in variant.stages
    )
    return ", ".join(products) or "nothing"


def _unseen(variants: Sequence[Variant]) -> Iterator[str]:
    """Say once what the reader of these servers could not see, and worked out."""
    captures = [stage.capture for variant in variants for stage in variant.stages]
    estimated: dict[str, dict[str, None]] = {}
    for capture in captures:
        for name, basis in capture.estimated.items():
            estimated.setdefault(basis, {})[_words(name)] = None
    for basis, names in estimated.items():
        yield f"Worked out from {basis}: {', '.join(names)}."
    unseen = dict.fromkeys(
        _words(name) for capture in captures for name in capture.unseen
    )
    if unseen:
        yield f"Not seen from outside a real etcd: {', '.join(unseen)}."


def _words(field: str) -> str:
    """Turn a field of `Counts` into words."""
    return field.replace("_", " ")
