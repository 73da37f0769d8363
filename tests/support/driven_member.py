"""A member on real files, driven turn by turn without a loop or a thread."""

import random
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from google.protobuf.message import Message

from miniet.clock import SystemClock
from miniet.engine.requests import RequestKind
from miniet.errors import RequestError
from miniet.server.bootstrap import BuiltMember, build_member
from miniet.server.config import Config
from miniet.server.recorders import Durations


class DrivenMember:
    """Does what the driver does, in its order.

    sync: wait for the disk where the driver does.
    """

    def __init__(self, member: BuiltMember, *, sync: bool = False) -> None:
        self._sync = sync
        self.engine = member.engine
        self.backend = member.backend
        self.log = member.log
        self._answered = 0

    def turn(self) -> bool:
        """Do one turn; tell whether there was anything to do but to compact."""
        engine, log = self.engine, self.log
        ready = engine.ready()
        if ready is not None:
            log.append(ready.hard_state, ready.entries)
            log.flush(self._sync and ready.must_sync)
            engine.apply(ready)
            engine.persisted(ready)
        if engine.is_snapshot_due:
            snapshot = engine.make_snapshot()
            log.save_snapshot(snapshot)
            engine.snapshot_saved(snapshot)
        while engine.step_compaction():
            pass
        return ready is not None

    def propose_all(self, kind: RequestKind, messages: list[Message]) -> None:
        """Put requests into the log together and run until all have succeeded."""
        self._answered = 0
        for message in messages:
            self.engine.propose(kind, message.SerializeToString(), self._take)
        while self._answered < len(messages):
            self.turn()
        self.engine.tick()

    def _take(self, outcome: Any) -> None:
        assert not isinstance(outcome, RequestError)
        self._answered += 1


@contextmanager
def driven_member(data_dir: Path, **settings: Any) -> Iterator[DrivenMember]:
    """Start a member alone on `data_dir`, with fields of `Config`."""
    config = Config(**settings)
    built = build_member(
        config,
        str(data_dir),
        config.client_urls,
        SystemClock(),
        random.Random(1),
        Durations(),
    )
    with closing(built):
        member = DrivenMember(built)
        member.engine.campaign_soon()
        while not member.engine.is_serving:
            member.turn()
        yield member
