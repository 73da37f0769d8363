"""The same random commands to two servers, one at a time; every answer compared.

    python -m tests.conformance.api.lockstep --seconds 600

runs seed after seed against a fresh miniet and a fresh etcd, and ends at the first
difference, with the seed and the commands that led there.
"""

import argparse
import itertools
import sys
import tempfile
import time
from collections import deque
from pathlib import Path
from typing import Any

from tests.conformance.api.sequences import LEASES, Command, CommandSource
from tests.conformance.api.targets import (
    ETCD,
    MINIET,
    MINIET_ON_DISK,
    Target,
    running,
)
from tests.support.api_client import CallRefused, Refusal, WatchCall

COMMANDS_PER_SEQUENCE = 150

# A compaction runs on beside the calls, and while it does HashKV may see more
# records than it will later, on either server.
_SETTLE_SECONDS_MAX = 5.0

_COMMANDS_SHOWN = 20


class ServersDiffer(AssertionError):
    """Two servers did not answer alike."""


class Lockstep:
    """Runs one sequence on two fresh servers."""

    def __init__(self, seed: int, left: Target, right: Target) -> None:
        self._seed = seed
        self._targets = (left, right)
        self._revision = 1
        self._done: deque[Command] = deque(maxlen=_COMMANDS_SHOWN)

    def run(self, command_count: int) -> None:
        """Do the commands, then compare all that the servers remember.

        Raises:
            ServersDiffer: says how, and after which commands.
        """
        watches = [self._watch(target) for target in self._targets]
        source = CommandSource(self._seed)
        for _ in range(command_count):
            command = source.next(self._revision)
            self._done.append(command)
            self._do(command)
        self.compare_history()
        self._compare_events(watches)

    def _do(self, command: Command) -> None:
        deadline_s = time.monotonic() + _SETTLE_SECONDS_MAX
        while True:
            left, right = (outcome(target, command) for target in self._targets)
            if left == right:
                break
            if command.name != "HashKV" or time.monotonic() > deadline_s:
                self._fail(command, left, right)
        if not isinstance(left, Refusal) and left.HasField("header"):
            self._revision = max(self._revision, left.header.revision)

    def compare_history(self) -> None:
        """Compare every revision as the servers read, hash and remember it.

        Raises:
            ServersDiffer.
        """
        self._revision = max(self._revision, self._targets[0].revision())
        calls: list[tuple[str, dict[str, Any]]] = [("LeaseLeases", {}), ("HashKV", {})]
        for revision in range(1, self._revision + 2):
            everything = {"key": b"\x00", "range_end": b"\x00", "revision": revision}
            calls += [("Range", everything), ("HashKV", {"revision": revision})]
        for lease_id in LEASES:
            calls.append(("LeaseTimeToLive", {"ID": lease_id, "keys": True}))
        for name, fields in calls:
            self._do(Command(name, self._targets[0].request(name, **fields)))

    # Two watchers of a stream: everything, and the deletes of a part.

    def _watch(self, target: Target) -> WatchCall:
        stream = target.watch(key=b"\x00", range_end=b"\x00")
        stream.create(key=b"a", range_end=b"c", filters=[0])
        for _ in range(2):
            assert stream.receive().created
        return stream

    def _compare_events(self, watches: list[WatchCall]) -> None:
        """What watchers were told: those of the whole run, and one of the past."""
        for target in self._targets:
            target.call("Alarm", action=2, memberID=42, alarm=1)
            target.call("Alarm", action=2, memberID=42, alarm=2)
            self._revision = target.call("Put", key=b"b").header.revision
            self._revision = target.call("DeleteRange", key=b"b").header.revision
        told = [self._events(stream) for stream in watches]
        for stream, target in zip(watches, self._targets, strict=True):
            stream.cancel()
            # From the compact revision on, if there is one.
            first = max(target.call("HashKV").compact_revision, 1)
            past = target.watch(
                key=b"\x00", range_end=b"\x00", start_revision=first, prev_kv=True
            )
            told.append(self._events(past, watcher_count=1))
            past.cancel()
        for name, left, right in (("live", *told[:2]), ("past", *told[2:])):
            if left != right:
                pairs = itertools.zip_longest(left, right)
                at = next(pair for pair in pairs if pair[0] != pair[1])
                self._fail(f"events of a {name} watch", *at)

    def _events(
        self, stream: WatchCall, watcher_count: int = 2
    ) -> list[tuple[int, str]]:
        """Read what each watcher was told until all have told the last revision."""
        told: list[tuple[int, str]] = []
        behind = watcher_count
        while behind:
            response = stream.receive()
            told += [(response.watch_id, str(event)) for event in response.events]
            last = response.events[-1].kv.mod_revision if response.events else 0
            behind -= last == self._revision
        # Only the order within a watcher is defined.
        return sorted(told, key=lambda pair: pair[0])

    def _fail(self, what: object, left: object, right: object) -> None:
        before = "\n".join(f"  {command}" for command in self._done)
        names = [target.kind for target in self._targets]
        raise ServersDiffer(
            f"seed {self._seed}, {what}\n--- {names[0]}:\n{left}\n--- {names[1]}:\n"
            f"{right}\n--- the last commands:\n{before}"
        )


def outcome(target: Target, command: Command) -> Any:
    """Do a command and return its answer, without what may differ, or its refusal."""
    try:
        answer = target.send(command.name, command.request)
    except CallRefused as error:
        return error.refusal
    if answer.HasField("header"):
        answer.header.ClearField("cluster_id")
        answer.header.ClearField("member_id")
        answer.header.ClearField("raft_term")
    if command.name == "LeaseTimeToLive":
        answer.keys.sort()
        # Time goes by between two calls: whole hundreds are enough.
        answer.TTL = (answer.TTL + 50) // 100
    return answer


def run_sequence(seed: int, command_count: int = COMMANDS_PER_SEQUENCE) -> None:
    """Run one sequence on fresh servers.

    Raises:
        ServersDiffer.
    """
    with (
        tempfile.TemporaryDirectory() as directory,
        running(MINIET, Path(directory)) as left,
        running(ETCD, Path(directory)) as right,
    ):
        Lockstep(seed, left, right).run(command_count)


def run_and_restart(seed: int, command_count: int = COMMANDS_PER_SEQUENCE) -> None:
    """Run one sequence, stop both servers, and compare what they still know.

    Raises:
        ServersDiffer.
    """
    with tempfile.TemporaryDirectory() as directory:
        for is_restart in (False, True):
            with (
                running(MINIET_ON_DISK, Path(directory)) as left,
                running(ETCD, Path(directory)) as right,
            ):
                pair = Lockstep(seed, left, right)
                if is_restart:
                    pair.compare_history()
                else:
                    pair.run(command_count)


def main() -> int:
    """Run sequences until the time is up."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--seed", type=int, default=1, help="the first one")
    parser.add_argument("--commands", type=int, default=COMMANDS_PER_SEQUENCE)
    arguments = parser.parse_args()
    end_s = time.monotonic() + arguments.seconds
    for seed in itertools.count(arguments.seed):
        if time.monotonic() > end_s:
            break
        try:
            run_sequence(seed, arguments.commands)
        except ServersDiffer as error:
            sys.stdout.write(f"{error}\n")
            return 1
    count = seed - arguments.seed
    sys.stdout.write(
        f"{count} sequences of {arguments.commands} commands, no difference\n"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
