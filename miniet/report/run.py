"""`Run`: what a scenario of the lab found, ready to be shown in any form."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from miniet.memory.capture import Capture
from miniet.predict.prediction import Prediction


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """One step of a variant, and what was held after it."""

    name: str
    """`loaded`, `compacted`."""
    capture: Capture
    prediction: Prediction | None = None
    """What a Go etcd would hold then; beside a real etcd, what was expected."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """The same load under one set of flags, profile or parameters."""

    name: str
    """`--snapshot-count=500`."""
    stages: Sequence[Stage]
    timeline: Sequence[Capture] = ()
    """Readings between the stages."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A result that is not a stage: a fit, a sweep."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str | int | float]]
    """Numbers as numbers, in the unit that the column's name says."""
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """All that one `miniet lab run` leaves behind."""

    scenario: str
    """`case-study`."""
    question: str
    """What it answers, in a sentence."""
    command: str
    """How to repeat it."""
    target: str
    """`miniet 0.1.0`, `etcd 3.4.23 at 127.0.0.1:2379`."""
    time_s: float
    machine: str
    """System, processor, Python, as one line."""
    variants: Sequence[Variant]
    tables: Sequence[Table] = field(default_factory=tuple)
    verdict: Sequence[str] = field(default_factory=tuple)
    """Paragraphs in words, the answer first."""
    not_shown: Sequence[str] = field(default_factory=tuple)
    """What could not be seen or was left out, and why."""
