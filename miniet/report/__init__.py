"""Showing: runs, captures and diagnoses as text, JSON, plots and one HTML file.

    Run, Capture, Prediction ──► pages ──► Document ──► text   80 columns
                │                            ▲  └─────► html   one file, with plots
                ├──► findings: diagnose ─────┘
                ├──► plot     SVG for the page, PNG for a README
                └──► data     JSON, and back

Nothing here measures: a report is made from records, so it is tested on made-up
ones. A `Document` is a title and blocks; its tables are `Sheet`s of finished cells,
made in `held` (counts in words), `costs` (Python, Go measured, Go predicted),
`process` (accounts that add up to RSS), `growth` and `stages`. Every form shows the
three witnesses side by side, and a gap as a gap: with its size, or in words.

A `Finding` comes from a rule of `storage_findings`, `client_findings` or
`process_findings` over a `Case`; `findings` has the table of the rules.

Keeps nothing in memory.
"""
