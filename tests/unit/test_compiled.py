"""Which of a module and what was compiled of it is loaded."""

import os
import shutil
import subprocess
import sys
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path

import pytest

import miniet
from miniet.compiled import INTERPRETED_VARIABLE

COMPILED = f"protowire{EXTENSION_SUFFIXES[0]}"
MODULES = ("__init__", "compiled", "protowire", "version")
IS_COMPILED = "from miniet.compiled import is_compiled; print(is_compiled())"
IMPORT = "import miniet.protowire; print(miniet.protowire.varint(300))"


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """A directory in which miniet has sources alone."""
    (tmp_path / "miniet").mkdir()
    for name in MODULES:
        source = Path(miniet.__file__).with_name(f"{name}.py")
        shutil.copy(source, tmp_path / "miniet")
    return tmp_path


@pytest.fixture
def compiled(directory: Path) -> Path:
    """The same with one module compiled, to something that cannot be loaded."""
    (directory / "miniet" / COMPILED).write_bytes(b"not machine code")
    return directory


def run(directory: Path, code: str, **variables: str) -> tuple[int, str, str]:
    """Run code with the miniet of a directory; return exit code and what it said."""
    environment = {**os.environ, "PYTHONPATH": str(directory)}
    environment.pop(INTERPRETED_VARIABLE, None)
    ended = subprocess.run(
        [sys.executable, "-c", code],
        cwd=directory,
        env=environment | variables,
        capture_output=True,
        text=True,
        check=False,
    )
    return ended.returncode, ended.stdout, ended.stderr


def test_sources_alone_are_not_compiled(directory: Path) -> None:
    assert run(directory, IS_COMPILED) == (0, "False\n", "")


def test_what_was_compiled_is_loaded_instead_of_its_source(compiled: Path) -> None:
    assert run(compiled, IS_COMPILED) == (0, "True\n", "")
    code, _, said = run(compiled, IMPORT)
    assert code == 1
    assert "ImportError" in said
    assert COMPILED in said


def test_sources_are_loaded_if_the_environment_says_so(compiled: Path) -> None:
    variable = {INTERPRETED_VARIABLE: "1"}
    assert run(compiled, IS_COMPILED, **variable) == (0, "False\n", "")
    assert run(compiled, IMPORT, **variable) == (0, "b'\\xac\\x02'\n", "")


def test_an_empty_variable_says_nothing(compiled: Path) -> None:
    assert run(compiled, IS_COMPILED, **{INTERPRETED_VARIABLE: ""})[1] == "True\n"
