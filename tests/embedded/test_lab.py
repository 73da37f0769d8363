"""The experiments at a small scale, on miniet and on a real etcd."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

import miniet
from miniet.client import EtcdClient
from miniet.lab import Lab, LabError, Options, Setup, run_scenario, target_of
from miniet.lab.machine import Need
from miniet.lab.runner import Findings
from miniet.lab.scenarios import (
    case_study,
    expensive_range,
    raft_log,
    write_path,
)
from miniet.report.run import Run
from tests.conformance.api.conftest import NEEDS_ETCD
from tests.support.lab_runs import ETCD, MINIET, run
from tests.support.real_etcd import RealEtcd

NEEDS_ETCD_AND_TIME = [*NEEDS_ETCD, pytest.mark.slow]
# The documentation's tests run the whole case study in the default run, and the
# command's tests a whole experiment.
ALL_SLOW = [
    pytest.param(MINIET, marks=pytest.mark.slow, id="embedded"),
    pytest.param(ETCD, marks=NEEDS_ETCD_AND_TIME, id="etcd"),
]
BOTH = [MINIET, pytest.param(ETCD, marks=NEEDS_ETCD_AND_TIME, id="etcd")]
TARGETS = pytest.mark.parametrize("target", BOTH)


def stages_of(run: Run) -> list[str]:
    return [stage.name for stage in run.variants[0].stages]


@pytest.fixture(scope="module", params=ALL_SLOW)
def study(request: pytest.FixtureRequest) -> Run:
    return run(case_study, request.param, 0.02)


def test_case_study_shows_the_log_keeping_what_compaction_does_not_reach(
    study: Run,
) -> None:
    stages = {stage.name: stage for stage in study.variants[0].stages}
    end = stages["defragmented"].capture.counts
    assert stages["loaded"].capture.counts.backend_size_bytes > 15 << 20
    assert end.backend_size_bytes < 2 << 20
    assert end.raft_payload_bytes == pytest.approx(20 << 20, rel=0.02)
    assert "The raft log holds it" in study.verdict[0]
    assert stages["restarted"].capture.counts.raft_payload_bytes > 19 << 20
    for stage in stages.values():
        assert stage.prediction is not None


def test_case_study_shows_what_frees_the_log(study: Run) -> None:
    held = {
        variant.name: variant.stages[-1].capture.counts.raft_payload_bytes >> 20
        for variant in study.variants
    }
    freed = [name for name, size in held.items() if size < 8]
    if len(held) == 4:
        assert freed == ["--snapshot-count=10, few catch-up entries"]
        assert any(text.startswith("What frees it") for text in study.verdict)
    else:  # etcd 3.4 has no flag for it
        assert not freed
        assert any("Nothing tried here freed it" in text for text in study.verdict)


@pytest.mark.etcd
@pytest.mark.slow
@NEEDS_ETCD[1]
def test_variant_that_an_etcd_cannot_have_is_left_out_with_the_reason() -> None:
    result = run(case_study, ETCD, 0.002)
    left_out = [text for text in result.not_shown if "left out" in text]
    assert "--profile=3.6 is miniet's" in left_out[0]
    assert "flag provided but not defined" in left_out[1]
    assert len(result.variants) == 2


@pytest.mark.etcd
@pytest.mark.slow
@NEEDS_ETCD[1]
def test_live_heap_of_an_etcd_is_predicted() -> None:
    result = run(case_study, ETCD, 0.05)
    stage = result.variants[0].stages[-2]
    assert stage.name == "garbage collected"
    assert stage.capture.go is not None
    assert stage.prediction is not None
    assert stage.prediction.live_heap.likely == pytest.approx(
        stage.capture.go.heap_alloc_bytes, rel=0.1
    )


@pytest.mark.slow
@TARGETS
def test_raft_log_shows_cuts_and_where_there_are_none(target: str) -> None:
    result = run(raft_log, target, 0.02)
    by_name = {variant.name: variant for variant in result.variants}
    whole = by_name["1.0 KiB"].stages[-1].capture.counts
    assert whole.raft_entry_count >= 6 * 40
    assert whole.raft_first_index == 1
    if target == MINIET:
        cut = by_name["1.0 KiB --snapshot-count=100"].stages[-1].capture.counts
        assert 100 <= cut.raft_entry_count <= 210
    assert any("nothing was cut" in text for text in result.verdict)


@pytest.mark.slow
@TARGETS
def test_write_path_follows_one_put_and_books_what_python_pays(target: str) -> None:
    result = run(write_path, target, 0.1)
    before, put = (stage.capture.counts for stage in result.variants[0].stages[:2])
    assert put.raft_entry_count == before.raft_entry_count + 1
    assert put.index_revision_count == before.index_revision_count + 1
    assert "leaves 1 entry of 4,1" in result.verdict[0]
    assert stages_of(result)[-1] == "defragmented"
    assert any("by 200 revisions: a tombstone each" in text for text in result.verdict)
    if target == MINIET:
        (text,) = (text for text in result.verdict if text.startswith("Python: "))
        assert int(text.split()[1].replace(",", "")) > 4096
        assert ": raft log 4," in text


@pytest.mark.slow
@TARGETS
def test_expensive_range_shows_peaks_and_what_asking_for_less_saves(
    target: str,
) -> None:
    result = run(expensive_range, target, 0.05)
    peaks = {str(row[0]): row[1] for row in result.tables[0].rows}
    assert peaks["8 at once"] >= peaks["1 at once"]  # type: ignore[operator]
    assert peaks["4 at once, count_only"] < 10  # type: ignore[operator]
    if target == MINIET:
        read = {str(row[0]): row[2] for row in result.tables[0].rows}
        assert read["4 at once, keys_only"] == read["4 at once"] == 20
        assert read["4 at once, count_only"] == 0


class TestRunningServer:
    """A server that somebody runs is left as it was found."""

    @pytest.fixture
    def server(self) -> Iterator[miniet.Server]:
        with miniet.Server() as server:
            yield server

    def test_keys_are_below_a_prefix_and_gone_at_the_end(
        self, server: miniet.Server
    ) -> None:
        with EtcdClient(server.endpoint) as client:
            client.put(b"mine", b"1")
            result = run(write_path, server.endpoint, 0.01)
            keys = [kv.key for kv in client.range(b"\0", b"\0").kvs]
        assert keys == [b"mine"]
        assert result.target.startswith("miniet ")

    def test_variants_that_need_flags_are_left_out(self, server: miniet.Server) -> None:
        result = run(case_study, server.endpoint, 0.002)
        assert [variant.name for variant in result.variants] == ["default"]
        assert (
            sum("needs a server of the lab's own" in t for t in result.not_shown) == 3
        )

    @pytest.mark.etcd
    @pytest.mark.slow
    @NEEDS_ETCD[1]
    def test_real_etcd_is_seen_with_its_process(self, tmp_path: Path) -> None:
        with RealEtcd(tmp_path / "data", binary=ETCD) as etcd:
            options = Options(target=target_of(etcd.client_url, etcd.pid), scale=0.002)
            result = run_scenario(case_study, options)
        process = result.variants[0].stages[-1].capture.process
        assert process is not None
        assert process.mapped_bytes is not None


class Question:
    """A scenario for what is common to all."""

    NAME = "question"
    QUESTION = "Does it work?"
    DISTURBS = ""

    def __init__(self, *setups: Setup) -> None:
        self.setups = setups

    def need(self, scale: float) -> Need:
        return Need(1, 1)

    def run(self, lab: Lab) -> None:
        for subject in lab.subjects(self.setups):
            subject.put_together(
                (subject.key(f"{number}"), b"") for number in range(250)
            )
            subject.stage("loaded")

    def explain(self, variants: object) -> Findings:
        return Findings(verdict=["It does."])


def test_server_that_does_not_start_ends_the_run_in_a_line() -> None:
    with pytest.raises(LabError, match="the server has ended") as refusal:
        run(Question(Setup("plain")), "/bin/false", 1.0)
    assert "\n" not in str(refusal.value)


def kill_under_load(folder: Path) -> None:
    with (
        target_of(MINIET).start(Setup("plain"), "3.4", folder) as server,
        EtcdClient(server.endpoint) as client,
    ):
        assert server.pid is not None
        os.kill(server.pid, signal.SIGKILL)
        client.put(b"key")


def test_server_that_ends_under_the_load_is_told_by_what_it_said(
    tmp_path: Path,
) -> None:
    with pytest.raises(LabError, match=r"the server has ended: .* serving version="):
        kill_under_load(tmp_path)


@pytest.mark.parametrize("scale", [0.0, -1.0, float("nan"), float("inf")])
def test_scale_that_is_none_is_refused(scale: float) -> None:
    with pytest.raises(LabError, match="a scale is a number above 0"):
        run(Question(), MINIET, scale)


def test_flag_that_is_refused_leaves_the_other_variants() -> None:
    result = run(
        Question(Setup("bad", ("--no-such-flag",)), Setup("plain")), MINIET, 1.0
    )
    assert [variant.name for variant in result.variants] == ["plain"]
    assert "no-such-flag" in result.not_shown[0]
    counts = result.variants[0].stages[0].capture.counts
    assert (counts.key_count, counts.current_revision) == (250, 4)
