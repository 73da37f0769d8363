"""`Case`: what a diagnosis is made from; `Finding`: what it comes to."""

from collections.abc import Sequence
from dataclasses import dataclass

from miniet.memory.capture import Capture
from miniet.memory.components import Component
from miniet.memory.counts import Counts
from miniet.predict.prediction import Prediction
from miniet.report.costs import go_bytes, profile_bytes
from miniet.report.units import MIB

FLOOR_BYTES = 4 * MIB
"""What an empty etcd holds by itself. Nobody changes a flag for less."""
BUDGET_BYTES = 64 * MIB
"""What a component may hold before advice is worth its price: a WAL segment, so as
much as is read in a second at a restart, and small beside an etcd of 2 GiB quota."""

DEFAULT_ENDPOINT = "127.0.0.1:2379"
"""etcdctl's own; commands need not name it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing to change."""

    kind: str
    """Stable name, for programs: `raft-log`."""
    title: str
    """What is the matter, as a sentence."""
    evidence: Sequence[str]
    """Sentences with the figures."""
    at_stake_bytes: int
    basis: str
    """Whose bytes those are, and how they are known."""
    command: str
    """What changes it: a command to paste, or flags to start the server with."""
    price: str
    """What the change costs, and when it takes effect."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A server as far as it can be seen."""

    capture: Capture
    prediction: Prediction | None = None
    endpoint: str = DEFAULT_ENDPOINT

    @property
    def counts(self) -> Counts:
        """What it holds."""
        return self.capture.counts

    @property
    def is_miniet(self) -> bool:
        """Whether Python pays; otherwise Go does."""
        return self.capture.product.startswith("miniet")

    @property
    def version(self) -> tuple[int, ...]:
        """Release of the server, as `(3, 5, 16)`."""
        _, _, text = self.capture.product.rpartition(" ")
        return tuple(int(part) for part in text.split(".") if part.isdigit())

    @property
    def mean_put_bytes(self) -> int:
        """Mean length of key and value over all puts, at least 1."""
        counts = self.counts
        return max(1, counts.put_bytes_total // max(1, counts.put_total))

    def flag(self, default: int, *names: str) -> int:
        """Return a flag's value, the default where it is not known."""
        for name in names:
            value = self.capture.flags.get(name, "")
            if value.lstrip("-").isdigit():
                return int(value)
        return default

    def etcdctl(self, words: str) -> str:
        """Return a command line for this server."""
        if self.endpoint == DEFAULT_ENDPOINT:
            return f"etcdctl {words}"
        return f"etcdctl --endpoints={self.endpoint} {words}"

    def held(self, component: Component, payload: int = 0) -> tuple[int, str]:
        """Return the bytes of a component and how they are known, best first."""
        capture = self.capture
        known = self._known(component, payload)
        if capture.traced is None:
            return known
        booked = capture.traced.bytes_by_component.get(component, 0)
        # Switched on later, tracing has seen only a part: it then is a lower bound.
        is_whole = capture.flags.get("memory-trace") == "true"
        return (booked, "Python, traced") if is_whole or booked >= known[0] else known

    def _known(self, component: Component, payload: int) -> tuple[int, str]:
        """Return the bytes of a component as far as they are known without tracing."""
        measured = profile_bytes(self.capture, component)
        if measured is not None:
            return measured, "Go, by its heap profile"
        if self.is_miniet and payload:
            return payload, "payload in Python, its overhead not counted"
        band = go_bytes(self.prediction, component)
        if band is None:
            return payload, "payload"
        whose = "what a Go etcd would hold" if self.is_miniet else "Go"
        return band.likely, f"{whose}, predicted"
