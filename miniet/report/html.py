"""Documents as one HTML file that needs nothing else, in light and dark."""

from collections.abc import Sequence
from html import escape
from itertools import groupby

from miniet.report import plot
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

_STYLE = """\
:root { color-scheme: light dark; --ink: #1b1f24; --paper: #fff; --quiet: #59636e;
  --line: #d1d9e0; --shade: #f6f8fa; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6edf3; --paper: #0d1117;
  --quiet: #9198a1; --line: #3d444d; --shade: #151b23; } }
body { margin: 2rem auto; max-width: 56rem; padding: 0 1rem; color: var(--ink);
  background: var(--paper); font: 16px/1.5 system-ui, sans-serif; }
h1 { font-size: 1.6rem; line-height: 1.25; } h2 { font-size: 1.2rem; margin-top: 2.2rem;
  border-bottom: 1px solid var(--line); }
p { max-width: 44rem; } dl { display: grid; grid-template-columns: max-content auto;
  gap: .1rem 1rem; } dt, figcaption, .note { color: var(--quiet); } dd { margin: 0; }
figure { margin: 1.5rem 0; } figure svg { width: 100%; height: auto; }
figcaption, .note { font-size: .9rem; }
.table { overflow-x: auto; } table { border-collapse: collapse; margin: 1rem 0 .3rem;
  font-variant-numeric: tabular-nums; } caption { text-align: left; font-weight: 600; }
th, td { padding: .15rem .7rem; text-align: right; white-space: nowrap; }
th { font-weight: 500; color: var(--quiet); } th.group { text-align: center; }
thead tr:last-child th { border-bottom: 1px solid var(--line); }
.text { text-align: left; white-space: normal; }
tr.total td { border-top: 1px solid var(--line); }
pre { background: var(--shade); padding: .7rem 1rem; overflow-x: auto; }
"""


def render(run: Run) -> str:
    """Return a run's report as a page; without matplotlib, with the hint for it."""
    try:
        figures: Sequence[Figure] = plot.figures(run)
    except plot.PlotsMissingError as error:
        page = run_page(run)
        hint = Paragraph(f"No plots: {error}.")
        return write(Document(page.title, (*page.blocks, hint)))
    return write(run_page(run, figures))


def write(document: Document) -> str:
    """Return the page; every text in it is escaped."""
    title = escape(document.title)
    body = "\n".join(map(_block, document.blocks))
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{title}</title>\n<style>\n{_STYLE}</style>\n</head>\n<body>\n"
        f"<h1>{title}</h1>\n{body}\n</body>\n</html>\n"
    )


def _block(block: Block) -> str:
    match block:
        case Heading(text):
            return f"<h2>{escape(text)}</h2>"
        case Paragraph(text):
            return f"<p>{escape(text)}</p>"
        case Facts(rows):
            pairs = (
                f"<dt>{escape(name)}</dt><dd>{escape(text)}</dd>" for name, text in rows
            )
            return f"<dl>{''.join(pairs)}</dl>"
        case Command(text):
            return f"<pre>{escape(text)}</pre>"
        case Figure(svg, caption):
            note = f"<figcaption>{escape(caption)}</figcaption>"
            return f"<figure>{svg}{note}</figure>"
        case Sheet():
            return _sheet(block.without_empty_columns()) if block.rows else ""


def _sheet(sheet: Sheet) -> str:
    lines = ['<div class="table"><table>', f"<caption>{escape(sheet.title)}</caption>"]
    lines.append(f"<thead>{_heads(sheet.columns)}</thead><tbody>")
    for number, row in enumerate(sheet.rows, 1):
        is_total = sheet.has_total and number == len(sheet.rows)
        cells = (
            f'<td class="text">{escape(cell)}</td>'
            if column.is_text
            else f"<td>{escape(cell)}</td>"
            for column, cell in zip(sheet.columns, row, strict=True)
        )
        mark = ' class="total"' if is_total else ""
        lines.append(f"<tr{mark}>{''.join(cells)}</tr>")
    lines.append("</tbody></table></div>")
    if sheet.note:
        lines.append(f'<p class="note">{escape(sheet.note)}</p>')
    return "\n".join(lines)


def _heads(columns: Sequence[Column]) -> str:
    names = "".join(
        f'<th class="text">{escape(column.name)}</th>'
        if column.is_text
        else f"<th>{escape(column.name)}</th>"
        for column in columns
    )
    if not any(column.group for column in columns):
        return f"<tr>{names}</tr>"
    groups = "".join(
        f'<th class="group" colspan="{len(list(found))}">{escape(group)}</th>'
        for group, found in groupby(columns, lambda column: column.group)
    )
    return f"<tr>{groups}</tr><tr>{names}</tr>"
