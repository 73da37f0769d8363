"""What is resident, row by row down to the remainder."""

from miniet.memory.accounts import accounts
from miniet.memory.capture import Capture
from miniet.report.sheet import Column, Scale, Sheet


def process_sheet(capture: Capture) -> Sheet:
    """Return the accounts of a process, which add up to RSS; no rows without one."""
    rows = [account for account in accounts(capture) if account.bytes]
    process = capture.process
    total = process.resident_bytes if process else 0
    scale = Scale.of([*(account.bytes for account in rows), total])
    peak = process.peak_resident_bytes if process else None
    total_note = f"peak {scale.cell(peak)}" if peak else ""
    cells = [
        (account.name, scale.cell(account.bytes), account.note) for account in rows
    ]
    return Sheet(
        title=f"What the process has resident, {scale.unit}",
        columns=(
            Column(name="part", is_text=True),
            Column(name=scale.unit),
            Column(name="what it is", is_text=True),
        ),
        rows=[*cells, ("RSS", scale.cell(total), total_note)] if cells else [],
        has_total=True,
    )
