"""Two servers in lockstep: each command to both, and all that they say compared."""

import queue
import re
import time
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from itertools import zip_longest
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from miniet.pb import rpc_pb2
from tests.conformance.api.commands import Command
from tests.conformance.api.counts import Counts
from tests.conformance.api.releases import Release
from tests.conformance.api.sequences import (
    CHOSEN_LEASE,
    LEASES,
    MARKER,
    REQUEST_BYTES_MAX,
    CommandSource,
    Known,
)
from tests.conformance.api.side import Side, Story
from tests.conformance.api.targets import FAST_ELECTION, Target, running
from tests.support.api_client import CallRefused, Refusal

FLAGS = (*FAST_ELECTION, f"--max-request-bytes={REQUEST_BYTES_MAX}")

# A compaction runs on beside the calls, and while it does HashKV may see more
# records than it will later, on either server.
_SETTLE_SECONDS_MAX = 5.0
_ASKED_AGAIN = ("HashKV", "Status")
"""What shows how far work is that goes on behind an answer: a compaction; and etcd
answers a write before it stores the applied index that Status tells."""

# Few enough that no stream's buffer of 128 responses fills up meanwhile.
_COMMANDS_PER_READING = 10

_LONG = re.compile(r"((?:\\\d{3}|[^\"\\]){40})(?:\\\d{3}|[^\"\\]){1000,}([^\"]{8}\")")

_EVERYTHING = {"key": b"\x00", "range_end": b"\x00"}


class ServersDiffer(AssertionError):
    """Two servers did not answer alike."""


