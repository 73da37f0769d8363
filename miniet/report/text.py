"""Documents as text of 80 columns, the same on a terminal and in a file."""

import re
import textwrap
from collections.abc import Iterator, Sequence
from itertools import groupby, zip_longest

from miniet.report.document import (
    Block,
    Command,
    Document,
    Facts,
    Figure,
    Heading,
    Paragraph,
)
from miniet.report.pages import run_page
from miniet.report.run import Run
from miniet.report.sheet import Column, Sheet

WIDTH = 80
_GAP = "  "
_TEXT_WIDTH_MIN = 24
"""A column of text is wrapped to fit, but not below this."""
_QUANTITY = re.compile(r"(?<=\d) (?=(?:B|[KMGT]iB|%)(?!\w))")


def render(run: Run) -> str:
    """Return a run's report."""
    return write(run_page(run))


def write(document: Document) -> str:
    """Return the text, which ends with a newline."""
    title = _wrap(document.title, WIDTH)
    parts = ["\n".join([*title, "=" * max(map(len, title))])]
    parts += [part for part in map(_block, document.blocks) if part]
    return "\n\n".join(parts) + "\n"


def _block(block: Block) -> str:
    match block:
        case Heading(text):
            lines = _wrap(text, WIDTH)
            return "\n".join([*lines, "-" * max(map(len, lines))])
        case Paragraph(text):
            return "\n".join(_wrap(text, WIDTH))
        case Facts(rows):
            return _facts(rows)
        case Command(text):
            return textwrap.indent(text, _GAP)
        case Figure():
            return ""
        case Sheet():
            return _sheet(block)


def _wrap(text: str, width: int) -> list[str]:
    """Break lines between words, never between a number and its unit."""
    joined = _QUANTITY.sub("\u00a0", text)
    lines = textwrap.wrap(joined, width, break_on_hyphens=False) or [""]
    return [line.replace("\u00a0", " ") for line in lines]


def _facts(rows: Sequence[tuple[str, str]]) -> str:
    margin = max((len(name) for name, _ in rows), default=0) + len(_GAP)
    lines = []
    for name, text in rows:
        first, *others = _wrap(text, WIDTH - margin)
        lines.append(f"{name:{margin}}{first}".rstrip())
        lines += [" " * margin + other for other in others]
    return "\n".join(lines)


def _sheet(sheet: Sheet) -> str:
    if not sheet.rows:
        return ""
    parts = ["\n".join(_wrap(sheet.title, WIDTH))] if sheet.title else []
    parts += [_table(part) for part in _parts(sheet.without_empty_columns())]
    if sheet.note:
        parts.append("\n".join(_wrap(sheet.note, WIDTH)))
    return "\n\n".join(parts)


def _parts(sheet: Sheet) -> Iterator[Sheet]:
    """Split a sheet that is too wide, between groups; each part names the rows."""
    taken = [0]
    others = range(1, len(sheet.columns))
    groups = groupby(others, lambda position: sheet.columns[position].group or position)
    for _, found in groups:
        wider = [*taken, *found]
        if len(taken) > 1 and _width_min(sheet.with_columns(wider)) > WIDTH:
            yield sheet.with_columns(taken)
            wider = [0, *wider[len(taken) :]]
        taken = wider
    yield sheet.with_columns(taken)


def _width_min(sheet: Sheet) -> int:
    widths = _natural_widths(sheet)
    return sum(
        min(width, _TEXT_WIDTH_MIN) if column.is_text else width
        for column, width in zip(sheet.columns, widths, strict=True)
    ) + len(_GAP) * (len(widths) - 1)


def _table(sheet: Sheet) -> str:
    widths = _natural_widths(sheet)
    _narrow(sheet.columns, widths)
    lines = []
    if any(column.group for column in sheet.columns):
        lines.append(_group_heads(sheet.columns, widths))
    lines += _row(sheet.columns, [column.name for column in sheet.columns], widths)
    rule = "-" * (sum(widths) + len(_GAP) * (len(widths) - 1))
    lines.append(rule)
    for number, row in enumerate(sheet.rows, 1):
        if sheet.has_total and number == len(sheet.rows):
            lines.append(rule)
        lines += _row(sheet.columns, row, widths)
    return "\n".join(line.rstrip() for line in lines)


def _natural_widths(sheet: Sheet) -> list[int]:
    """Widths at which nothing is wrapped, heads of groups included."""
    widths = [
        max(len(column.name), *(len(row[position]) for row in sheet.rows))
        for position, column in enumerate(sheet.columns)
    ]
    for group, positions in _groups(sheet.columns):
        lacking = len(group) - _span(positions, widths)
        if group and lacking > 0:
            widths[positions[0]] += lacking
    return widths


def _groups(columns: Sequence[Column]) -> Iterator[tuple[str, list[int]]]:
    for group, found in groupby(enumerate(columns), lambda pair: pair[1].group):
        yield group, [position for position, _ in found]


def _span(positions: Sequence[int], widths: Sequence[int]) -> int:
    gaps = len(_GAP) * (len(positions) - 1)
    return sum(widths[position] for position in positions) + gaps


def _narrow(columns: Sequence[Column], widths: list[int]) -> None:
    """Take what is too much from the widest column of text."""
    while (too_much := _span(range(len(widths)), widths) - WIDTH) > 0:
        texts = [at for at, column in enumerate(columns) if column.is_text]
        widest = max(texts, key=lambda at: widths[at], default=None)
        if widest is None or widths[widest] <= _TEXT_WIDTH_MIN:
            return
        widths[widest] = max(_TEXT_WIDTH_MIN, widths[widest] - too_much)


def _group_heads(columns: Sequence[Column], widths: Sequence[int]) -> str:
    return _GAP.join(
        f"{group:^{_span(positions, widths)}}" for group, positions in _groups(columns)
    )


def _row(
    columns: Sequence[Column], cells: Sequence[str], widths: Sequence[int]
) -> Iterator[str]:
    wrapped = [
        _wrap(cell, width) if column.is_text else [cell]
        for column, cell, width in zip(columns, cells, widths, strict=True)
    ]
    for lines in zip_longest(*wrapped, fillvalue=""):
        yield _GAP.join(
            line.ljust(width) if column.is_text else line.rjust(width)
            for column, line, width in zip(columns, lines, widths, strict=True)
        )
