"""Clients with a plan of their own, who remember what they asked and heard."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from random import Random
from typing import Any

from miniet.pb import rpc_pb2
from tests.simulation.calls import (
    LEASE,
    REFUSALS,
    Call,
    Compact,
    Defragment,
    Grant,
    Read,
    Renew,
    Revoke,
    TimeToLive,
    heard,
    request_of,
)
from tests.simulation.network import (
    Connection,
    LostError,
    RefusedError,
    UnreachableError,
)
from tests.support.linearizability import Operation
from tests.support.model_api import (
    Compare,
    CompareTarget,
    DeleteRange,
    Put,
    Range,
    Refusal,
    Txn,
)

KEYS = [b"key/%d" % number for number in range(8)]
EVERY_KEY = Range(b"key/", b"key0")

_NOT_ANSWERED = (
    "etcdserver: request timed out",
    "etcdserver: server stopped",
    "not a primary lessor",
)
"""Refusals after which the call may still take effect, or says nothing."""


@dataclass
class Seen:
    """What all clients of a run share: to have something to ask about.

    revision: the newest one that any of them has heard of.
    answered: set whenever one of them hears an answer.
    """

    revision: int = 1
    answered: asyncio.Event = field(default_factory=asyncio.Event)
    leases: list[int] = field(default_factory=list)
    next_lease_id: int = 1000
    mod_revisions: dict[bytes, int] = field(default_factory=dict)


class Client:
    """Makes one call after the other and records each.

    history: where all operations of the run go.
    on_event: told what was asked and heard, for the trace.
    """

    def __init__(
        self,
        name: str,
        connection: Connection,
        random: Random,
        seen: Seen,
        history: list[Operation],
        on_event: Callable[[str], None],
    ) -> None:
        self.name = name
        self.connection = connection
        self._random = random
        self._seen = seen
        self._history = history
        self._on_event = on_event
        self._loop = asyncio.get_running_loop()
        self._values = 0
        self.bugs: list[str] = []
        """What it heard that no fault excuses."""

    async def run(self, calls: int, pause_s: float, seconds_max: float) -> None:
        """Make so many calls, or as many as there is time for."""
        until_s = self._loop.time() + seconds_max
        while calls and self._loop.time() < until_s:
            await asyncio.sleep(self._random.expovariate(1 / pause_s))
            if await self.ask(self._next_call()) is UnreachableError:
                await asyncio.sleep(self._random.uniform(0.01, 0.3))
            else:
                calls -= 1

    async def ask(self, call: Call, seconds_max: float | None = None) -> Any:
        """Make one call and record it; return what was heard, or why nothing was."""
        begun_s = self._loop.time()
        seconds_max = seconds_max or self._random.choice((0.5, 10.0, 10.0, 30.0))
        try:
            async with asyncio.timeout(seconds_max):
                answer = await self._answer(call)
        except UnreachableError:
            return UnreachableError
        except asyncio.CancelledError:
            self._record(Operation(self.name, call, begun_s))
            raise
        except (LostError, TimeoutError) as error:
            self._record(Operation(self.name, call, begun_s))
            return type(error)
        except RefusedError as error:
            text = error.status.message
            refusal = REFUSALS.get(text)
            if refusal is None:
                # A full disk may be in the way of a copy of the backend.
                if text not in _NOT_ANSWERED and not isinstance(call, Defragment):
                    self.bugs.append(f"{self.name}: {call} was refused: {text}")
                self._record(Operation(self.name, call, begun_s))
                return LostError
            answer = refusal
        if isinstance(call, Grant) and not isinstance(answer, Refusal):
            call = replace(call, lease_id=answer[1])
            self._seen.leases = [*self._seen.leases[-5:], answer[1]]
        self._record(Operation(self.name, call, begun_s, self._loop.time(), answer))
        self._learn(call, answer)
        return answer

    def _record(self, operation: Operation) -> None:
        self._on_event(f"{operation.call} -> {operation.answer}")
        call = operation.call
        if not operation.is_answered:
            # A question without an answer says nothing; nobody knows this lease.
            if isinstance(call, Read | Renew | TimeToLive | Defragment):
                return
            if isinstance(call, Grant) and not call.lease_id:
                return
        if not isinstance(call, Defragment):
            self._history.append(operation)

    def _learn(self, call: Call, answer: Any) -> None:
        self._seen.answered.set()
        if isinstance(answer, tuple) and isinstance(answer[0], int):
            self._seen.revision = max(self._seen.revision, answer[0])
        if isinstance(call, Read) and isinstance(answer, tuple):
            for key, _, _, mod_revision, _, _ in answer[1]:
                self._seen.mod_revisions[key] = mod_revision

    async def _answer(self, call: Call) -> Any:
        if isinstance(call, Renew):
            return await self._renew(call)
        path, request = request_of(call)
        return heard(call, await self.connection.call(path, request))

    async def _renew(self, call: Renew) -> int:
        stream = await self.connection.open(f"{LEASE}/LeaseKeepAlive", window=1)
        try:
            stream.send(rpc_pb2.LeaseKeepAliveRequest(ID=call.lease_id))
            response = await stream.receive()
        finally:
            stream.close()
        return rpc_pb2.LeaseKeepAliveResponse.FromString(response).TTL

    # ---- the plan

    def _next_call(self) -> Call:
        kinds = (
            (self._put, 28),
            (self._delete, 6),
            (self._swap, 12),
            (self._move, 8),
            (self._read, 14),
            (self._read_serializable, 6),
            (self._read_old, 8),
            (self._grant, 5),
            (self._renew_lease, 5),
            (self._revoke, 2),
            (self._time_to_live, 3),
            (self._compact, 2),
            (self._defragment, 1),
        )
        [kind] = self._random.choices(
            [kind for kind, _ in kinds], [weight for _, weight in kinds]
        )
        return kind()

    def _key(self) -> bytes:
        return self._random.choice(KEYS)

    def _value(self) -> bytes:
        """A value that no other call has, of some bytes to some sectors."""
        self._values += 1
        size = self._random.choice((0, 0, 0, 100, 700, 3000))
        return b"%s.%d" % (self.name.encode(), self._values) + b"." * size

    def _lease(self) -> int:
        leases = self._seen.leases
        return self._random.choice(leases) if leases else 0

    def _put(self) -> Call:
        lease = self._lease() if self._random.random() < 0.3 else 0
        return Put(self._key(), self._value(), lease, self._random.random() < 0.3)

    def _delete(self) -> Call:
        if self._random.random() < 0.2:
            first, last = sorted(self._random.sample(KEYS, 2))
            return DeleteRange(first, last, prev_kv=True)
        return DeleteRange(self._key(), prev_kv=self._random.random() < 0.5)

    def _swap(self) -> Call:
        """Compare and swap, on what somebody has seen of the key."""
        key = self._key()
        known = self._seen.mod_revisions.get(key, 0)
        return Txn(
            (Compare(key, target=CompareTarget.MOD, operand=known),),
            (Put(key, self._value()),),
            (Range(key),),
        )

    def _move(self) -> Call:
        """Change several keys at once, or nothing."""
        first, second, third = self._random.sample(KEYS, 3)
        return Txn(
            (Compare(first, result=1, target=CompareTarget.VERSION, operand=0),),
            (
                Put(second, self._value(), prev_kv=True),
                DeleteRange(first, prev_kv=True),
                Put(third, self._value(), self._lease()),
                EVERY_KEY,
            ),
            (Put(first, self._value()), EVERY_KEY),
        )

    def _read(self) -> Call:
        return Read(self._random.choice((EVERY_KEY, Range(self._key()))))

    def _read_serializable(self) -> Call:
        return Read(self._random.choice((EVERY_KEY, Range(self._key()))), True)

    def _read_old(self) -> Call:
        revision = max(1, self._seen.revision - int(self._random.expovariate(0.1)))
        return Read(
            replace(EVERY_KEY, revision=revision, limit=self._random.choice((0, 0, 2))),
            self._random.random() < 0.3,
        )

    def _grant(self) -> Call:
        lease_id = 0
        if self._random.random() < 0.8:
            self._seen.next_lease_id += 1
            lease_id = self._seen.next_lease_id
        return Grant(lease_id, self._random.choice((1, 2, 3, 5, 10)))

    def _renew_lease(self) -> Call:
        return Renew(self._lease())

    def _revoke(self) -> Call:
        return Revoke(self._lease())

    def _time_to_live(self) -> Call:
        return TimeToLive(self._lease())

    def _compact(self) -> Call:
        back = int(self._random.expovariate(0.05))
        return Compact(max(1, self._seen.revision - back), self._random.random() < 0.3)

    def _defragment(self) -> Call:
        return Defragment()
