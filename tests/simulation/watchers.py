"""Clients that watch, lose their connection, and go on where they were."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random

from miniet.pb import rpc_pb2
from tests.simulation.calls import heard_event
from tests.simulation.clients import KEYS, Seen
from tests.simulation.network import (
    Connection,
    LostError,
    StreamCall,
    UnreachableError,
)
from tests.support.model_api import Change, Watch

EVERYTHING = Watch(b"\0", b"\0", 1)


@dataclass
class Session:
    """One watcher on one stream, as its client saw it.

    watch: what was asked; a start of 0 is resolved.
    changes: what was delivered, in order.
    reached: every change up to this revision has been delivered, the server says.
    compacted: the revision below which everything is gone, if that ended it.
    """

    watch: Watch
    changes: list[Change] = field(default_factory=list)
    reached: int = 0
    compacted: int = 0

    @property
    def next_revision(self) -> int:
        """Where the next session has to begin."""
        # What is compacted may be incomplete below and at the revision.
        return max(self.watch.start_revision, self.reached + 1, self.compacted)


class WatchClient:
    """Follows a range for the whole run.

    is_slow: reads its responses with long pauses, and few at a time.
    bugs: what it heard that no fault excuses.
    """

    def __init__(
        self,
        name: str,
        watch: Watch,
        connection: Connection,
        random: Random,
        seen: Seen,
        *,
        is_slow: bool,
        on_event: Callable[[str], None],
    ) -> None:
        self.name = name
        self.connection = connection
        self.sessions: list[Session] = []
        self.bugs: list[str] = []
        self._watch = watch
        self._random = random
        self._seen = seen
        self.is_slow = is_slow
        self._on_event = on_event

    async def run(self) -> None:
        """Watch, and watch again from where the stream broke."""
        start = self._watch.start_revision
        while True:
            try:
                stream = await self.connection.open(
                    "/etcdserverpb.Watch/Watch", window=1 if self.is_slow else 100
                )
            except UnreachableError:
                await asyncio.sleep(self._random.uniform(0.05, 0.3))
                continue
            try:
                await self._session(stream, start)
            except LostError:
                pass
            finally:
                stream.close()
            if self.sessions:
                start = self.sessions[-1].next_revision
            self._on_event(f"goes on at {start}")

    async def _session(self, stream: StreamCall, start: int) -> None:
        request = rpc_pb2.WatchRequest()
        create = request.create_request
        create.key, create.range_end = self._watch.key, self._watch.range_end
        create.start_revision = start
        create.progress_notify = True
        if self._watch.no_put:
            create.filters.append(rpc_pb2.WatchCreateRequest.NOPUT)
        if self._watch.no_delete:
            create.filters.append(rpc_pb2.WatchCreateRequest.NODELETE)
        stream.send(request)
        session: Session | None = None
        while session is None or not session.compacted:
            if self.is_slow:
                await asyncio.sleep(self._random.uniform(0.0, 0.4))
            if self._random.random() < 0.1:
                stream.send(
                    rpc_pb2.WatchRequest(
                        progress_request=rpc_pb2.WatchProgressRequest()
                    )
                )
            response = rpc_pb2.WatchResponse.FromString(await stream.receive())
            if session is None:
                self._expect(response.created, f"not created: {response}")
                begin = start or response.header.revision + 1
                session = Session(
                    Watch(
                        self._watch.key,
                        self._watch.range_end,
                        begin,
                        self._watch.no_put,
                        self._watch.no_delete,
                    ),
                    reached=begin - 1,
                )
                self.sessions.append(session)
            else:
                self._take(session, response)

    def _take(self, session: Session, response: rpc_pb2.WatchResponse) -> None:
        if response.canceled:
            self._on_event(f"compacted at {response.compact_revision}")
            self._expect(response.compact_revision > 0, f"canceled: {response}")
            session.compacted = response.compact_revision
            return
        changes = [heard_event(event) for event in response.events]
        for change in changes:
            self._expect(
                change.revision > session.reached,
                f"revision {change.revision} after {session.reached} was reached",
            )
        session.changes += changes
        if changes:
            # All changes of one revision come in one response.
            session.reached = changes[-1].revision
            self._seen.revision = max(self._seen.revision, session.reached)
            self._on_event(f"hears {[c.revision for c in changes]}")
        elif response.header.revision >= session.watch.start_revision:
            session.reached = max(session.reached, response.header.revision)

    def _expect(self, claim: bool, text: str) -> None:
        if not claim:
            self.bugs.append(f"{self.name}: {text}")


def random_watch(random: Random) -> Watch:
    """Choose what a client follows."""
    kind = random.randrange(4)
    if kind == 0:
        return Watch(random.choice(KEYS), start_revision=0)
    if kind == 1:
        first, last = sorted(random.sample(KEYS, 2))
        return Watch(first, last, 1)
    return Watch(b"\0", b"\0", random.choice((0, 1)), no_put=kind == 2)
