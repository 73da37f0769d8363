"""Unary calls by `h2load`, nghttp2's load generator, which is C and nobody's client.

It sends one gRPC message again and again: every call of a load is the same. A gRPC
error is a success to it (HTTP status 200), so what became of the calls is judged by
the revision after writes, and by the size of all answers after reads.
"""

import re
import statistics
import subprocess
from dataclasses import dataclass
from pathlib import Path

from google.protobuf.message import Message
from workloads.servers import Running

from miniet.client import EtcdClient
from miniet.wire.messages import prefix

_REQUESTS = re.compile(
    r"requests: \d+ total, \d+ started, \d+ done, (\d+) succeeded, "
    r"(\d+) failed, (\d+) errored, (\d+) timeout"
)
_STATUSES = re.compile(r"status codes: (\d+) 2xx")
_RATE = re.compile(r"finished in .*, ([\d.]+) req/s")
_DATA = re.compile(r"\((\d+)\) data$", re.MULTILINE)


class FailedCallsError(Exception):
    """Not every call of a load did what it should; its figures mean nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """A call, and how often it is made."""

    method: str
    """`KV/Put`, of etcd's services."""
    request: Message
    connections: int
    streams: int = 1
    """Calls under way at once on each connection."""
    calls: int
    """Of all connections together."""


def write(server: Running, name: str, load: Load) -> dict[str, float]:
    """Make calls that each move the revision by one; return the figures.

    Raises:
        FailedCallsError: a call failed, or the revision did not move by `calls`.
    """
    with EtcdClient(server.endpoint) as client:
        before = client.status().header.revision
        figures, _ = _run(server, name, load)
        moved = client.status().header.revision - before
    if moved != load.calls:
        raise FailedCallsError(f"{name}: {load.calls} writes, {moved} revisions")
    return figures


def read(server: Running, name: str, load: Load, answer: Message) -> dict[str, float]:
    """Make calls whose answers are all as long as `answer`; return the figures.

    Raises:
        FailedCallsError: a call failed, or an answer was of another length.
    """
    figures, data_bytes = _run(server, name, load)
    expected = load.calls * len(_framed(answer))
    if data_bytes != expected:
        raise FailedCallsError(f"{name}: {data_bytes} bytes, not {expected}")
    return figures


def _run(server: Running, name: str, load: Load) -> tuple[dict[str, float], int]:
    """Return the figures, and the bytes of DATA that came back."""
    body, log = (server.directory / f"h2load.{end}" for end in ("body", "log"))
    body.write_bytes(_framed(load.request))
    log.unlink(missing_ok=True)
    command = [
        "h2load",
        f"--requests={load.calls}",
        f"--clients={load.connections}",
        f"--max-concurrent-streams={load.streams}",
        f"--data={body}",
        "--header=content-type: application/grpc",
        "--header=te: trailers",
        f"--log-file={log}",
        f"http://{server.endpoint}/etcdserverpb.{load.method}",
    ]
    cpu_s = server.cpu_s()
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    cpu_s = server.cpu_s() - cpu_s
    counts = [*_numbers(_REQUESTS, done.stdout), *_numbers(_STATUSES, done.stdout)]
    if counts != [load.calls, 0, 0, 0, load.calls]:
        raise FailedCallsError(f"{name}: h2load says\n{done.stdout}")
    (per_s,) = _numbers(_RATE, done.stdout)
    (data_bytes,) = _numbers(_DATA, done.stdout)
    figures = {
        f"{name}_per_s": per_s,
        f"{name}_server_cpu_us": cpu_s / load.calls * 1e6,
        **_latencies(name, load, log),
    }
    return figures, int(data_bytes)


def _latencies(name: str, load: Load, log: Path) -> dict[str, float]:
    """Read what the calls took, from the first byte sent to the end of the answer."""
    latencies_us = sorted(int(row.split()[2]) for row in log.read_text().splitlines())
    if len(latencies_us) != load.calls:
        raise FailedCallsError(f"{name}: {load.calls} calls, {len(latencies_us)} ended")
    return {
        f"{name}_mean_ms": statistics.fmean(latencies_us) / 1000,
        f"{name}_p50_ms": latencies_us[load.calls // 2] / 1000,
        f"{name}_p99_ms": latencies_us[load.calls * 99 // 100] / 1000,
    }


def _framed(message: Message) -> bytes:
    body = message.SerializeToString()
    return prefix(len(body)) + body


def _numbers(pattern: re.Pattern[str], text: str) -> list[float]:
    found = pattern.search(text)
    if found is None:
        raise FailedCallsError(f"h2load says\n{text}")
    return [float(number) for number in found.groups()]
