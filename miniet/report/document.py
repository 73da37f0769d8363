"""`Document`: what a report says, in order; `text` and `html` write it down."""

from collections.abc import Sequence
from dataclasses import dataclass

from miniet.report.sheet import Sheet


@dataclass(frozen=True, slots=True)
class Heading:
    """Begins a section."""

    text: str


@dataclass(frozen=True, slots=True)
class Paragraph:
    """Words."""

    text: str


@dataclass(frozen=True, slots=True)
class Facts:
    """Short names, each with what is to be said of it."""

    rows: Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Command:
    """What can be pasted into a shell; it is never wrapped."""

    text: str


@dataclass(frozen=True, slots=True)
class Figure:
    """A plot; text has no place for it."""

    svg: str
    caption: str


Block = Heading | Paragraph | Facts | Command | Figure | Sheet


@dataclass(frozen=True, slots=True)
class Document:
    """A title and its blocks."""

    title: str
    blocks: Sequence[Block]
