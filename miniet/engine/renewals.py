"""Keeping leases alive, and what a renewal that comes too late must wait for."""

from collections.abc import Callable

from miniet.engine.errors import StoppedError
from miniet.engine.proposals import Proposals
from miniet.engine.requests import LeaseCheckpointRequest
from miniet.engine.results import ApplyResult
from miniet.errors import RequestError
from miniet.lease import LeaseExpiredError, Lessor, NotPrimaryError

RenewAnswer = Callable[[int | RequestError], None]
"""Called once: with the TTL granted, 0 for a lease that is gone, or why not."""


class Renewals:
    """Renews leases on the leader, without the log.

    Memory: an entry per renewal that waits for the end of its lease.
    """

    def __init__(self, lessor: Lessor, proposals: Proposals) -> None:
        self._lessor = lessor
        self._proposals = proposals
        self._waiting: dict[int, list[RenewAnswer]] = {}
        self._stopped = False

    def renew(self, lease_id: int, answer: RenewAnswer) -> None:
        """Renew a lease; see `Engine.renew`."""
        if self._stopped:
            answer(StoppedError())
        elif self._lessor.lookup(lease_id) is None:
            answer(0)
        elif self._lessor.needs_checkpoint_reset(lease_id):
            # Else the renewal would grant only what the checkpoint left.
            self._proposals.propose_own(
                LeaseCheckpointRequest([(lease_id, 0)]),
                lambda outcome: self._renew_after_reset(lease_id, outcome, answer),
            )
        else:
            self._renew_now(lease_id, answer)

    def _renew_after_reset(
        self, lease_id: int, outcome: ApplyResult | RequestError, answer: RenewAnswer
    ) -> None:
        if isinstance(outcome, RequestError):
            answer(outcome)
        else:
            self.renew(lease_id, answer)

    def _renew_now(self, lease_id: int, answer: RenewAnswer) -> None:
        try:
            answer(self._lessor.renew(lease_id))
        except LeaseExpiredError:
            # The client is to find the keys gone when it hears of the end.
            self._waiting.setdefault(lease_id, []).append(answer)
        except NotPrimaryError as error:
            answer(error)

    def revoked(self, lease_id: int) -> None:
        """Answer those who waited for this lease's end, if it has come."""
        if self._lessor.lookup(lease_id) is None:
            for answer in self._waiting.pop(lease_id, ()):
                answer(0)

    def reset(self) -> None:
        """Answer everyone: no lease is left."""
        for lease_id in list(self._waiting):
            self.revoked(lease_id)

    def stop(self) -> None:
        """Answer everyone: the server is going away."""
        self._stopped = True
        waiting, self._waiting = self._waiting, {}
        for answers in waiting.values():
            for answer in answers:
                answer(StoppedError())
