"""Made-up records: the case study as a real run would leave it."""

from miniet.memory.capture import Capture
from miniet.memory.components import Component
from miniet.memory.counts import Counts
from miniet.memory.go_memory import GoMemory
from miniet.memory.process import ProcessMemory
from miniet.memory.traced import Line, Traced
from miniet.predict.prediction import Band, Prediction
from miniet.report.run import Run, Stage, Table, Variant

MIB = 1 << 20
START_S = 1_700_000_000.0


def counts(puts: int, file_mib: int, in_use_mib: int, revisions: int) -> Counts:
    """What is held after `puts` puts of 1 MiB to one key."""
    return Counts(
        raft_entry_count=4 + puts,
        raft_payload_bytes=puts * (MIB + 22),
        raft_first_index=1,
        raft_last_index=4 + puts,
        key_count=min(puts, 1),
        index_key_count=min(puts, 1),
        index_key_bytes=3 * min(puts, 1),
        index_generation_count=min(puts, 1),
        index_revision_count=revisions,
        current_revision=1 + puts,
        compact_revision=-1,
        put_total=puts,
        put_bytes_total=puts * (MIB + 3),
        backend_size_bytes=file_mib * MIB + 20480,
        backend_in_use_bytes=in_use_mib * MIB + 16384,
        connection_count=1,
    )


def process(resident_mib: int, mapped_mib: int) -> ProcessMemory:
    """A process with so much resident, of it mapped."""
    return ProcessMemory(
        resident_bytes=resident_mib * MIB,
        proportional_bytes=(resident_mib - 8) * MIB,
        anonymous_bytes=(resident_mib - mapped_mib - 22) * MIB,
        file_bytes=(mapped_mib + 22) * MIB,
        mapped_bytes=mapped_mib * MIB,
        peak_resident_bytes=(resident_mib + 40) * MIB,
    )


def band(likely: float) -> Band:
    """Around `likely` MiB: a tenth down, a quarter up."""
    return Band(int(likely * 0.9 * MIB), int(likely * MIB), int(likely * 1.25 * MIB))


