"""Turning expired leases into revokes, a bounded number at a time."""

from collections import deque
from typing import Final

from miniet.engine.proposals import Proposals
from miniet.engine.requests import LeaseRevokeRequest
from miniet.engine.results import ApplyResult, LeaseRevokeResult
from miniet.errors import RequestError
from miniet.lease import LeaseNotFoundError, Lessor

REVOKES_IN_FLIGHT_MAX: Final = 16


class LeaseExpiry:
    """Proposes a revoke for each expired lease.

    What is not through after the lessor's retry interval comes up there again, so
    nothing is kept here for good.
    """

    def __init__(self, lessor: Lessor, proposals: Proposals) -> None:
        self._lessor = lessor
        self._proposals = proposals
        self._waiting: deque[int] = deque()
        self._in_flight = 0

    def step(self) -> None:
        """Take the leases that have expired; call it every 500 ms."""
        self._waiting.extend(self._lessor.take_expired())
        self._propose()

    def reset(self) -> None:
        """Forget what waits."""
        self._waiting.clear()

    def _propose(self) -> None:
        while self._waiting and self._in_flight < REVOKES_IN_FLIGHT_MAX:
            self._in_flight += 1
            request = LeaseRevokeRequest(self._waiting.popleft())
            self._proposals.propose_own(request, self._done)

    def _done(self, outcome: ApplyResult | RequestError) -> None:
        self._in_flight -= 1
        if isinstance(outcome, LeaseRevokeResult | LeaseNotFoundError):
            self._propose()
        else:
            # What refused this one (a stop, a full log) would refuse the rest, one
            # inside the other. They come up again.
            self._waiting.clear()
