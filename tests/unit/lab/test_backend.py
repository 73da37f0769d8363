"""The verdict of `backend` follows its figures."""

from dataclasses import replace

from miniet.lab.scenarios import backend
from miniet.memory.process import ProcessMemory
from miniet.report.run import Stage, Table, Variant
from tests.unit.lab.records import MIB, capture, variant

# Stage, file, file when opened, in use, mapped, resident, peak, all in MiB: as of
# etcd 3.4.23.
ETCD = (
    ("started", 0, 0, 0, 0, 25, 25),
    ("loaded", 118, 0, 117, 2, 244, 244),
    ("read", 118, 0, 117, 118, 436, 436),
    ("restarted", 118, 118, 117, 118, 409, 409),
    ("half deleted", 118, 118, 118, 118, 410, 410),
    ("compacted", 118, 118, 59, 118, 410, 410),
    ("defragmented", 59, 59, 59, 59, 456, 514),
    ("restarted again", 59, 59, 59, 59, 332, 332),
)


def run(product: str = "etcd 3.4.23", **mapped_mib: int) -> Variant:
    """Make the stages, with other pages mapped where that is said."""
    stages = {}
    for name, file, opened, in_use, mapped, resident, peak in ETCD:
        mapped = mapped_mib.get(name.replace(" ", "_"), mapped)
        process = ProcessMemory(
            resident_bytes=resident * MIB,
            mapped_bytes=mapped * MIB,
            peak_resident_bytes=peak * MIB,
        )
        stages[name] = capture(
            product=product,
            process=process,
            backend_size_bytes=file * MIB,
            backend_in_use_bytes=in_use * MIB,
            backend_opened_bytes=opened * MIB,
        )
    return variant("default", stages)


def without(found: Variant, *names: str) -> Variant:
    kept = [stage for stage in found.stages if stage.name not in names]
    return replace(found, stages=kept)


def with_stage(found: Variant, name: str, **process: int) -> Variant:
    """Change a stage's process."""

    def changed(stage: Stage) -> Stage:
        if stage.name != name or stage.capture.process is None:
            return stage
        memory = replace(stage.capture.process, **process)  # type: ignore[arg-type]
        return replace(stage, capture=replace(stage.capture, process=memory))

    return replace(found, stages=[changed(stage) for stage in found.stages])


def verdict(found: Variant) -> str:
    return "\n".join(backend.explain([found]).verdict)


def test_loading_is_said_to_leave_the_file_out_and_reading_to_bring_it_in() -> None:
    text = verdict(run())
    assert "Loading does not make the file resident: 2.0 MiB of 118.0 MiB" in text
    assert "Reading every key does: 118.0 MiB of 118.0 MiB" in text


def test_loading_that_brought_the_file_in_is_said_to_have_done_so() -> None:
    text = verdict(run(loaded=118))
    assert "does not make" not in text
    assert "After loading 118.0 MiB of 118.0 MiB are resident" in text


def test_start_that_maps_all_of_it_is_explained_by_the_product() -> None:
    assert "So does every start" in verdict(run())
    assert "MAP_POPULATE" in verdict(run())
    assert "LMDB does not ask for it" in verdict(run("miniet 1"))


def test_start_that_maps_nothing_is_not_said_to() -> None:
    text = verdict(run(restarted=3))
    assert "every start" not in text
    assert "After a start 3.0 MiB of 118.0 MiB are resident" in text


def test_server_that_was_not_restarted_is_not_spoken_of() -> None:
    assert "start" not in verdict(without(run(), "restarted", "restarted again"))


def test_deletion_and_compaction_are_said_to_leave_the_file() -> None:
    text = verdict(run())
    assert "frees 58.0 MiB inside the file, which stays at 118.0 MiB" in text


def test_defragmentation_peaks_with_the_old_file_and_the_new_one() -> None:
    text = verdict(run())
    assert "from 118.0 MiB to 59.0 MiB" in text
    assert "peaked at 514.0 MiB, 104.0 MiB above the 410.0 MiB before" in text
    assert "1.9 times the old file, and a file with nothing to free would" in text
    assert "at 2.8 times itself" in text


def test_defragmentation_without_a_peak_is_not_said_to_have_one() -> None:
    quiet = with_stage(run(), "defragmented", peak_resident_bytes=411 * MIB)
    assert "are there at once" not in verdict(quiet)
    assert "1.0 MiB above what was resident" in verdict(quiet)


def test_pages_unlike_those_of_bbolt_are_named() -> None:
    text = verdict(run("miniet 1", defragmented=1))
    assert "defragmented 1.0 MiB where 59.0 MiB is predicted" in text


def test_process_that_is_not_known_is_a_gap() -> None:
    found = run()
    blind = replace(
        found,
        stages=[
            replace(stage, capture=replace(stage.capture, process=None))
            for stage in found.stages
        ],
    )
    findings = backend.explain([blind])
    assert findings.not_shown == (
        "What is resident: the server's process is not known.",
    )
    assert "resident" not in "\n".join(findings.verdict)
    (table,) = findings.tables
    assert isinstance(table, Table)
    assert table.columns == ("stage", "file", "in use", "predicted")
