"""The table cannot rot, and the runner tells a caught mutation from one that is not."""

from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import pytest

from tests.mutations.generic import draw, find_all
from tests.mutations.mutation import ROOT, Mutation
from tests.mutations.runner import Job, Outcome, Runner, Verdict, jobs_of, read_verdict
from tests.mutations.table import MUTATIONS

_TEXTS = {file: (ROOT / file).read_text() for file in {each.file for each in MUTATIONS}}


def test_old_texts_stand_in_their_files_once() -> None:
    for mutation in MUTATIONS:
        text = _TEXTS[mutation.file]
        mutated = mutation.mutated(text)  # or ValueError, with the name
        compile(mutated, mutation.name, "exec")
        assert mutated != text, mutation.name
        missing = [test for test in mutation.tests if not (ROOT / test).exists()]
        assert not missing, mutation.name


def test_names_are_unique_and_begin_with_their_package() -> None:
    names = [mutation.name for mutation in MUTATIONS]
    assert len(names) == len(set(names)) >= 40
    assert all(m.name.startswith(m.package + "/") for m in MUTATIONS)


def test_every_package_of_the_core_is_broken_somehow() -> None:
    packages = {mutation.package for mutation in MUTATIONS}
    assert packages == {"raft", "mvcc", "lease", "watch", "wal", "backend", "engine"}


def test_equal_seeds_draw_equal_mutations() -> None:
    drawn = draw(20, seed=1)
    assert drawn == draw(20, seed=1)
    for mutation in drawn:
        text = (ROOT / mutation.file).read_text()
        compile(mutation.mutated(text), mutation.file, "exec")
        assert mutation.mutated(text) != text


def test_generic_mutations_are_of_all_kinds() -> None:
    kinds = {"flip", "negate", "off by one", "drop"}
    assert {place.kind for place in find_all()} == kinds


@pytest.mark.parametrize(
    ("code", "said", "verdict"),
    [
        (0, "1 passed", Verdict.SURVIVED),
        (1, "FAILED tests/a.py::test_b - assert 0", Verdict.CAUGHT),
        (1, "ERROR tests/a.py::test_b - OSError", Verdict.CAUGHT),
        (-11, "", Verdict.CAUGHT),
        (2, "ERROR tests/a.py - ImportError", Verdict.BROKEN),
        (4, "ERROR: file or directory not found", Verdict.BROKEN),
        (5, "no tests ran", Verdict.BROKEN),
        (70, "", Verdict.BROKEN),
    ],
)
def test_only_failed_tests_count_as_caught(
    code: int, said: str, verdict: Verdict
) -> None:
    assert read_verdict(code, said)[0] is verdict


def _run(
    directory: Path, tree: Path, mutations: Sequence[Mutation], endless: Mutation
) -> list[Outcome]:
    runner = Runner(directory / "copies", tree)
    hung = Job(endless.name, endless.tests, endless)
    return [
        *runner.run(jobs_of(mutations), 1),
        *runner.run([hung], 1, seconds_max=1.5),
    ]


def test_runner_tells_what_became_of_each_mutation(tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    (tree / "miniet").mkdir(parents=True)
    (tree / "tests").mkdir()
    (tree / "miniet" / "__init__.py").write_text("")
    (tree / "tests" / "__init__.py").write_text("")
    source = "def double(x):\n    while x < 0:\n        x += 1\n    return x + x\n"
    (tree / "miniet" / "sums.py").write_text(source)
    (tree / "tests" / "test_sums.py").write_text(
        "from miniet.sums import double\n\n\n"
        "def test_double():\n    assert double(-3) == double(0) == 0\n"
        "    assert double(4) == 8\n"
    )

    def mutation(name: str, old: str, new: str) -> Mutation:
        return Mutation(
            name=name,
            breaks="",
            file="miniet/sums.py",
            old=old,
            new=new,
            tests=("tests/test_sums.py",),
        )

    mutations = [
        mutation("caught", "x + x", "x + 1"),
        mutation("survived", "x + x", "2 * x"),
        mutation("broken", "def double", "def twice"),
    ]
    endless = mutation("hung", "x += 1", "x += 0")
    # In a process of its own: this one may have threads, which do not like a fork.
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        outcomes = pool.submit(_run, tmp_path, tree, mutations, endless).result()
    found = {o.job.name: (o.verdict, o.noticed_by.partition(" ")[0]) for o in outcomes}
    assert found["tests/test_sums.py"][0] is Verdict.SURVIVED
    assert found["caught"] == (Verdict.CAUGHT, "tests/test_sums.py::test_double")
    assert found["survived"][0] is Verdict.SURVIVED
    assert found["hung"][0] is Verdict.HUNG
    assert found["broken"][0] is Verdict.BROKEN
    assert [o.is_good for o in outcomes] == [True, True, False, False, True]
    assert (tree / "miniet" / "sums.py").read_text() == source
