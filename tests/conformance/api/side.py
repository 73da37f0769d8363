"""One of two servers in a comparison: what it says, in words that both share."""

import json
import time
import urllib.request
from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from google.protobuf.message import Message

from miniet.pb import rpc_pb2
from tests.conformance.api.commands import Command
from tests.conformance.api.releases import Release
from tests.conformance.api.sequences import CHOSEN_LEASE, MARKER
from tests.conformance.api.targets import MINIET, MINIET_ON_DISK, Target
from tests.support.api_client import CallRefused, StreamCall, WatchCall
from tests.support.bolt_reader import BoltFile

Story = dict[tuple[int, int], list[rpc_pb2.WatchResponse]]
"""Responses in order, by stream and watch id."""

# On every stream, one that hears the marker, and one that is there for a while and
# begins in the past: when that one has been told, all others have.
SENTINEL, LATE_SENTINEL = 1_000_000, 1_000_001

MEMORY_ONLY = "miniet: memory-only, nothing is kept when the server stops"

_START_SECONDS_MAX = 20.0


class Side:
    """A server, its ids, and the watch streams that are open on it."""

    def __init__(self, target: Target, release: Release) -> None:
        self._release = release
        # Ids of the leases that this server chose, oldest first.
        self._chosen: list[int] = []
        self.connect(target)

    def connect(self, target: Target) -> None:
        """Turn to a server that was just started; no stream is open on it."""
        self.target = target
        self._streams: dict[int, WatchCall] = {}
        self._stories: Story = defaultdict(list)
        # Watch ids that are taken, by stream, with what the watcher was asked to
        # hear; None once it was told that its history is gone.
        self._watchers: dict[int, dict[int, Any]] = {}
        self._keep_alive: StreamCall | None = None
        self._first = _settled_status(target)

    # Calls of one answer

    def outcome(self, command: Command) -> Any:
        """Do a command and return its answer in shared words, or its refusal."""
        name, request = command.name, type(command.request)()
        request.CopyFrom(command.request)
        self._enter_chosen_lease(name, request)
        try:
            if name == "LeaseKeepAlive":
                answer = self._keep_alive_answer(request)
            else:
                answer = self.target.send(name, request)
        except CallRefused as error:
            return error.refusal
        if name == "LeaseGrant" and command.request.ID == CHOSEN_LEASE:
            self._chosen.append(answer.ID)
        if name == "LeaseRevoke" and request.ID in self._chosen:
            self._chosen.remove(request.ID)
        self._share_words(name, answer)
        return answer

    def kept(self) -> dict[str, list[tuple[bytes, bytes]]]:
        """Return what a snapshot holds, but for what is this server's own."""
        # Without the checksum at its end.
        data = b"".join(answer.blob for answer in self.target.snapshot())[:-32]
        buckets = BoltFile(data, exact=False).buckets
        own = {lease_id.to_bytes(8, "big") for lease_id in self._chosen}
        return {
            "key": buckets[b"key"],
            "lease": [pair for pair in buckets[b"lease"] if pair[0] not in own],
            "alarm": buckets[b"alarm"],
            "meta": [pair for pair in buckets[b"meta"] if b"CompactRev" in pair[0]],
        }

    def _keep_alive_answer(self, request: Message) -> Any:
        if self._keep_alive is None:
            self._keep_alive = self.target.keep_alive()
        self._keep_alive.send(request)
        return self._keep_alive.receive()

    def _enter_chosen_lease(self, name: str, request: Any) -> None:
        if name.startswith("Lease") and getattr(request, "ID", 0) == CHOSEN_LEASE:
            if name == "LeaseGrant":
                request.ID = 0
            elif self._chosen:
                request.ID = self._chosen[-1]

    def _share_words(self, name: str, answer: Any) -> None:
        """Replace in an answer what is this server's own."""
        if answer.DESCRIPTOR.fields_by_name.get("header"):
            if name == "Alarm" and self._release.alarm_has_header:
                answer.ClearField("header")
            if answer.HasField("header"):
                self._share_header(answer.header)
        if name.startswith("Lease") and getattr(answer, "ID", 0) in self._chosen:
            answer.ID = CHOSEN_LEASE
        if name == "LeaseLeases":
            for lease in answer.leases:
                lease.ID = CHOSEN_LEASE if lease.ID in self._chosen else lease.ID
        elif name == "LeaseTimeToLive":
            answer.keys.sort()
            # Time goes by between two calls: whole hundreds are enough.
            answer.TTL = (answer.TTL + 50) // 100
        elif name == "Status":
            self._share_status(answer)
        elif name == "MemberList":
            for member in answer.members:
                self._share_member(member)

    def _share_header(self, header: Any) -> None:
        """Ids and term become 1 where they are this server's, and stay otherwise."""
        own = self._first.header
        for field in ("cluster_id", "member_id", "raft_term"):
            if getattr(header, field) == getattr(own, field):
                setattr(header, field, 1)

    def _share_status(self, status: Any) -> None:
        status.leader = int(status.leader == self._first.header.member_id)
        # The log grows alike: what is a proposal, and what is none.
        status.raftIndex -= self._first.raftIndex
        status.raftAppliedIndex -= self._first.raftIndex
        status.raftTerm -= self._first.raftTerm
        if self.target.kind == MINIET:
            status.errors.remove(MEMORY_ONLY)
        for field in ("version", "dbSize", "dbSizeInUse"):
            assert getattr(status, field)
            status.ClearField(field)

    def _share_member(self, member: Any) -> None:
        member.ID = int(self._first.header.member_id == member.ID)
        member.name = "name" if member.name else ""
        for urls in (member.peerURLs, member.clientURLs):
            urls[:] = ["url"] * len(urls)

    # Watch streams. Their readings end at an answer that must come.

    def watch_ids(self) -> dict[int, list[int]]:
        """Return the ids that are taken on each open stream."""
        return {stream: sorted(ids) for stream, ids in self._watchers.items()}

    def take_story(self, streams: Iterable[int]) -> Story:
        """Return what was read on these streams since this was last asked."""
        taken = [key for key in self._stories if key[0] in streams]
        return {key: self._stories.pop(key) for key in taken}

    def open_stream(self, stream: int) -> None:
        """Open a stream with its sentinel, unless it is open."""
        if stream not in self._streams:
            self._streams[stream] = self.target.watch()
            self._watchers[stream] = {}
            self.create_watcher(stream, _watch(key=MARKER, watch_id=SENTINEL))

    def create_watcher(self, stream: int, request: rpc_pb2.WatchRequest) -> None:
        """Ask for a watcher and read until the answer has come."""
        self._streams[stream].send(request)
        while not (said := self._read(stream)).created:
            pass
        if not said.canceled:
            self._watchers[stream][said.watch_id] = request.create_request

    def cancel_watcher(self, stream: int, watch_id: int) -> None:
        """Ask to end a watcher; an id that is not taken is not answered."""
        is_taken = watch_id in self._watchers[stream]
        self._streams[stream].cancel_watcher(watch_id)
        while is_taken:
            said = self._read(stream)
            is_taken = not (said.canceled and said.watch_id == watch_id)

    def request_progress(self, stream: int) -> None:
        """Ask how far the stream is, and read until the answer has come."""
        self._streams[stream].request_progress()
        while True:
            said = self._read(stream)
            if said.watch_id == -1 and not said.created:
                return

    def close_stream(self, stream: int) -> None:
        """End a stream from this side."""
        self._streams.pop(stream).cancel()
        del self._watchers[stream]

    def hear_of_the_past(self, streams: Iterable[int], marked_at: int) -> None:
        """Read until every watcher that began in the past has been told.

        One more of them is made, last. All that are behind are told in one pass, in
        any order, so what comes of the next put to the marker comes after it all.
        """
        late = _watch(key=MARKER, start_revision=marked_at, watch_id=LATE_SENTINEL)
        for stream in streams:
            self._streams[stream].send(late)
        for stream in streams:
            self._read_until_told(stream, {LATE_SENTINEL}, marked_at)
            self._watchers[stream][LATE_SENTINEL] = late.create_request

    def hear_marker(self, streams: Iterable[int], marked_at: int) -> None:
        """Read until all has come of a put to the marker, and so all before it."""
        for stream in streams:
            watchers = self._watchers[stream]
            told = {i for i, asked in watchers.items() if _hears(asked, marked_at)}
            self._read_until_told(stream, told, marked_at)
            if LATE_SENTINEL in watchers:
                self.cancel_watcher(stream, LATE_SENTINEL)

    def _read_until_told(self, stream: int, ids: set[int], revision: int) -> None:
        waiting = set(ids)
        while waiting:
            said = self._read(stream)
            if said.events and said.events[-1].kv.mod_revision == revision:
                waiting.discard(said.watch_id)

    def _read(self, stream: int) -> Any:
        said = self._streams[stream].receive()
        if said.compact_revision:
            self._watchers[stream][said.watch_id] = None
        elif said.canceled and not said.created:
            del self._watchers[stream][said.watch_id]
        self._share_header(said.header)
        self._stories[stream, said.watch_id].append(said)
        return said


