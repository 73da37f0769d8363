"""`python -m miniet.demo`: where the memory of a key-value store goes.

One key is overwritten until its history is large, then compacted and defragmented,
over gRPC like any client would. A line after each stage says what each component
holds, from `Server.statistics()`, beside what the system says of the process.
Two runs differ in how often raft takes a snapshot.

The data lies on disk, since that is where etcd's lies: the backend's pages then show
as mapped file, the log's entries as memory of the process. Nothing waits for the
disk (`--unsafe-no-fsync`), which changes the time that the demo takes and no count.
"""

import multiprocessing
import sys
import textwrap
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import click
import grpc

from miniet.pb import rpc_pb2
from miniet.server.config import Config
from miniet.server.server import Server
from miniet.server.statistics import ServerStatistics

KEY = b"foo"
VALUE_BYTES = 1 << 20
MIB = 1 << 20
WIDTH = 80
TIMEOUT_S = 60

DEFAULTS = Config(listen_client_urls=("http://127.0.0.1:0",), unsafe_no_fsync=True)
SMALL = replace(DEFAULTS, snapshot_count=20, snapshot_catchup_entries=5)

HEADER = """\
                   raft log       treeIndex          backend, MiB  process, MiB
stage         entries    MiB keys gens revs    file in use uncomm.  heap  mapped"""
ROW = "{:13}{:8}{:7.1f}{:5}{:5}{:5}{:8.1f}{:7.1f}{:8.1f}{:>6}{:>8}"


class Resident(NamedTuple):
    """Memory of this process that is in RAM, in MiB as text."""

    heap: str
    mapped: str


def resident() -> Resident:
    """Ask the system; "-" where it has no /proc."""
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
    except OSError:
        return Resident("-", "-")
    fields = dict(line.split(":", 1) for line in lines)
    heap, mapped = (
        round(int(fields[name].split()[0]) / 1024) for name in ("RssAnon", "RssFile")
    )
    return Resident(str(heap), str(mapped))


class Client:
    """What the demo asks of an etcd."""

    def __init__(self, channel: grpc.Channel) -> None:
        self._channel = channel

    def put(self, value: bytes) -> int:
        """Put the key; return its revision."""
        request = rpc_pb2.PutRequest(key=KEY, value=value)
        answer = self._call("KV/Put", request, rpc_pb2.PutResponse)
        return int(answer.header.revision)

    def compact(self, revision: int) -> None:
        """Forget what was before `revision`; return when that is done."""
        request = rpc_pb2.CompactionRequest(revision=revision, physical=True)
        self._call("KV/Compact", request, rpc_pb2.CompactionResponse)

    def defragment(self) -> None:
        """Give the free pages of the backend back."""
        request = rpc_pb2.DefragmentRequest()
        self._call("Maintenance/Defragment", request, rpc_pb2.DefragmentResponse)

    def _call(self, method: str, request: Any, response_type: Any) -> Any:
        call = self._channel.unary_unary(
            f"/etcdserverpb.{method}",
            request_serializer=type(request).SerializeToString,
            response_deserializer=response_type.FromString,
        )
        return call(request, timeout=TIMEOUT_S)


def run_apart(config: Config, put_count: int) -> ServerStatistics:
    """Do a run in a process of its own: its memory is that of this run alone."""
    fresh = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=fresh) as executor:
        return executor.submit(run, config, put_count).result()


def run(config: Config, put_count: int) -> ServerStatistics:
    """Load, compact and defragment a server; return what it holds at the end."""
    with (
        TemporaryDirectory(prefix="miniet-demo-") as directory,
        Server(directory, config=config) as etcd,
        grpc.insecure_channel(etcd.endpoint) as channel,
    ):
        client = Client(channel)
        click.echo(HEADER)
        readings = [show("started", etcd)]
        for number in range(1, put_count + 1):
            revision = client.put(number.to_bytes(8, "big") * (VALUE_BYTES // 8))
            progress(f"{number} of {put_count} puts")
        readings.append(show(f"{put_count} puts", etcd))
        client.compact(revision)
        readings.append(show("compacted", etcd))
        client.defragment()
        readings.append(show("defragmented", etcd))
    click.echo(
        f"most at any stage: {max(r.raft.unstable_entry_count for r in readings)} "
        f"unstable entries, {max(r.lease.lease_count for r in readings)} leases, "
        f"{max(r.watch.watcher_count for r in readings)} watchers"
    )
    return readings[-1]


def show(stage: str, etcd: Server) -> ServerStatistics:
    """Print the line of a stage."""
    progress("")
    held = etcd.statistics()
    log, store, backend = held.raft.storage, held.store, held.backend
    click.echo(
        ROW.format(
            stage,
            log.entry_count,
            log.entry_payload_bytes / MIB,
            store.index_key_count,
            store.generation_count,
            store.index_revision_count,
            backend.size_bytes / MIB,
            backend.size_in_use_bytes / MIB,
            backend.uncommitted_bytes / MIB,
            *resident(),
        )
    )
    return held


def progress(text: str) -> None:
    """Say how far it is, on a terminal, in a line that is written over."""
    if sys.stderr.isatty():
        click.echo(f"\r\x1b[K{text}", nl=False, err=True)


def say(text: str) -> None:
    """Print a paragraph."""
    click.echo(textwrap.fill(text, WIDTH, break_on_hyphens=False))


@click.command()
@click.option("--puts", default=200, show_default=True, help="Values of 1 MiB to put.")
def main(puts: int) -> None:
    """Show which structure of an etcd holds how much, stage by stage."""
    say(
        f"One key, {puts} puts of 1 MiB through gRPC, a compaction, a "
        "defragmentation. Server and client share a process; the data lies on disk."
    )
    flags = f"--snapshot-count={DEFAULTS.raft_snapshot_count}"
    click.echo(f"\nRun 1: {flags}, the default\n")
    first = run_apart(DEFAULTS, puts)
    flags = (
        f"--snapshot-count={SMALL.raft_snapshot_count} "
        f"--experimental-snapshot-catchup-entries={SMALL.snapshot_catchup_entries}"
    )
    click.echo(f"\nRun 2: {flags}\n")
    second = run_apart(SMALL, puts)
    click.echo()
    verdict(puts, first, second)


def verdict(puts: int, first: ServerStatistics, second: ServerStatistics) -> None:
    """Say in words what the figures mean."""
    log, freed = first.raft.storage, second.raft.storage
    say(
        f"Compaction left {first.store.index_revision_count} of {puts} revisions, "
        f"defragmentation a backend of {first.backend.size_bytes / MIB:.1f} MiB. The "
        f"raft log still holds {log.entry_count} entries, "
        f"{log.entry_payload_bytes / MIB:.1f} MiB: every put since the start, as it "
        "was proposed. Compaction and defragmentation do not reach it. Entries go "
        "when raft takes a snapshot, and that is due only after "
        f"{DEFAULTS.raft_snapshot_count:,} of them (--snapshot-count); even then the "
        f"last {DEFAULTS.snapshot_catchup_entries:,} stay for slow followers "
        "(--experimental-snapshot-catchup-entries)."
    )
    click.echo()
    say(
        f"Run 2 took a snapshot after every {SMALL.raft_snapshot_count} entries and "
        f"kept {SMALL.snapshot_catchup_entries} behind it. Its log ends with "
        f"{freed.entry_count} entries, {freed.entry_payload_bytes / MIB:.1f} MiB. So "
        "a small --snapshot-count is what frees the memory of large values; its price "
        "is more snapshots, and whole ones for followers that fall behind."
    )


if __name__ == "__main__":
    main(prog_name="python -m miniet.demo")
