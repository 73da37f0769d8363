from collections.abc import Mapping
from dataclasses import dataclass, field

import pytest

from miniet.memory.capture import Capture
from miniet.memory.counts import Counts
from miniet.memory.go_memory import GoMemory
from miniet.memory.process import ProcessMemory
from miniet.predict.prediction import Band, Prediction
from miniet.report.case import Finding
from miniet.report.findings import RULES, diagnose, not_judged
from tests.unit.report.records import START_S, prediction, traced

MIB = 1 << 20
GIB = 1 << 30

IDLE = Counts(
    raft_entry_count=4,
    raft_first_index=1,
    raft_last_index=4,
    current_revision=1,
    compact_revision=-1,
    backend_size_bytes=20_480,
    backend_in_use_bytes=16_384,
    connection_count=1,
)
LOG_OF_LARGE_VALUES = Counts(raft_entry_count=1000, raft_payload_bytes=1000 * MIB)
LOG_OF_SMALL_VALUES = Counts(
    raft_entry_count=100_000, raft_payload_bytes=100_000 * 1024
)
HISTORY = Counts(
    key_count=1,
    index_key_count=1,
    index_revision_count=1000,
    current_revision=1001,
    compact_revision=-1,
    backend_size_bytes=1000 * MIB,
    backend_in_use_bytes=1000 * MIB,
)
FREE_PAGES = Counts(backend_size_bytes=1000 * MIB, backend_in_use_bytes=100 * MIB)
FULL = Counts(
    key_count=5,
    current_revision=6,
    compact_revision=6,
    backend_size_bytes=1800 * MIB,
    backend_in_use_bytes=1790 * MIB,
)
SLOW = Counts(
    watcher_count=3,
    stream_count=2,
    slow_watcher_count=1,
    held_event_count=2000,
    pending_event_count=2000,
    held_event_bytes=9 * MIB,
)
LARGE_RANGE = Counts(
    put_total=100,
    put_bytes_total=100 * MIB,
    range_response_bytes_max=100 * MIB,
    response_in_flight_bytes_max=400 * MIB,
)
LEASES = Counts(
    lease_count=400_000, keyed_lease_count=400_000, attached_key_count=400_000
)
IDLE_LEASES = Counts(
    lease_count=100_000, keyed_lease_count=1000, attached_key_count=1000
)
CONNECTIONS = Counts(connection_count=1000, stream_count=10)
WATCHERS = Counts(stream_count=1000, watcher_count=1000)


def predicted(component: str, likely_mib: int) -> Prediction:
    """A prediction of one component."""
    nothing, band = Band(0, 0, 0), Band(0, likely_mib * MIB, 2 * likely_mib * MIB)
    return Prediction(
        profile="3.4",
        components={component: band},
        live_heap=band,
        heap_in_use=band,
        mapped=nothing,
        resident=band,
    )


@dataclass(kw_only=True)
class Row:
    """A server with one thing to change."""

    name: str
    counts: Counts
    kind: str
    stake_bytes: int
    command: str
    product: str = "miniet 0.1.0"
    profile: str = "3.4"
    flags: Mapping[str, str] = field(default_factory=dict)
    prediction: Prediction | None = None


