"""Leaving out commands while the rest still shows what is wrong."""

import time
from collections.abc import Callable, Sequence

from tests.conformance.api.commands import Command

SECONDS_MAX = 90.0


def shrink(
    commands: Sequence[Command],
    fails: Callable[[Sequence[Command]], object],
    seconds_max: float = SECONDS_MAX,
) -> list[Command] | None:
    """Find few of the commands that still fail; None if all of them together do not.

    Halves are left out first, then ever smaller parts. What is found when the time
    is up is good enough.
    """
    if not fails(commands):
        return None
    end_s = time.monotonic() + seconds_max
    kept = list(commands)
    size = max(len(kept) // 2, 1)
    while time.monotonic() < end_s:
        left_out = False
        # From the end: what follows the difference is not needed.
        for begin in range((len(kept) - 1) // size * size, -1, -size):
            rest = kept[:begin] + kept[begin + size :]
            if rest and time.monotonic() < end_s and fails(rest):
                kept, left_out = rest, True
        if size == 1 and not left_out:
            break
        if not left_out:
            size = max(size // 2, 1)
    return kept