def _watch(**fields: Any) -> rpc_pb2.WatchRequest:
    create = rpc_pb2.WatchCreateRequest(**fields)
    return rpc_pb2.WatchRequest(create_request=create)


def _hears(asked: Any, marked_at: int) -> bool:
    """Say whether a watcher is told of a put to the marker."""
    if asked is None or asked.start_revision > marked_at:
        return False
    if rpc_pb2.WatchCreateRequest.NOPUT in asked.filters:
        return False
    key: bytes = asked.key or b"\x00"
    if not asked.range_end:
        return key == MARKER
    return key <= MARKER and (asked.range_end == b"\x00" or asked.range_end > MARKER)


def _settled_status(target: Target) -> Any:
    """Return the status once a fresh member has nothing more of its own to write."""
    deadline_s = time.monotonic() + _START_SECONDS_MAX
    while True:
        has_version = target.kind in (MINIET, MINIET_ON_DISK) or _has_version(target)
        status = target.call("Status")
        if has_version and status.raftAppliedIndex == status.raftIndex:
            return status
        assert time.monotonic() < deadline_s, f"{target.kind} does not settle"


def _has_version(target: Target) -> bool:
    """Say whether an etcd has the cluster's version, the last entry of its start."""
    with urllib.request.urlopen(f"http://{target.endpoint}/version") as answer:
        return json.load(answer)["etcdcluster"] != "not_decided"
