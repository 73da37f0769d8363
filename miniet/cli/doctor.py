"""`miniet doctor`: what holds a server's memory, and what changes it."""

import json

import click

from miniet.cli.reading import Reader, endpoint_argument, pid_option
from miniet.memory.records import to_json
from miniet.report import text
from miniet.report.findings import diagnose, not_judged
from miniet.report.pages import doctor_page


@click.command("doctor", short_help="Say what holds a server's memory.")
@endpoint_argument
@pid_option
@click.option("--json", "as_json", is_flag=True, help="Answer in JSON.")
def command(endpoint: str, pid: int | None, as_json: bool) -> None:
    """Say what holds the memory of the server at ENDPOINT, and what changes it.

    Works on miniet and on a real etcd, and says what could not be seen there.
    Findings are ranked by the bytes at stake; each ends in one command or flag.

    \b
    Exit status: 0  nothing to change was found
                 1  there are findings
                 2  the server could not be asked
    """
    reader = Reader(endpoint, pid)
    capture, prediction = reader.read()
    findings = diagnose(capture, prediction, endpoint=reader.address)
    blind = not_judged(capture)
    if as_json:
        document = {
            "product": capture.product,
            "time_s": capture.time_s,
            "findings": to_json(findings),
            "not_judged": blind,
        }
        click.echo(json.dumps(document, indent=1))
    else:
        click.echo(text.write(doctor_page(capture, findings, blind)), nl=False)
    raise SystemExit(1 if findings else 0)
