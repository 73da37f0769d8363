"""Durable puts of 256 bytes over grpcio: 100 clients on 10 connections, then one."""

from pathlib import Path

from workloads.servers import first_put, run_clients, running

TARGETS = ("miniet", "etcd")

CONNECTIONS = 10
CLIENTS = 100
PUTS = 20_000
PUTS_ALONE = 1_000


def measure(target: str, directory: Path) -> dict[str, float]:
    """Return the figures of one round."""
    with running(target, directory) as server:
        first_put(server.endpoint)
        resident_bytes, cpu_s = server.resident_bytes(), server.cpu_s()
        many = run_clients(server, CONNECTIONS, CLIENTS, PUTS)
        cpu_s = server.cpu_s() - cpu_s
        grown_bytes = server.resident_bytes() - resident_bytes
        alone = run_clients(server, 1, 1, PUTS_ALONE)
    return {
        "puts_per_s": many["per_s"],
        "p50_ms": many["p50_ms"],
        "p99_ms": many["p99_ms"],
        "server_cpu_us_per_put": cpu_s / PUTS * 1e6,
        "resident_growth_mib": grown_bytes / 2**20,
        "alone_puts_per_s": alone["per_s"],
        "alone_p50_ms": alone["p50_ms"],
        "alone_p99_ms": alone["p99_ms"],
    }
