"""Documents from records: a run, a capture, a growth, a diagnosis."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

from miniet.memory.capture import Capture
from miniet.memory.compare import compare
from miniet.predict.prediction import Prediction
from miniet.report.case import Finding
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
from miniet.report.growth import growth_sheets
from miniet.report.held import held_sheet
from miniet.report.process import process_sheet
from miniet.report.run import Run
from miniet.report.stages import stage_sheets, table_sheet
from miniet.report.units import counted, size


def run_page(run: Run, figures: Sequence[Figure] = ()) -> Document:
    """Return a run's report: the question, the figures, the answer in words."""
    return Document(f"{run.scenario}: {run.question}", tuple(_run(run, figures)))


def capture_page(capture: Capture, prediction: Prediction | None = None) -> Document:
    """Return one reading: what is held, what it costs, what the process has."""
    blocks: list[Block] = [
        Facts(_about(capture)),
        held_sheet(capture),
        component_sheet(capture, prediction),
        process_sheet(capture),
    ]
    if prediction:
        blocks.append(process_of_go_sheet(capture, prediction))
    blocks += map(Paragraph, _doubts(capture))
    return Document(f"Memory of {_titled(capture)}", blocks)


def growth_page(before: Capture, after: Capture) -> Document:
    """Return what has changed from one capture to another."""
    growth = compare(before, after)
    blocks: list[Block] = [
        Facts(
            [
                ("from", f"{_titled(before)}, {moment(before.time_s)}"),
                ("to", f"{_titled(after)}, {moment(after.time_s)}"),
            ]
        ),
        *growth_sheets(before, after, growth),
        *(Paragraph(f"Note: {note}.") for note in growth.notes),
    ]
    if not (growth.counts or growth.process or growth.components):
        blocks.insert(1, Paragraph("Nothing has changed."))
    return Document(f"Growth in {growth.seconds:,.1f} s", blocks)


def doctor_page(
    capture: Capture, findings: Sequence[Finding], not_judged: Sequence[str]
) -> Document:
    """Return a diagnosis: findings in their order, and what could not be judged."""
    process = capture.process
    resident = f", RSS {size(process.resident_bytes)}" if process else ""
    blocks: list[Block] = []
    if not findings:
        blocks.append(Paragraph("Nothing to change was found."))
    for number, finding in enumerate(findings, 1):
        blocks += _finding(number, finding)
    if not_judged:
        blocks.append(
            Paragraph(
                "Not judged, as this server does not say what it takes: "
                f"{'; '.join(not_judged)}."
            )
        )
    return Document(f"{_titled(capture)}{resident}", blocks)


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
        # GOGC and its like are variables of the environment.
        flags = (
            f"{'' if name.isupper() else '--'}{name}={value}"
            for name, value in capture.flags.items()
        )
        rows.append(("flags", " ".join(flags)))
    return rows


def _titled(capture: Capture) -> str:
    return f"{capture.product}{f', {capture.label}' if capture.label else ''}"


def _doubts(capture: Capture) -> Iterator[str]:
    """Say what in a capture was estimated, and what could not be seen."""
    by_basis: dict[str, list[str]] = {}
    for name, basis in capture.estimated.items():
        by_basis.setdefault(basis, []).append(name)
    for basis, names in by_basis.items():
        yield f"Estimated from {basis}: {', '.join(names)}."
    if capture.unseen:
        yield (
            f"{counted(len(capture.unseen), 'count')} cannot be seen here and are "
            "taken as 0; unseen in its JSON names them."
        )
    if capture.process is None:
        yield "The process was not seen; --pid names it if it runs on this machine."


def _finding(number: int, finding: Finding) -> Iterator[Block]:
    yield Heading(f"{number}. {finding.title}")
    yield Paragraph(" ".join(finding.evidence))
    at_stake = f"At stake: {size(finding.at_stake_bytes)} ({finding.basis})."
    yield Paragraph(f"{at_stake} What changes it:")
    yield Command(finding.command)
    yield Paragraph(finding.price)
