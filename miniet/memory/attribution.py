"""Whose bytes they are: from the frames of an allocation to a component.

The innermost frame inside the package of a component decides. Everything else is
transparent: the standard library, libraries, `pb`, `memory`, `client`, `lab`, `cli`,
tests, and the modules at miniet's root. So the nodes of a `SortedDict` are booked to
the component that fills it. A block without such a frame is booked to no component.

That books a block to the package which allocated it, which is the one that keeps it
as long as each keeps to the rule: copy at ingress what another has made, and let
nobody else append to what is yours. `tests/memory/test_boundaries.py` holds them to
it.
"""

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

from miniet.memory.components import Component

Frame = tuple[str, int]
"""File and line, as tracemalloc has them."""

_ROOT = Path(__file__).parents[2]
_FOLDERS = {
    f"{_ROOT.joinpath('miniet', component)}{sep}": component
    for component in Component
    for sep in ("/", "\\")
}


def owner_of(frames: Sequence[Frame]) -> tuple[Component, Frame] | None:
    """Find the component to which a block is booked, and the line in it.

    Args:
        frames: innermost first.
    Returns:
        The component and the frame that decided, None if no component is among them.
    """
    for frame in frames:
        component = component_of(frame[0])
        if component is not None:
            return component, frame
    return None


@lru_cache(maxsize=4096)
def component_of(file: str) -> Component | None:
    """Tell in whose package a source file lies, None for everyone else's."""
    for folder, component in _FOLDERS.items():
        if file.startswith(folder):
            return component
    return None


def shown_path(file: str) -> str:
    """Return a file of the project as reports show it: `miniet/raft/log.py`."""
    return Path(file).relative_to(_ROOT).as_posix()
