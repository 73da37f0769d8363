"""Requests on their way through the log, and who waits for them."""

from dataclasses import dataclass

from miniet.clock import Clock
from miniet.engine.errors import RequestTooLargeError, StoppedError
from miniet.engine.request_ids import RequestIds
from miniet.engine.requests import (
    OwnRequest,
    Request,
    RequestKind,
    decode,
    encode,
    encode_body,
)
from miniet.engine.results import ApplyResult
from miniet.engine.waiters import Answer, Waiters, ignore
from miniet.errors import DataError, RequestError
from miniet.raft import ConfChange, Entry, RawNode


@dataclass(slots=True)
class Proposal:
    """One request on its way to raft.

    data: of its entry.
    request: `data` decoded, if it was; else None.
    """

    data: bytes
    request_id: int
    request: Request | None

    def __init__(self, data: bytes, request_id: int, request: Request | None) -> None:
        self.data = data
        self.request_id = request_id
        self.request = request


class Proposals:
    """Gives requests to raft, and their outcomes to whoever asked.

    What comes in between two turns goes to raft as one batch.

    Memory: per request in flight an entry in `Waiters`, and the request as it was
        decoded when it came: its key and value, beside those in the log.
    """

    def __init__(
        self,
        raft: RawNode,
        request_ids: RequestIds,
        clock: Clock,
        *,
        timeout_s: float,
        request_bytes_max: int,
    ) -> None:
        self._raft = raft
        self._ids = request_ids
        self._clock = clock
        self._request_bytes_max = request_bytes_max
        self._waiters = Waiters(timeout_s)
        self._batch: list[Proposal] = []  # raft has not got them
        # Those that raft has, by the index each was given.
        self._decoded: dict[int, Proposal] = {}
        self._stopped = False
        self.failed_total = 0
        """Requests refused before the log or timed out."""

    @property
    def pending_count(self) -> int:
        """Requests that wait for their outcome."""
        return len(self._waiters)

    def propose(
        self,
        kind: RequestKind,
        body: bytes,
        answer: Answer,
        request: Request | None = None,
    ) -> None:
        """Put a request into the log; see `Engine.propose`."""
        try:
            if self._stopped:
                raise StoppedError
            request_id = self._ids.next()
            data = encode(kind, request_id, body)
            if len(data) > self._request_bytes_max:
                raise RequestTooLargeError(len(data), self._request_bytes_max)
        except RequestError as error:
            self.refuse(error, answer)
        else:
            self._batch.append(Proposal(data, request_id, request))
            self._waiters.add(request_id, answer, self._clock.monotonic_s())

    def hand_over(self) -> None:
        """Give raft what came in since the last turn; it takes all, or nothing."""
        batch, self._batch = self._batch, []
        if not batch:
            return
        try:
            first_index = self._raft.propose(*[each.data for each in batch])
        except RequestError as error:
            self.failed_total += len(batch)
            for proposal in batch:
                self.resolve(proposal.request_id, error)
            return
        for index, proposal in enumerate(batch, first_index):
            if proposal.request is not None:
                self._decoded[index] = proposal

    def decode(self, entry: Entry) -> tuple[int, Request]:
        """Return (request id, request) of an entry that is to be applied.

        What this member proposed itself was decoded then, if its entry is that one.

        Raises:
            DataError: it holds no request that miniet knows.
        """
        own = self._decoded.pop(entry.index, None)
        if own is not None and own.request is not None and own.data == entry.data:
            return own.request_id, own.request
        try:
            return decode(entry.data)
        except ValueError as error:
            raise DataError(
                f"entry {entry.index} of the log: {error}",
                remedy="the log was written by another version; use that one",
            ) from error

    def propose_own(self, request: OwnRequest, answer: Answer = ignore) -> None:
        """Put a request of this member's own making into the log."""
        self.propose(*encode_body(request), answer=answer)

    def propose_conf_change(self, change: ConfChange, answer: Answer) -> None:
        """Put a change of membership into the log; its id must be a request id."""
        try:
            if self._stopped:
                raise StoppedError
            self.hand_over()
            self._raft.propose_conf_change(change)
        except RequestError as error:
            self.refuse(error, answer)
        else:
            self._waiters.add(change.id, answer, self._clock.monotonic_s())

    def refuse(self, error: RequestError, answer: Answer) -> None:
        """Turn a request away before the log."""
        self.failed_total += 1
        answer(error)

    def resolve(self, request_id: int, outcome: ApplyResult | RequestError) -> None:
        """Give the outcome of an applied entry to whoever waits for it, if anyone."""
        self._waiters.resolve(request_id, outcome)

    def take(self, request_id: int) -> Answer:
        """Leave the answer of an applied entry to the caller, without a deadline."""
        return self._waiters.take(request_id)

    def expire(self) -> None:
        """Answer those who have waited too long."""
        self.failed_total += self._waiters.expire(self._clock.monotonic_s())

    def stop(self) -> None:
        """Answer everyone, now and from now on: the server is going away."""
        self._stopped = True
        self._batch.clear()
        self._waiters.stop()
