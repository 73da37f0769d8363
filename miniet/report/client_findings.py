"""Findings about what clients make a server hold: watches, ranges, leases."""

from miniet.memory.components import Component
from miniet.report.case import BUDGET_BYTES, Case, Finding
from miniet.report.units import MIB, counted, number, size

SLOW_EVENTS = 100
"""Events that wait. A stream's channel takes 128 responses; a client that is merely
busy has a few."""
LARGE_RANGE_BYTES = 16 * MIB
"""A range response ten times the size of the largest request is a list that nobody
bounded."""
PAGE_BYTES = MIB
"""Advised size of a page of a range."""


def slow_watchers(case: Case) -> Finding | None:
    """A watcher that does not read costs when it catches up."""
    counts = case.counts
    events = max(counts.pending_event_count, counts.held_event_count)
    if not counts.slow_watcher_count or events < SLOW_EVENTS:
        return None
    held = counts.held_event_bytes or events * case.mean_put_bytes
    return Finding(
        kind="slow-watchers",
        title=f"{counted(counts.slow_watcher_count, 'watcher')} behind",
        evidence=(
            f"{counted(events, 'event')} wait, {size(held)}, for "
            f"{number(counts.slow_watcher_count)} of "
            f"{counted(counts.watcher_count, 'watcher')}.",
            "It costs more when they read again: history since their revision is "
            "read and decoded anew every 100 ms until they are up to date.",
        ),
        at_stake_bytes=held,
        basis="events that wait; catching up may need the whole history at once",
        command=f"ss -Htn state established '( sport = :{_port(case)} )' | sort -rnk2",
        price=(
            "Shows clients, those that do not read first (second column, Send-Q). "
            "The cure is in the client: read the channel at once, or close the watch."
        ),
    )


def large_ranges(case: Case) -> Finding | None:
    """A range is built whole before its first byte leaves."""
    counts = case.counts
    largest = counts.range_response_bytes_max
    if largest < LARGE_RANGE_BYTES:
        return None
    at_once = max(largest, counts.response_in_flight_bytes_max)
    limit = max(1, PAGE_BYTES // case.mean_put_bytes)
    return Finding(
        kind="large-ranges",
        title=f"A range response had {size(largest)}",
        evidence=(
            f"Most at once since the start: {size(at_once)}; now "
            f"{size(counts.response_in_flight_bytes)}.",
            "Go needs twice that while it builds the responses, and keeps the freed "
            "heap for minutes; --keys-only reads the values all the same.",
        ),
        at_stake_bytes=2 * at_once,
        basis="peak of a Go etcd: twice the responses at once",
        command=case.etcdctl(f"get '' --prefix --limit={limit}"),
        price=(
            f"Pages of about {size(PAGE_BYTES)} at this server's mean put. No flag of "
            "the server bounds a response; the clients have to ask for pages."
        ),
    )


def idle_leases(case: Case) -> Finding | None:
    """Leases that no key needs are kept until they run out."""
    counts = case.counts
    idle = counts.lease_count - counts.keyed_lease_count
    if idle <= counts.lease_count // 2 or "keyed_lease_count" in case.capture.unseen:
        return None
    held, basis = case.held(Component.LEASE)
    listing = case.etcdctl("lease list")
    inspect = case.etcdctl("lease timetolive {} --keys")
    revoke = case.etcdctl("lease revoke {}")
    return Finding(
        kind="leases-without-keys",
        title=f"{counted(idle, 'lease')} without a key",
        evidence=(
            f"{counted(counts.lease_count, 'lease')}, "
            f"{number(counts.keyed_lease_count)} of them with keys.",
        ),
        at_stake_bytes=held * idle // counts.lease_count,
        basis=basis,
        command=(
            f"{listing} | tail -n +2 |\n"
            f"  xargs -I{{}} {inspect} |\n"
            f"  awk '/keys\\(\\[\\]\\)/ {{print $2}}' |\n"
            f"  xargs -I{{}} {revoke}"
        ),
        price=(
            "Revokes every lease that has no key at that moment, also one whose "
            "client is about to attach one. Shorter TTLs keep them from piling up."
        ),
    )


def many_leases(case: Case) -> Finding | None:
    """Each lease is an object, two map entries and a place in a heap."""
    counts = case.counts
    held, basis = case.held(Component.LEASE, counts.attached_key_bytes)
    if not counts.lease_count or held <= BUDGET_BYTES:
        return None
    per_lease = counts.attached_key_count / counts.lease_count
    return Finding(
        kind="leases",
        title=f"{counted(counts.lease_count, 'lease')} are held",
        evidence=(
            f"{counted(counts.attached_key_count, 'key')} attached, "
            f"{per_lease:.1f} per lease.",
        ),
        at_stake_bytes=held,
        basis=basis,
        command=case.etcdctl("lease list | tail -n +2 | wc -l"),
        price=(
            "Counts them. The cure is in the client: a lease per client rather than "
            "per key, and TTLs as short as its absence may last."
        ),
    )


def connections(case: Case) -> Finding | None:
    """Buffers of a connection outweigh what most clients send."""
    counts = case.counts
    held, basis = case.held(Component.SERVER)
    if not counts.connection_count or held <= BUDGET_BYTES:
        return None
    return Finding(
        kind="connections",
        title=f"{counted(counts.connection_count, 'connection')} are open",
        evidence=(
            f"{counted(counts.stream_count, 'watch stream')} and "
            f"{counted(counts.calls_in_flight, 'call')} on them.",
        ),
        at_stake_bytes=held,
        basis=basis,
        command=(
            f"ss -Htn state established '( sport = :{_port(case)} )' |\n"
            "  awk '{sub(/:[0-9]+$/, \"\", $4); print $4}' | sort | uniq -c | sort -rn"
        ),
        price=(
            "Shows which hosts hold them. Let each process share one client; etcd "
            "grpc-proxy joins those of many."
        ),
    )


def watchers(case: Case) -> Finding | None:
    """Streams and watchers cost while they are idle, too."""
    counts = case.counts
    held, basis = case.held(Component.WATCH, counts.watcher_key_bytes)
    if not counts.watcher_count or held <= BUDGET_BYTES:
        return None
    return Finding(
        kind="watchers",
        title=f"{counted(counts.watcher_count, 'watcher')} are open",
        evidence=(
            f"On {counted(counts.stream_count, 'stream')}; "
            f"{number(counts.range_watcher_count)} watch a range.",
        ),
        at_stake_bytes=held,
        basis=basis,
        command=f"etcd grpc-proxy start --endpoints={case.endpoint}",
        price=(
            "Clients that connect to the proxy (127.0.0.1:23790) share one watcher "
            "per key or range at the server."
        ),
    )


def _port(case: Case) -> str:
    return case.endpoint.rpartition(":")[2]