ROWS = [
    Row(
        name="log of large values",
        counts=LOG_OF_LARGE_VALUES,
        kind="raft-log",
        stake_bytes=936 * MIB,
        command="--snapshot-count=32 --experimental-snapshot-catchup-entries=32",
    ),
    Row(
        name="log of small values, where the catch-up entries may stay",
        counts=LOG_OF_SMALL_VALUES,
        kind="raft-log",
        stake_bytes=100_000 * 1024 - 65_536 * 1024,
        command="--snapshot-count=60536",
    ),
    Row(
        name="log under the profile that cuts it every 100 entries",
        counts=Counts(raft_entry_count=5050, raft_payload_bytes=5050 * 100 * 1024),
        profile="3.6",
        kind="raft-log",
        stake_bytes=5050 * 102_400 - 5050 * 102_400 * 655 // 5050,
        command="--experimental-snapshot-catchup-entries=555",
    ),
    Row(
        name="log of an etcd that has the flag by its new name",
        counts=Counts(raft_entry_count=5050, raft_payload_bytes=5050 * 100 * 1024),
        product="etcd 3.6.1",
        profile="3.6",
        kind="raft-log",
        stake_bytes=5050 * 102_400 - 5050 * 102_400 * 655 // 5050,
        command="--snapshot-catchup-entries=555",
    ),
    Row(
        name="history",
        counts=HISTORY,
        kind="history",
        stake_bytes=1000 * MIB * 999 // 1000,
        command="etcdctl --endpoints=db:2379 compact 1001",
    ),
    Row(
        name="history of an etcd, by its revisions alone",
        counts=Counts(
            key_count=10,
            current_revision=1001,
            compact_revision=11,
            backend_size_bytes=100 * MIB,
            backend_in_use_bytes=100 * MIB,
        ),
        product="etcd 3.4.23",
        kind="history",
        stake_bytes=100 * MIB * 980 // 990,
        command="etcdctl --endpoints=db:2379 compact 1001",
    ),
    Row(
        name="free pages",
        counts=FREE_PAGES,
        kind="free-pages",
        stake_bytes=900 * MIB,
        command="etcdctl --endpoints=db:2379 defrag",
    ),
    Row(
        name="near the default quota",
        counts=FULL,
        kind="quota",
        stake_bytes=1800 * MIB,
        command=f"--quota-backend-bytes={4 * GIB}",
    ),
    Row(
        name="near its own quota, with some pages free",
        counts=Counts(backend_size_bytes=90 * MIB, backend_in_use_bytes=60 * MIB),
        flags={"quota-backend-bytes": str(100 * MIB)},
        kind="quota",
        stake_bytes=90 * MIB,
        command="etcdctl --endpoints=db:2379 defrag",
    ),
    Row(
        name="slow watcher",
        counts=SLOW,
        kind="slow-watchers",
        stake_bytes=9 * MIB,
        command="ss -Htn state established '( sport = :2379 )' | sort -rnk2",
    ),
    Row(
        name="large ranges at once",
        counts=LARGE_RANGE,
        kind="large-ranges",
        stake_bytes=800 * MIB,
        command="etcdctl --endpoints=db:2379 get '' --prefix --limit=1",
    ),
    Row(
        name="leases",
        counts=LEASES,
        prediction=predicted("lease", 200),
        kind="leases",
        stake_bytes=200 * MIB,
        command="etcdctl --endpoints=db:2379 lease list | tail -n +2 | wc -l",
    ),
    Row(
        name="connections",
        counts=CONNECTIONS,
        prediction=predicted("connections", 120),
        kind="connections",
        stake_bytes=120 * MIB,
        command="ss -Htn state established '( sport = :2379 )' |\n"
        "  awk '{sub(/:[0-9]+$/, \"\", $4); print $4}' | sort | uniq -c | sort -rn",
    ),
    Row(
        name="watchers",
        counts=WATCHERS,
        prediction=predicted("watch", 70),
        kind="watchers",
        stake_bytes=70 * MIB,
        command="etcd grpc-proxy start --endpoints=db:2379",
    ),
]


def capture(counts: Counts, **rest: object) -> Capture:
    """A reading with nothing else in it."""
    fields = {"label": "", "time_s": START_S, "product": "miniet 0.1.0"} | rest
    return Capture(counts=counts, **fields)  # type: ignore[arg-type]


def only(counts: Counts, *rest: Prediction, **fields: object) -> Finding:
    """The one finding of such a server."""
    [finding] = diagnose(capture(counts, **fields), *rest, endpoint="db:2379")
    return finding


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_finding_has_its_stake_and_its_command(row: Row) -> None:
    reading = capture(
        row.counts, product=row.product, profile=row.profile, flags=row.flags
    )
    [finding] = diagnose(reading, row.prediction, endpoint="db:2379")
    assert (finding.kind, finding.at_stake_bytes, finding.command) == (
        row.kind,
        row.stake_bytes,
        row.command,
    )


@pytest.mark.parametrize("product", ["miniet 0.1.0", "etcd 3.4.23"])
def test_idle_fresh_server_has_no_finding(product: str) -> None:
    assert diagnose(capture(IDLE, product=product), prediction(0.0, 0.02)) == []


def test_keys_put_once_are_no_history() -> None:
    once = Counts(key_count=1000, current_revision=1001, backend_in_use_bytes=GIB)
    assert diagnose(capture(once)) == []


def test_findings_are_ranked_by_bytes_at_stake() -> None:
    both = Counts(
        raft_entry_count=1000,
        raft_payload_bytes=1000 * MIB,
        backend_size_bytes=1500 * MIB,
        backend_in_use_bytes=100 * MIB,
    )
    kinds = [finding.kind for finding in diagnose(capture(both))]
    assert kinds == ["free-pages", "raft-log"]


def test_command_for_the_default_endpoint_does_not_name_it() -> None:
    [finding] = diagnose(capture(FREE_PAGES))
    assert finding.command == "etcdctl defrag"


@pytest.mark.parametrize(
    ("flags", "most"),
    [({}, "102.5 GiB"), ({"snapshot-count": "500"}, "5500.0 MiB")],
)
def test_raft_log_says_how_far_it_may_grow(flags: dict[str, str], most: str) -> None:
    assert most in " ".join(only(LOG_OF_LARGE_VALUES, flags=flags).evidence)


def test_etcd_without_the_catch_up_flag_is_told_to_upgrade() -> None:
    finding = only(LOG_OF_LARGE_VALUES, product="etcd 3.4.23")
    assert "upgrade to 3.5.16 or later first" in finding.price


@pytest.mark.parametrize("product", ["etcd 3.5.16", "miniet 0.1.0"])
def test_server_with_the_catch_up_flag_is_not(product: str) -> None:
    assert "upgrade" not in only(LOG_OF_LARGE_VALUES, product=product).price


