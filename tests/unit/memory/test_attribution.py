"""From frames to a component."""

from pathlib import Path

import pytest

import miniet
from miniet.memory.attribution import owner_of, shown_path
from miniet.memory.components import Component

HOME = str(Path(miniet.__file__).parent)
RAFT = (f"{HOME}/raft/log.py", 7)
MVCC = (f"{HOME}/mvcc/store.py", 8)
LIBRARY = ("/usr/lib/python3/sortedcontainers/sorteddict.py", 9)
TEST = (f"{Path(HOME).parent}/tests/raft/log.py", 1)
TRANSPARENT = [
    LIBRARY,
    TEST,
    (f"{HOME}/pb/rpc_pb2.py", 1),
    (f"{HOME}/memory/capture.py", 1),
    (f"{HOME}/client/etcd.py", 1),
    (f"{HOME}/lab/runner.py", 1),
    (f"{HOME}/cli/serve.py", 1),
    (f"{HOME}/protowire.py", 1),
    (f"{HOME}/raftish/log.py", 1),
    ("<string>", 1),
    ("<frozen importlib._bootstrap>", 1),
]


def test_the_innermost_frame_of_a_component_decides() -> None:
    assert owner_of([LIBRARY, RAFT, MVCC]) == (Component.RAFT, RAFT)
    assert owner_of([MVCC, RAFT]) == (Component.MVCC, MVCC)


@pytest.mark.parametrize("frame", TRANSPARENT, ids=lambda frame: Path(frame[0]).name)
def test_what_is_no_component_is_looked_through(frame: tuple[str, int]) -> None:
    assert owner_of([frame, MVCC]) == (Component.MVCC, MVCC)
    assert owner_of([frame]) is None


@pytest.mark.parametrize("component", Component)
def test_every_component_is_a_package(component: Component) -> None:
    package = Path(HOME, component)
    assert package.joinpath("__init__.py").is_file()
    frame = (str(package / "a.py"), 1)
    assert owner_of([frame]) == (component, frame)


def test_a_file_is_shown_as_it_lies_in_the_project() -> None:
    assert shown_path(RAFT[0]) == "miniet/raft/log.py"