class Pair:
    """A miniet and an etcd that hold the same, started when the block begins.

    Sequences follow each other on it: `begin` empties both servers, which go on from
    the revision at which they are.
    """

    def __init__(self, release: Release, miniet: str, directory: Path) -> None:
        self._release = release
        self._kinds = (miniet, release.kind)
        self._directory = directory
        self._running = ExitStack()
        self._known = Known()
        self._alarms: set[tuple[int, int]] = set()
        # Streams with watchers that began in the past and may not have been told.
        self._behind: set[int] = set()
        # Whether they are told before the next command is done.
        self._waits = True
        self.counts = Counts()
        # Of the sequence so far, so that it can be done again.
        self.done: list[Command] = []

    def __enter__(self) -> Self:
        try:
            self._sides = [Side(target, self._release) for target in self._start()]
        except BaseException:
            self._running.close()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._running.close()

    def _start(self) -> list[Target]:
        return [
            self._running.enter_context(
                running(kind, self._directory, *FLAGS, binary=self._release.binary)
            )
            for kind in self._kinds
        ]

    @property
    def targets(self) -> list[Target]:
        """The two servers, miniet first."""
        return [side.target for side in self._sides]

    # Sequences

    def run(self, seed: int, command_count: int, *, restarts: bool) -> None:
        """Do the commands of a seed, and compare all that the servers remember.

        Args:
            restarts: stop and start both in the middle; miniet must be on disk.
        Raises:
            ServersDiffer: says how; `done` is what led there.
        """
        source = CommandSource(seed, self._release, restarts=restarts)
        self.begin()
        for count in range(command_count):
            if restarts and count == command_count // 2:
                self.do(Command("Restart", rpc_pb2.StatusRequest()))
            self.do(source.next(self._known))
        self.end()

    def run_script(self, commands: Iterable[Command]) -> None:
        """Do these commands, and compare all that the servers remember.

        Raises:
            ServersDiffer.
        """
        self.begin()
        for command in commands:
            self.do(command)
        self.end()

    def begin(self) -> None:
        """Empty both servers; those that were just started are."""
        if self.counts.sequences:
            self._empty()
        self.counts.sequences += 1
        self.done = []
        self._waits = True
        self._known.first_revision = self._known.revision

    def do(self, command: Command) -> None:
        """Do one command on both.

        Raises:
            ServersDiffer.
        """
        self.done.append(command)
        self.counts.commands += 1
        if command.name == "DoNotWait":
            self._waits = False
            return
        if command.name == "Watch":
            self._watch(command)
            return
        # A watcher that is behind may hear of a compaction, or may not; and an alarm
        # refuses the put that shows when all have been told.
        if self._waits or command.name in ("Compact", "Alarm"):
            self._hear_of_the_past()
        if command.name == "CloseStream":
            self._close(command.stream)
        elif command.name == "Restart":
            self._restart()
        elif command.name == "Snapshot":
            self.compare_kept()
        else:
            self._call(command)
        if len(self.done) % _COMMANDS_PER_READING == 0 and not self._alarms:
            self._read_streams(self._known.watch_ids)

    def end(self) -> None:
        """Compare all that watchers were told, and the whole history that is left."""
        self._lift_alarms()
        self._read_streams(self._known.watch_ids)
        self.compare_history()
        # Once more as a watcher is told of it. (While a compaction runs, the deletes
        # at its revision may be gone, or not yet.)
        start = max(self._known.compact_revision + self._known.is_compacting, 1)
        create = rpc_pb2.WatchCreateRequest(
            **_EVERYTHING, start_revision=start, prev_kv=True
        )
        self._watch(Command("Watch", rpc_pb2.WatchRequest(create_request=create), 0))
        self._hear_of_the_past()

    def compare_history(self) -> None:
        """Compare every revision as the servers read, hash and remember it.

        Raises:
            ServersDiffer.
        """
        first = max(self._known.compact_revision - 1, 1)
        for revision in range(first, self._known.revision + 2):
            self._read("Range", **_EVERYTHING, revision=revision)
            self._read("HashKV", revision=revision)
        for name in ("HashKV", "LeaseLeases", "Status", "Alarm"):
            self._read(name)
        for lease_id in (*LEASES, CHOSEN_LEASE):
            self._read("LeaseTimeToLive", ID=lease_id, keys=True)

    def compare_kept(self) -> None:
        """Compare what snapshots of the two hold, record by record.

        Raises:
            ServersDiffer.
        """
        self.counts.calls["Snapshot"] += 1
        deadline_s = time.monotonic() + _SETTLE_SECONDS_MAX
        while True:
            left, right = (side.kept() for side in self._sides)
            if left == right:
                return
            if time.monotonic() > deadline_s:
                break
        for bucket in left:
            pairs = zip_longest(left[bucket], right[bucket])
            for one, other in pairs:
                if one != other:
                    self._fail(f"bucket {bucket} of a snapshot", one, other)

    def _empty(self) -> None:
        self._lift_alarms()
        for stream in list(self._known.watch_ids):
            self._close(stream)
        self._read("DeleteRange", **_EVERYTHING)
        for lease in self._read("LeaseLeases").leases:
            self._read("LeaseRevoke", ID=lease.ID)
        self._read("Compact", revision=self._known.revision, physical=True)
        for name in ("LeaseLeases", "HashKV"):
            self._read(name)

    def _lift_alarms(self) -> None:
        for member_id, kind in list(self._alarms):
            self._read("Alarm", action="DEACTIVATE", memberID=member_id, alarm=kind)

    def _restart(self) -> None:
        self.counts.calls["Restart"] += 1
        # A member with an alarm is not healthy, which is what a start waits for.
        self._lift_alarms()
        for stream in list(self._known.watch_ids):
            self._close(stream)
        self._running.close()
        for side, target in zip(self._sides, self._start(), strict=True):
            side.connect(target)
        self.compare_history()
        self.compare_kept()

    # Calls

    def _read(self, name: str, **fields: Any) -> Any:
        """Make a call that no command asked for."""
        self.counts.readings += 1
        request = self._sides[0].target.request(name, **fields)
        return self._call(Command(name, request))

    def _call(self, command: Command) -> Any:
        deadline_s = time.monotonic() + _SETTLE_SECONDS_MAX
        while True:
            left, right = (side.outcome(command) for side in self._sides)
            if left == right:
                break
            if command.name not in _ASKED_AGAIN or time.monotonic() > deadline_s:
                self._fail(command, left, right)
        self.counts.calls[command.name] += 1
        if isinstance(left, Refusal):
            self.counts.refusals[command.name] += 1
        else:
            self._learn(command, left)
        return left

    def _learn(self, command: Command, answer: Any) -> None:
        known, request = self._known, command.request
        if answer.DESCRIPTOR.fields_by_name.get("header"):
            known.revision = max(known.revision, answer.header.revision)
        if isinstance(request, rpc_pb2.CompactionRequest):
            known.compact_revision = request.revision
            known.is_compacting = not request.physical
        elif isinstance(request, rpc_pb2.LeaseGrantRequest):
            if request.ID != CHOSEN_LEASE:
                known.leases.add(request.ID)
        elif isinstance(request, rpc_pb2.LeaseRevokeRequest):
            known.leases.discard(request.ID)
        elif isinstance(request, rpc_pb2.AlarmRequest):
            alarm = (request.memberID, request.alarm)
            if request.action == rpc_pb2.AlarmRequest.ACTIVATE:
                self._alarms.add(alarm)
            elif request.action == rpc_pb2.AlarmRequest.DEACTIVATE:
                self._alarms.discard(alarm)

    # Watch streams

    def _watch(self, command: Command) -> None:
        self.counts.calls["Watch"] += 1
        stream, request = command.stream, command.request
        assert isinstance(request, rpc_pb2.WatchRequest)
        kind = request.WhichOneof("request_union")
        if kind == "create_request":
            if request.create_request.start_revision:
                if self._waits and not self._behind:
                    # What is told of the past has the revision of this put.
                    self._mark()
                self._behind.add(stream)
            elif self._waits:
                self._hear_of_the_past()
            self._on_both(lambda side: side.open_stream(stream))
            self._on_both(lambda side: side.create_watcher(stream, request))
        else:
            self._on_both(lambda side: side.open_stream(stream))
            self._read_streams([stream])
            if kind == "cancel_request":
                watch_id = request.cancel_request.watch_id
                self._on_both(lambda side: side.cancel_watcher(stream, watch_id))
            else:
                self._on_both(lambda side: side.request_progress(stream))
        self._known.watch_ids = self._sides[0].watch_ids()

    def _close(self, stream: int) -> None:
        self.counts.calls["CloseStream"] += 1
        if stream in self._known.watch_ids:
            if not self._alarms:
                self._read_streams([stream])
            self._on_both(lambda side: side.close_stream(stream))
            self._known.watch_ids = self._sides[0].watch_ids()

    def _hear_of_the_past(self) -> None:
        if not self._behind:
            return
        streams = sorted(self._behind)
        self._behind.clear()
        marked_at = self._known.revision if self._waits else self._mark()
        self._on_both(lambda side: side.hear_of_the_past(streams, marked_at))
        self._read_streams(streams)

    def _read_streams(self, streams: Iterable[int]) -> None:
        """Read all that is on its way on these streams, and compare it."""
        streams = list(streams)
        self._hear_of_the_past()
        marked_at = self._mark()
        self._on_both(lambda side: side.hear_marker(streams, marked_at))
        self._compare_stories(*(side.take_story(streams) for side in self._sides))

    def _mark(self) -> int:
        self._read("Put", key=MARKER)
        return self._known.revision

    def _on_both(self, act: Callable[[Side], None]) -> None:
        for side in self._sides:
            try:
                act(side)
            except queue.Empty:
                streams = self._known.watch_ids
                heard = [str(each.take_story(streams)) for each in self._sides]
                self._fail(f"{side.target.kind} does not answer", *heard)
            except CallRefused as error:
                self._fail(f"{side.target.kind} ended the stream", error.refusal, "")

    def _compare_stories(self, left: Story, right: Story) -> None:
        for stream, watch_id in sorted({*left, *right}):
            one, other = (each.get((stream, watch_id), []) for each in (left, right))
            if not self._waits:
                one, other = _events_alone(one), _events_alone(other)
            if one != other:
                what = f"watcher {watch_id} of stream {stream}"
                self._fail(what, *_first_difference(one, other))
        for responses in left.values():
            for said in responses:
                self.counts.add_told(said)

    def _fail(self, what: object, left: object, right: object) -> None:
        one, other = (side.target.kind for side in self._sides)
        raise ServersDiffer(
            f"--- {one}:\n{shortened(left)}\n--- {other}:\n{shortened(right)}\n"
            f"--- answered to:\n{shortened(what)}"
        )


def shortened(what: object) -> str:
    """Write a message with no more than the ends of a large value."""
    return _LONG.sub(r"\1...\2", str(what))


def _events_alone(story: list[Any]) -> list[Any]:
    """Take events out of responses: how they are shared out is a matter of time."""
    told: list[Any] = []
    for said in story:
        told += said.events or [said]
        if said.events and said.header.revision < said.events[-1].kv.mod_revision:
            told.append("ahead of its header")
    return told


def _first_difference(left: list[Any], right: list[Any]) -> tuple[object, object]:
    end = "nothing more"
    count = max(len(left), len(right))
    for position in range(count):
        one = left[position] if position < len(left) else end
        other = right[position] if position < len(right) else end
        if one != other:
            return one, other
    raise AssertionError("they are the same")