def prediction(log_mib: float, mapped_mib: float) -> Prediction:
    """A prediction in which only the log weighs."""
    components = {
        "raft": band(log_mib),
        "mvcc": Band(200, 20_000, 40_000),
        "backend": band(0.1),
        "wal": band(1.1),
        "connections": band(0.1),
        "requests": Band(0, 0, 0),
        "fixed": band(4.2),
    }
    live = sum(components.values(), Band(0, 0, 0))
    mapped = band(mapped_mib)
    return Prediction(
        profile="3.4",
        components=components,
        live_heap=live,
        heap_in_use=live + Band(0, live.likely // 2, live.high),
        mapped=mapped,
        resident=live + mapped + Band(20 * MIB, 30 * MIB, 40 * MIB + live.high),
        notes=("Profile 3.4: constants measured on etcd 3.4.23.",),
    )


def traced(log_mib: int = 1002) -> Traced:
    """Tracing that found nearly all in the log."""
    by_component = dict.fromkeys(Component, 0) | {
        Component.RAFT: log_mib * MIB,
        Component.MVCC: 120_000,
        Component.SERVER: 2 * MIB,
    }
    blocks = dict.fromkeys(Component, 0) | {
        Component.RAFT: 3000,
        Component.MVCC: 2000,
        Component.SERVER: 900,
    }
    line = Line("miniet/raft/memory_storage.py", 120, (log_mib - 1) * MIB, 3000)
    array = Line("miniet/raft/memory_storage.py", 98, MIB, 1)
    return Traced(
        since_s=START_S,
        frame_count=8,
        bytes_by_component=by_component,
        blocks_by_component=blocks,
        other_bytes=3 * MIB,
        other_blocks=4000,
        peak_bytes=1100 * MIB,
        tracer_bytes=MIB,
        lines={
            Component.RAFT: (line, array, Line("miniet/raft/raft.py", 9, log_mib, 1))
        },
    )


def capture(
    label: str, held: Counts, held_by: ProcessMemory, *, after_s: float = 0.0
) -> Capture:
    """A reading of miniet."""
    return Capture(
        label=label,
        time_s=START_S + after_s,
        product="miniet 0.1.0",
        flags={"snapshot-count": "100000", "snapshot-catchup-entries": "5000"},
        counts=held,
        process=held_by,
        baseline=process(48, 0),
    )


def real_capture(label: str, held: Counts, live_mib: int, *, after_s: float) -> Capture:
    """A reading of a real etcd, with its heap profile after a collection."""
    return Capture(
        label=label,
        time_s=START_S + after_s,
        product="etcd 3.4.23",
        flags={"quota-backend-bytes": "6442450944"},
        counts=held,
        estimated={"raft_entry_count": "the applied index and the mean size of puts"},
        unseen=("pending_response_count", "range_response_bytes_max"),
        process=process(2 * live_mib + 40, 1),
        go=GoMemory(
            heap_alloc_bytes=live_mib * MIB,
            heap_in_use_bytes=(live_mib + 4) * MIB,
            heap_idle_bytes=live_mib * MIB,
            heap_released_bytes=0,
            stack_in_use_bytes=MIB,
            next_gc_bytes=2 * live_mib * MIB,
            is_collected=True,
            bytes_by_component={
                "raft": max(0, live_mib - 6) * MIB,
                "wal": MIB,
                "connections": 200_000,
                "fixed": 4 * MIB,
            },
        ),
    )


def variant(name: str, kept_mib: int) -> Variant:
    """The case study with a log that keeps so much of 1,000 MiB at the end."""
    stages = [
        ("started", counts(0, 0, 0, 0), process(48, 0), 0.0, 0.0),
        ("loaded", counts(1000, 1150, 1145, 1000), process(1120, 60), 1008.0, 14.0),
        ("compacted", counts(kept_mib, 1150, 1, 1), process(1990, 900), 1008.0, 800.0),
        ("defragmented", counts(kept_mib, 1, 1, 1), process(1080, 1), 1008.0, 1.0),
    ]
    made = [
        Stage(
            name=label,
            capture=capture(label, held, held_by, after_s=10.0 * place),
            prediction=prediction(log_mib, mapped_mib),
        )
        for place, (label, held, held_by, log_mib, mapped_mib) in enumerate(stages)
    ]
    between = [
        capture(
            "",
            counts(100 * second, 115 * second, 114 * second, 100 * second),
            process(48 + 107 * second, 6 * second),
            after_s=second,
        )
        for second in range(1, 10)
    ]
    return Variant(name=name, stages=made, timeline=between)


def run() -> Run:
    """The whole case study."""
    return Run(
        scenario="case-study",
        question="Where are 2 GB of memory for one key of 1 MB?",
        command="miniet lab run case-study",
        target="miniet 0.1.0",
        time_s=START_S,
        machine="Linux 6.1 x86_64, 2 processors, CPython 3.11.9",
        variants=[
            variant("--snapshot-count=100000", 1000),
            variant("--snapshot-count=20 <&>", 20),
        ],
        tables=[
            Table(
                title="Log kept by snapshot-count",
                columns=("snapshot-count", "entries", "MiB per entry", "freed by"),
                rows=[(100_000, 1004, 1.00781, "nothing"), (20, 24, 1.0, "snapshot")],
                note="Measured after the defragmentation.",
            )
        ],
        verdict=(
            "The raft log holds 1,004 entries, 1000.0 MiB: every put since the start.",
            "Compaction & defragmentation do not reach it; a <snapshot> does.",
        ),
        not_shown=("Followers: one member ran alone.",),
    )


def real_run() -> Run:
    """A run against a real etcd, measured beside the prediction."""
    stages = [
        Stage(
            name=label,
            capture=real_capture(label, counts(puts, 1, 1, 1), live_mib, after_s=puts),
            prediction=prediction(float(puts), 1.0),
        )
        for label, puts, live_mib in (("started", 0, 4), ("loaded", 1000, 1012))
    ]
    return Run(
        scenario="case-study",
        question="Where are 2 GB of memory for one key of 1 MB?",
        command="miniet lab run case-study --target localhost:2379 --pid 42",
        target="etcd 3.4.23 at localhost:2379",
        time_s=START_S,
        machine="Linux 6.1 x86_64, 2 processors, CPython 3.11.9",
        variants=[Variant(name="as started", stages=stages)],
    )
