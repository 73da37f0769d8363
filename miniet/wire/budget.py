"""`Budget`: how often a client may do what costs the server and helps nobody."""


class Budget:
    """A bucket of tokens that fills again as time goes by.

    The clock is the caller's: seconds of any origin that never go back.
    """

    __slots__ = ("_burst", "_filled_s", "_per_s", "_tokens")

    def __init__(self, burst: float, per_s: float) -> None:
        self._burst = self._tokens = burst
        self._per_s = per_s
        self._filled_s: float | None = None

    def earn(self, count: float) -> None:
        """Put back tokens, as far as there is room for them."""
        self._tokens = min(self._burst, self._tokens + count)

    def spend(self, now_s: float) -> bool:
        """Take one token; False if there was none."""
        if self._filled_s is not None:
            earned = (now_s - self._filled_s) * self._per_s
            self._tokens = min(self._burst, self._tokens + earned)
        self._filled_s = now_s
        self._tokens -= 1
        return self._tokens >= 0
