"""Documents from records: a run, a capture, the growth between two captures."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

from miniet.memory.capture import Capture
from miniet.predict.prediction import Prediction
from miniet.report.costs import component_sheet, process_of_go_sheet
from miniet.report.document import (
    Block,
    Command,
    Document,
    Facts,
    Figure,
    Heading,
    Paragraph,
)
from miniet.report.held import held_sheet
from miniet.report.run import Run
from miniet.report.stages import stage_sheets, table_sheet


def run_page(run: Run, figures: Sequence[Figure] = ()) -> Document:
    """Return a run's report: the question, the figures, the answer in words."""
    return Document(f"{run.scenario}: {run.question}", tuple(_run(run, figures)))


def capture_page(capture: Capture, prediction: Prediction | None = None) -> Document:
    """Return one reading: what is held, what it costs, what the process has."""
    label = f", {capture.label}" if capture.label else ""
    blocks: list[Block] = [Facts(_about(capture)), held_sheet(capture)]
    blocks.append(component_sheet(capture, prediction))
    if prediction:
        blocks.append(process_of_go_sheet(capture, prediction))
    if capture.unseen:
        blocks.append(Paragraph(f"Not to be seen here: {', '.join(capture.unseen)}."))
    return Document(f"Memory of {capture.product}{label}", blocks)


def moment(time_s: float) -> str:
    """Return a time in UTC, to the second."""
    return datetime.fromtimestamp(time_s, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def _run(run: Run, figures: Sequence[Figure]) -> Iterator[Block]:
    yield Facts(
        [
            ("target", run.target),
            ("machine", run.machine),
            ("time", moment(run.time_s)),
        ]
    )
    if run.verdict:
        yield Heading("Verdict")
        yield from map(Paragraph, run.verdict)
    yield from figures
    for variant in run.variants:
        yield Heading(variant.name)
        yield from stage_sheets(variant)
    if run.tables:
        yield Heading("Results")
        yield from map(table_sheet, run.tables)
    if run.not_shown:
        yield Heading("Not shown")
        yield from map(Paragraph, run.not_shown)
    yield Heading("To repeat it")
    yield Command(run.command)


def _about(capture: Capture) -> list[tuple[str, str]]:
    rows = [("profile", capture.profile), ("time", moment(capture.time_s))]
    if capture.flags:
        flags = " ".join(f"--{name}={value}" for name, value in capture.flags.items())
        rows.append(("flags", flags))
    return rows