def test_traced_bytes_go_before_counted_ones() -> None:
    findings = diagnose(capture(LOG_OF_LARGE_VALUES, traced=traced()))
    assert findings[0].basis == "Python, traced"
    assert findings[0].at_stake_bytes == 1002 * MIB - 1002 * MIB * 64 // 1000


def test_tracing_that_began_later_hides_no_finding() -> None:
    late = traced(log_mib=1)
    finding, _ = diagnose(capture(LOG_OF_LARGE_VALUES, traced=late))
    assert (finding.kind, finding.at_stake_bytes) == ("raft-log", 936 * MIB)
    assert "traced" not in finding.basis


def test_tracing_from_the_start_says_what_python_pays() -> None:
    whole = traced(log_mib=1)
    [finding] = diagnose(
        capture(LEASES, traced=whole, flags={"memory-trace": "true"}),
        predicted("lease", 200),
    )
    assert finding.kind == "tracing"  # a lease costs Python little here


def test_heap_profile_goes_before_the_prediction() -> None:
    go = go_memory(bytes_by_component={"raft": 1008 * MIB})
    finding = only(LOG_OF_LARGE_VALUES, predicted("raft", 5), product="etcd 3.6", go=go)
    assert finding.basis == "Go, by its heap profile"


def test_etcd_without_a_profile_is_judged_by_the_prediction() -> None:
    finding = only(LOG_OF_LARGE_VALUES, predicted("raft", 500), product="etcd 3.4.23")
    assert finding.basis == "Go, predicted"
    assert finding.at_stake_bytes == 468 * MIB


def go_memory(**fields: object) -> GoMemory:
    """A heap of 1,012 MiB in use, and 900 MiB of it before."""
    made = {
        "heap_alloc_bytes": 1012 * MIB,
        "heap_in_use_bytes": 1012 * MIB,
        "heap_idle_bytes": 900 * MIB,
        "heap_released_bytes": 0,
        "stack_in_use_bytes": MIB,
        "next_gc_bytes": 2024 * MIB,
    }
    return GoMemory(**made | fields)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("lazy_mib", "command"),
    [(0, "GOGC=50 etcd ..."), (800, "GODEBUG=madvdontneed=1 etcd ...")],
)
def test_freed_heap_is_told_by_how_it_is_given_back(
    lazy_mib: int, command: str
) -> None:
    go = go_memory(heap_released_bytes=lazy_mib * MIB)
    process = ProcessMemory(
        resident_bytes=1964 * MIB, lazy_free_bytes=lazy_mib * MIB or None
    )
    finding = only(IDLE, product="etcd 3.4.23", go=go, process=process)
    assert (finding.kind, finding.command) == ("freed-heap", command)
    assert finding.at_stake_bytes == 900 * MIB


@pytest.mark.parametrize(
    ("go", "garbage_mib"),
    [
        (go_memory(is_collected=True, heap_alloc_bytes=500 * MIB), 512),
        (go_memory(bytes_by_component={"raft": 400 * MIB}), 612),
        (go_memory(), 0),
    ],
    ids=["collected", "profile", "not known"],
)
def test_garbage_is_what_is_in_use_and_not_live(go: GoMemory, garbage_mib: int) -> None:
    process = ProcessMemory(resident_bytes=1964 * MIB)
    finding = only(IDLE, product="etcd 3.4.23", go=go, process=process)
    assert finding.at_stake_bytes == (900 + garbage_mib) * MIB


def test_tracing_left_on_is_told_however_little_it_holds() -> None:
    finding = only(IDLE, traced=traced(), time_s=START_S + 600)
    assert finding.command == "miniet memory db:2379 --trace off"
    assert "For 10 min" in finding.evidence[0]


def test_no_quota_is_no_finding() -> None:
    flags = {"quota-backend-bytes": "-1"}
    assert diagnose(capture(FULL, flags=flags)) == []


def test_leases_without_keys_can_be_revoked_in_one_go() -> None:
    finding = only(IDLE_LEASES, predicted("lease", 30))
    assert finding.kind == "leases-without-keys"
    assert finding.at_stake_bytes == 30 * MIB * 99 // 100


def test_etcd_that_hides_keys_of_leases_has_none_without() -> None:
    reading = capture(IDLE_LEASES, unseen=("keyed_lease_count",))
    assert diagnose(reading, predicted("lease", 30)) == []


def test_rule_that_lacks_a_count_says_so() -> None:
    reading = capture(IDLE, unseen=("range_response_bytes_max", "wal_pending_bytes"))
    assert not_judged(reading) == ["large ranges (range_response_bytes_max)"]


def test_every_rule_needs_counts_that_exist() -> None:
    assert {name for rule in RULES for name in rule.needs} <= set(IDLE.to_json())


def test_every_rule_is_tried() -> None:
    tried = {row.kind for row in ROWS}
    tried |= {"leases-without-keys", "freed-heap", "tracing"}
    assert len(tried) == len(RULES)
