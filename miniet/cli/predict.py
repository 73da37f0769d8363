"""`miniet predict`: what a Go etcd would hold under a load, or with given counts."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import click

from miniet.cli.reading import give_up
from miniet.client import ClientError, read_capture
from miniet.memory.capture import FORMAT, Capture
from miniet.memory.counts import Counts
from miniet.memory.records import to_json
from miniet.predict import GoModel, PlannedStage, Profile, Workload, profile_of
from miniet.predict.workload import parse_size
from miniet.releases import DEFAULT_RELEASE
from miniet.report import text
from miniet.report.forecast import Forecast, forecast_page

_HELP = {
    "puts": "Puts, in turn over the keys.",
    "keys": "Distinct keys [1].",
    "key_size": "Bytes of a key [16].",
    "value_size": "Bytes of a value [128].",
    "puts_per_txn": "Puts of one transaction [1].",
    "in_flight": "Requests under way at once [1].",
    "snapshot_count": "etcd's flag; default: the release's.",
    "catch_up": "Entries that a cut leaves in the raft log [5000].",
    "leases": "Leases; the keys are attached to them.",
    "connections": "Client connections [1].",
    "streams": "Watch streams.",
    "watchers": "Watchers of one key each.",
    "range_watchers": "Watchers of a prefix each.",
    "ranges": "Ranges over all keys, at once.",
    "deletes": "Keys deleted in one request.",
    "compact": "Compact at the latest revision.",
    "defragment": "Defragment.",
    "restart": "Stop the server and start it on the same data.",
    "rest": "Leave it alone for a minute, then for five more.",
}
"""What each setting of a workload is for."""


def _size(ctx: click.Context, option: click.Parameter, words: str | None) -> int | None:
    """Read a number of bytes."""
    try:
        return None if words is None else parse_size(words)
    except ValueError as error:
        raise click.BadParameter(f"{error}.") from None


def _workload_options(function: Callable[..., None]) -> Callable[..., None]:
    """Add an option for every setting of a workload."""
    for spec in reversed(fields(Workload)):
        how: dict[str, Any] = {"type": int, "metavar": "N"}
        if isinstance(spec.default, bool):
            how = {"is_flag": True, "default": None}
        elif spec.name.endswith("_size"):
            how = {"callback": _size, "metavar": "SIZE"}
        name = f"--{spec.name.replace('_', '-')}"
        function = click.option(name, help=_HELP[spec.name], **how)(function)
    return function


@click.command("predict", short_help="Say what a Go etcd would hold.")
@click.option("--profile", metavar="VERSION", help="3.4.9, 3.4 [default], 3.5 or 3.6.")
@click.option(
    "--gogc",
    type=click.IntRange(min=1),
    default=100,
    metavar="N",
    help="GOGC of its environment [100].",
)
@click.option(
    "--madvdontneed",
    type=click.IntRange(0, 1),
    metavar="0|1",
    help="Of its GODEBUG; default: the release's.",
)
@click.option(
    "--members",
    type=click.IntRange(1, 7),
    default=1,
    metavar="N",
    help="Members of its cluster [1].",
)
@click.option(
    "--workload",
    "workload_file",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="A TOML file with settings of the names below, as value_size.",
)
@click.option(
    "--counts",
    "counts_file",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Counts or a capture as JSON, in place of a load.",
)
@click.option(
    "--server", metavar="ENDPOINT", help="A server whose counts stand for a load."
)
@click.option("--json", "as_json", is_flag=True, help="Answer in JSON.")
@_workload_options
def command(
    profile: str | None,
    gogc: int,
    madvdontneed: int | None,
    members: int,
    workload_file: Path | None,
    counts_file: Path | None,
    server: str | None,
    as_json: bool,
    **settings: int | None,
) -> None:
    """Say what a Go etcd would hold after a load, or with given counts.

    \b
    miniet predict --puts 1000 --value-size 1MiB --compact --defragment --rest
    miniet predict --workload load.toml --profile 3.6
    miniet predict --server localhost:2379 --profile 3.6

    The load is one of each kind, in the order in which its flags are listed below,
    leases first. Every figure has a low, a likely and a high value. Exit status: 0,
    or 2 with a line that says why not.
    """
    given = {name: value for name, value in settings.items() if value is not None}
    try:
        if sum(map(bool, (counts_file, server, given or workload_file))) > 1:
            raise ValueError(
                "--counts and --server stand in place of a load: give one of them"
            )
        if server:
            plan = _plan_of_capture(read_capture(server), server, profile)
        elif counts_file:
            plan = _plan_of_counts(counts_file, profile)
        else:
            plan = _plan_of_load(workload_file, given, profile)
        model = GoModel(
            plan.profile,
            gogc=gogc,
            madvdontneed=madvdontneed,
            peer_count=members - 1,
            snapshot_count=plan.snapshot_count or None,
        )
        forecasts = list(_walk(model, plan.stages))
    except (ValueError, OSError, ClientError) as error:
        give_up(error)
    if as_json:
        click.echo(json.dumps(_document(plan.profile, forecasts), indent=1))
    else:
        click.echo(text.write(forecast_page(plan.title, forecasts)), nl=False)


@dataclass(frozen=True, slots=True)
class _Plan:
    title: str
    profile: Profile
    snapshot_count: int
    stages: Iterable[PlannedStage]


def _plan_of_load(
    file: Path | None, given: Mapping[str, Any], name: str | None
) -> _Plan:
    profile = profile_of(name or DEFAULT_RELEASE)
    workload = replace(Workload.load(file) if file else Workload(), **given)
    if workload == Workload():
        raise ValueError("nothing to predict: say how many --puts, or see --help")
    title = f"A Go etcd {profile.release} under this load"
    return _Plan(title, profile, workload.snapshot_count, workload.stages(profile))


def _plan_of_counts(file: Path, name: str | None) -> _Plan:
    """Take the counts of a capture, with its profile and flags, or bare counts."""
    try:
        document = json.loads(file.read_bytes())
    except ValueError:
        raise ValueError(f"{file}: this is not JSON") from None
    if isinstance(document, dict) and document.get("format") == FORMAT:
        return _plan_of_capture(Capture.load(file), file.name, name)
    try:
        counts = Counts.from_json(document)
    except ValueError as error:
        raise ValueError(f"{file}: {error}") from None
    return _plan_of_now(counts, file.name, profile_of(name or DEFAULT_RELEASE))


def _plan_of_capture(capture: Capture, source: str, name: str | None) -> _Plan:
    """Take what a server holds; under its own flags if it is of the same release."""
    profile = profile_of(name or capture.profile)
    # Asked for another release, that one's default is what an upgrade brings.
    is_same = name in (None, capture.profile)
    count = int(capture.flags.get("snapshot-count", 0)) if is_same else 0
    return _plan_of_now(capture.counts, source, profile, count)


def _plan_of_now(
    counts: Counts, source: str, profile: Profile, snapshot_count: int = 0
) -> _Plan:
    title = f"A Go etcd {profile.release} with the counts of {source}"
    stages = [PlannedStage(name="now", counts=counts)]
    return _Plan(title, profile, snapshot_count, stages)


def _walk(model: GoModel, stages: Iterable[PlannedStage]) -> Iterator[Forecast]:
    for stage in stages:
        if stage.is_restarted:
            model.restart()
        prediction = model.step(stage.counts, idle_s=stage.idle_s)
        yield Forecast(name=stage.name, counts=stage.counts, prediction=prediction)


def _document(release: Profile, forecasts: list[Forecast]) -> dict[str, Any]:
    return {
        "profile": release.name,
        "release": release.release,
        "is_measured": release.is_measured,
        "stages": to_json(forecasts),
    }
