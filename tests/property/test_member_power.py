"""A member on real files, log and backend together: the power goes at any write."""

import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

from google.protobuf.message import Message
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule

from miniet.clock import ManualClock
from miniet.engine.requests import RequestKind
from miniet.pb import rpc_pb2
from miniet.server.bootstrap import build_member
from miniet.server.config import Config
from miniet.server.recorders import Durations
from tests.property.machines import effort
from tests.property.requests import (
    WRITES,
    Write,
    ask,
    passes_the_api,
    reconcile,
    state_of,
    state_of_model,
)
from tests.support.crash_files import Disk, PowerFailure
from tests.support.driven_member import DrivenMember
from tests.support.model import Model
from tests.support.small_segments import small_segments

SEGMENT_BYTES = 4096
SETTINGS: dict[str, Any] = {"snapshot_count": 12, "snapshot_catchup_entries": 3}
SEEDS = st.integers(0, 2**32 - 1)
CALLS = st.sampled_from([None, None, *range(12), 16, 20, 25, 30])


class PoweredMember(DrivenMember):
    """A member whose every commit is told to the disk."""

    def __init__(self, disk: Disk) -> None:
        self.built = build_member(
            Config(**SETTINGS),
            str(disk.root / "data"),
            (),
            ManualClock(),
            Random(0),
            Durations(),
        )
        super().__init__(self.built, sync=True)
        save = self.backend.before_commit
        assert save is not None

        def before_commit() -> None:
            disk.call()
            save()

        self.backend.before_commit = before_commit
        self.engine.campaign_soon()
        self.run()
        assert self.engine.is_serving

    def run(self) -> None:
        while self.turn():
            pass

    def ask(self, kind: RequestKind, message: Message) -> list[Any]:
        answers: list[Any] = []
        self.engine.propose(kind, message.SerializeToString(), answers.append)
        return answers


class MemberMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.base = Path(tempfile.mkdtemp(prefix="miniet-test-"))
        self.failures = 0
        self.model = Model()
        # The requests before the last failure, and what was answered.
        self.writes: list[Write] = []
        self.asked: list[list[Any]] = []
        self.member: PoweredMember | None = None
        (self.base / "0" / "data").mkdir(parents=True)
        self.disk = Disk(self.base / "0")

    def teardown(self) -> None:
        if self.member is not None:
            self.member.built.close(commit=False)
        self.disk.close()
        shutil.rmtree(self.base)

    def call(self, calls_left: int | None, seed: int, act: Callable[[], None]) -> None:
        """Do something; the power goes before one of its calls, or after it."""
        try:
            with small_segments(SEGMENT_BYTES), self.disk.watched():
                if self.member is None:
                    self.start()
                self.disk.calls_left = calls_left
                act()
        except PowerFailure:
            pass
        if calls_left is not None:
            self.lose_power(seed)

    def start(self) -> None:
        """Start on what is there, and hold it to what was answered."""
        self.member = PoweredMember(self.disk)
        self.member.backend._check()
        self.member.engine.store._check()
        self.member.engine.lessor._check()
        reconcile(self.model, self.member, self.writes, self.asked)
        self.writes, self.asked = [], []

    def lose_power(self, seed: int) -> None:
        self.failures += 1
        root = self.disk.left(self.base / str(self.failures), Random(seed))
        if self.member is not None:
            self.member.built.close(commit=False)
            self.member = None
        self.disk.close()
        shutil.rmtree(self.disk.root)
        self.disk = Disk(root)

    @rule(writes=st.lists(WRITES, min_size=1, max_size=6), calls_left=CALLS, seed=SEEDS)
    def write(self, writes: list[Write], calls_left: int | None, seed: int) -> None:
        def act() -> None:
            assert self.member is not None
            for write in filter(passes_the_api, writes):
                self.writes.append(write)
                self.asked.append(ask(self.member, write))
                self.member.run()
            if calls_left is None:
                reconcile(self.model, self.member, self.writes, self.asked)
                self.writes, self.asked = [], []

        self.call(calls_left, seed, act)

    @rule(back=st.integers(0, 4), calls_left=CALLS, seed=SEEDS)
    def compact(self, back: int, calls_left: int | None, seed: int) -> None:
        """A compaction is accepted before the power goes: by then it is committed."""

        def act() -> None:
            assert self.member is not None
            revision = self.model.revision - back
            if revision <= self.model.compact_revision:
                return
            self.disk.calls_left = None
            request = rpc_pb2.CompactionRequest(revision=revision)
            self.member.ask(RequestKind.COMPACTION, request)
            self.member.run()
            self.model.compact(revision)
            self.disk.calls_left = calls_left
            while self.member.engine.step_compaction():
                pass

        self.call(calls_left, seed, act)

    @rule(calls_left=CALLS, seed=SEEDS)
    def commit(self, calls_left: int | None, seed: int) -> None:
        def act() -> None:
            assert self.member is not None
            self.member.backend.commit()

        self.call(calls_left, seed, act)

    @rule(calls_left=CALLS, seed=SEEDS)
    def start_again(self, calls_left: int | None, seed: int) -> None:
        def act() -> None:
            assert self.member is not None
            before = state_of(self.member)
            self.member.built.close(commit=True)
            self.member = None
            self.start()
            assert self.member is not None
            assert state_of(self.member) == before == state_of_model(self.model)

        self.call(calls_left, seed, act)


TestMember = MemberMachine.TestCase
TestMember.settings = effort(25, 10)
