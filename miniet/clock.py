"""Time as an argument: the core asks a `Clock`, never the machine."""

import time
from typing import Protocol


class Clock(Protocol):
    """Two readings, both in seconds."""

    def monotonic_s(self) -> float:
        """Return seconds since some fixed moment; never goes back."""
        ...

    def unix_s(self) -> float:
        """Return seconds since 1970 UTC; may jump when the machine's clock is set."""
        ...


class SystemClock:
    """The machine's clocks."""

    monotonic_s = staticmethod(time.monotonic)
    unix_s = staticmethod(time.time)


class ManualClock:
    """A clock that stands still until it is moved; for tests and simulation."""

    def __init__(self, monotonic_s: float = 0.0, unix_s: float = 1_600_000_000.0):
        self._monotonic_s = monotonic_s
        self._unix_s = unix_s

    def advance(self, seconds: float) -> None:
        """Move both readings forward by `seconds` (0 or more)."""
        if seconds < 0:
            raise ValueError(f"a clock does not go back: {seconds}")
        self._monotonic_s += seconds
        self._unix_s += seconds

    def monotonic_s(self) -> float:
        return self._monotonic_s

    def unix_s(self) -> float:
        return self._unix_s
