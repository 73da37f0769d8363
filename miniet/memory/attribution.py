"""Whose bytes they are: from the frames of an allocation to a component.

The innermost frame inside the package of a component decides. Everything else is
transparent: the standard library, libraries, `pb`, `memory`, `client`, `lab`, `cli`,
tests, and the modules at miniet's root. So the nodes of a `SortedDict` are booked to
the component that fills it. A block without such a frame is booked to no component.

That books a block to the package which allocated it, which is the one that keeps it
as long as each keeps to the rule: copy at ingress what another has made, and let
nobody else append to what is yours. `tests/memory/test_boundaries.py` holds every
component to it. The exceptions, all of them:

Shared payload is booked once, to its maker; `SHARED` has who keeps it then, and which
count sees it:

- Pairs of a txn's answer, and previous pairs, are made by mvcc; the server holds them
  until it has put them into a response.
- Events of the response that was taken last from a watch stream are made by watch; the
  server holds them until the client has read them.
- The two revision numbers of a waiting event are made by mvcc; watch keeps them. That
  is 64 bytes, which only shows where keys and values are as small.
- Whom to answer when an entry is applied is made by the server, and kept by engine.

What is native is traced for nobody. It is in the remainder, or in the mapped pages:

- LMDB's pages: committed ones in the map, uncommitted ones on its own heap
  (`backend_uncommitted_bytes`).
- With `--transport=grpcio` what that keeps of connections, streams and messages: a
  response, once handed over, until its client has taken it
  (`response_in_flight_bytes`). On miniet's own transport (`wire`, booked to the
  server) all of it is Python's.
- Parsed protobuf messages, which do not outlive their handler.
- Lists and file buffers of the C libraries, and free space inside Python's heap.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from miniet.memory.components import Component

Frame = tuple[str, int]
"""File and line, as tracemalloc has them."""

_ROOT = Path(__file__).parents[2]
_PACKAGES = {component.value: component for component in Component} | {
    "wire": Component.SERVER,  # connections and streams, if miniet speaks for itself
}
_FOLDERS = {
    f"{_ROOT.joinpath('miniet', package)}{sep}": component
    for package, component in _PACKAGES.items()
    for sep in ("/", "\\")
}


@dataclass(frozen=True, slots=True)
class SharedPayload:
    """What one component allocates and another keeps."""

    what: str
    made_by: Component
    """To whom it is booked."""
    kept_by: Component
    seen_in: str = ""
    """Field of `Counts` that tells how much it is; empty: none."""


SHARED = (
    SharedPayload(
        "pairs of a txn's answer",
        Component.MVCC,
        Component.SERVER,
        "response_in_flight_bytes",
    ),
    SharedPayload("events being sent", Component.WATCH, Component.SERVER),
    SharedPayload(
        "revisions of waiting events",
        Component.MVCC,
        Component.WATCH,
        "held_event_count",
    ),
    SharedPayload(
        "answers owed", Component.SERVER, Component.ENGINE, "calls_in_flight"
    ),
)
"""The exceptions to the rule; see above."""


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
