"""What a load leaves behind, by the component to which it is booked."""

import gc
from collections.abc import Callable

from miniet.memory import tracing
from miniet.memory.components import Component
from miniet.memory.traced import Traced


def growth(load: Callable[[], object]) -> Traced:
    """Carry out `load` and book what it allocated and is still there.

    What was there before is not traced. What `load` returns is kept until the end.
    """
    gc.collect()
    tracing.start()
    try:
        kept = load()
        gc.collect()
        found = tracing.read_traced()
        del kept
        return found
    finally:
        tracing.stop()


def share(found: Traced, component: Component) -> float:
    """Return the part of all traced bytes that is booked to a component."""
    return found.bytes_by_component[component] / found.total_bytes
