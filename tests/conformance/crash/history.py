"""What a server must hold, from what it acknowledged and what it tells of the rest."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from tests.support.etcd_calls import EtcdCalls

Change = tuple[bytes, bytes | None, int]
"""A key, its new value and its lease; a value of None deletes it."""


@dataclass(slots=True)
class Write:
    """One request that writes: what it changes, and what was heard of it."""

    changes: list[Change]
    grants: int = 0
    """Lease that it makes."""
    revokes: int = 0
    """Lease that it ends."""
    revision: int = 0
    """The one acknowledged; 0 while there is no answer."""


@dataclass(slots=True)
class Pair:
    """A key as the server must show it."""

    value: bytes
    create_revision: int
    mod_revision: int
    version: int
    lease: int


@dataclass(slots=True)
class History:
    """The state that all writes up to `revision` make, each carried out once."""

    revision: int = 1
    pairs: dict[bytes, Pair] = field(default_factory=dict)
    leases: set[int] = field(default_factory=set)

    def check(
        self, calls: EtcdCalls, acknowledged: list[Write], pending: list[Write]
    ) -> None:
        """Hold a server that came back against what it had acknowledged.

        Args:
            acknowledged: the writes answered since the last check.
            pending: those that were sent and not answered: each was carried out
                once, or not at all.
        """
        current = calls.everything()
        last_revision = current.header.revision
        self._take_changes(
            self._told(calls, last_revision), last_revision, acknowledged, pending
        )
        found = {
            pair.key: Pair(
                pair.value,
                pair.create_revision,
                pair.mod_revision,
                pair.version,
                pair.lease,
            )
            for pair in current.kvs
        }
        assert found == self.pairs
        self._take_leases(calls.leases(), acknowledged, pending)
        for lease in self.leases:
            attached = {key for key, pair in self.pairs.items() if pair.lease == lease}
            assert calls.lease_keys(lease) == attached

    def _told(self, calls: EtcdCalls, last_revision: int) -> dict[int, list[Change]]:
        """Ask for the changes since the last check; revision -> changes."""
        told: dict[int, list[Change]] = {}
        if last_revision > self.revision:
            for event in calls.events(self.revision + 1, last_revision):
                pair = event.kv
                value = None if event.type == event.DELETE else pair.value
                told.setdefault(pair.mod_revision, []).append(
                    (pair.key, value, pair.lease)
                )
        return told

    def _take_changes(
        self,
        told: dict[int, list[Change]],
        last_revision: int,
        acknowledged: list[Write],
        pending: list[Write],
    ) -> None:
        by_revision: dict[int, Write] = {}
        for write in acknowledged:
            if write.changes:
                assert write.revision > self.revision, "a revision came twice"
                assert write.revision not in by_revision, "a revision came twice"
                by_revision[write.revision] = write
        unanswered = [write for write in pending if write.changes]
        # No revision is missing, none is there that nobody asked for.
        assert sorted(told) == list(range(self.revision + 1, last_revision + 1))
        assert set(by_revision) <= set(told), "an acknowledged write is lost"
        for revision in sorted(told):
            if revision in by_revision:
                assert told[revision] == by_revision[revision].changes
            else:
                asked = [w for w in unanswered if w.changes == told[revision]]
                assert asked, f"revision {revision} was made by nobody, or twice"
                unanswered.remove(asked[0])
            self._apply(revision, told[revision])
        self.revision = last_revision

    def _apply(self, revision: int, changes: Iterable[Change]) -> None:
        for key, value, lease in changes:
            if value is None:
                del self.pairs[key]
                continue
            before = self.pairs.get(key)
            self.pairs[key] = Pair(
                value,
                before.create_revision if before else revision,
                revision,
                before.version + 1 if before else 1,
                lease,
            )

    def _take_leases(
        self, found: set[int], acknowledged: list[Write], pending: list[Write]
    ) -> None:
        for write in acknowledged:
            self.leases |= {write.grants} - {0}
        for write in acknowledged:
            self.leases -= {write.revokes}
        unsure = {lease for write in pending for lease in (write.grants, write.revokes)}
        assert found ^ self.leases <= unsure
        self.leases = found


def state_of(calls: EtcdCalls) -> tuple[Any, ...]:
    """Return all that must not change while nobody writes."""
    return calls.everything().kvs, sorted(calls.leases()), calls.hash_kv()
