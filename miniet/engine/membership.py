"""The members of the cluster, as applied from the log and kept in the backend.

Source: etcd v3.4.9 etcdserver/api/membership. The JSON forms are etcd's: a
member in a conf change and in the bucket, and the v2 tree in a raft snapshot.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, Final

from miniet.engine.ports import EngineBackend
from miniet.errors import DataError
from miniet.raft.messages import ConfChange, ConfChangeType

MEMBERS_BUCKET: Final = b"members"
REMOVED_MEMBERS_BUCKET: Final = b"members_removed"
CLUSTER_BUCKET: Final = b"cluster"
CLUSTER_VERSION_KEY: Final = b"clusterVersion"

_NO_TIME: Final = "0001-01-01T00:00:00Z"
# etcd's v2 store keeps a ring of this many events and writes it out, used or not.
_V2_EVENT_HISTORY: Final = 1000


@dataclass(slots=True, frozen=True)
class Member:
    """One member; `name` is empty until it has told its own."""

    member_id: int
    peer_urls: tuple[str, ...]
    name: str = ""
    client_urls: tuple[str, ...] = ()
    is_learner: bool = False

    def to_json(self) -> bytes:
        """Encode as etcd does, empty parts left out."""
        document: dict[str, Any] = {
            "id": self.member_id,
            "peerURLs": list(self.peer_urls),
        }
        if self.is_learner:
            document["isLearner"] = True
        if self.name:
            document["name"] = self.name
        if self.client_urls:
            document["clientURLs"] = list(self.client_urls)
        return _go_json(document).encode()

    @classmethod
    def from_json(cls, text: bytes) -> "Member":
        """Read a member back.

        Raises:
            ValueError: not such a document.
        """
        document = json.loads(text)
        if not isinstance(document, dict) or not isinstance(document.get("id"), int):
            raise ValueError(f"not a member: {text!r}")
        return cls(
            member_id=document["id"],
            peer_urls=tuple(document.get("peerURLs") or ()),
            name=document.get("name", ""),
            client_urls=tuple(document.get("clientURLs") or ()),
            is_learner=document.get("isLearner", False),
        )


# What Go's encoder keeps out of pages of HTML and JavaScript.
_GO_ESCAPES: Final = {ord(char): f"\\u{ord(char):04x}" for char in "<>&\u2028\u2029"}


def _go_json(document: Any) -> str:
    """Encode as Go does: no spaces, and UTF-8 but for a few characters."""
    text = json.dumps(document, separators=(",", ":"), ensure_ascii=False)
    return text.translate(_GO_ESCAPES)


class Membership:
    """Who is in the cluster, and the version they agreed on."""

    def __init__(self, backend: EngineBackend, cluster_id: int) -> None:
        self._backend = backend
        self.cluster_id = cluster_id
        # Invariant: equal to the bucket of the same name.
        self._members: dict[int, Member] = {}
        self.cluster_version = ""

    def restore(self) -> None:
        """Read members and version back at start.

        Raises:
            DataError: the bucket holds something else.
        """
        batch_tx = self._backend.batch_tx
        self._members = {}
        for key, value in batch_tx.range(MEMBERS_BUCKET, b""):
            try:
                member = Member.from_json(bytes(value))
            except ValueError as error:
                raise DataError(f"member {bytes(key)!r}: {error}") from error
            self._members[member.member_id] = member
        version = batch_tx.get(CLUSTER_BUCKET, CLUSTER_VERSION_KEY)
        try:
            self.cluster_version = "" if version is None else bytes(version).decode()
        except ValueError as error:
            raise DataError(f"cluster version: {error}") from error

    @property
    def members(self) -> list[Member]:
        """All members in order of their ids."""
        return [self._members[member_id] for member_id in sorted(self._members)]

    def get(self, member_id: int) -> Member | None:
        """Return a member, or None."""
        return self._members.get(member_id)

    def is_removed(self, member_id: int) -> bool:
        """Tell whether a member of this id was removed; it can never come back."""
        key = b"%x" % member_id
        return self._backend.batch_tx.get(REMOVED_MEMBERS_BUCKET, key) is not None

    def apply(self, change: ConfChange) -> None:
        """Apply a conf change that was found valid."""
        if change.type == ConfChangeType.REMOVE_NODE:
            self._members.pop(change.node_id, None)
            self._backend.batch_tx.delete(MEMBERS_BUCKET, b"%x" % change.node_id)
            self._backend.batch_tx.put(
                REMOVED_MEMBERS_BUCKET, b"%x" % change.node_id, b"removed"
            )
            return
        member = Member.from_json(change.context)
        known = self._members.get(change.node_id)
        if known is not None:
            # Name and client URLs are the member's own to tell.
            member = replace(member, name=known.name, client_urls=known.client_urls)
        self.save(member)

    def set_attributes(
        self, member_id: int, name: str, client_urls: Iterable[str]
    ) -> None:
        """Apply what a member told of itself; an unknown member is ignored."""
        member = self._members.get(member_id)
        if member is not None:
            self.save(replace(member, name=name, client_urls=tuple(client_urls)))

    def set_version(self, version: str) -> None:
        """Apply the version that the cluster decided on."""
        self.cluster_version = version
        self._backend.batch_tx.put(
            CLUSTER_BUCKET, CLUSTER_VERSION_KEY, version.encode()
        )

    def save(self, member: Member) -> None:
        """Keep a member as it is given."""
        self._members[member.member_id] = member
        self._backend.batch_tx.put(
            MEMBERS_BUCKET, b"%x" % member.member_id, member.to_json()
        )

    def snapshot_data(self, applied_index: int) -> bytes:
        """Encode the members as the v2 tree that etcd keeps in a raft snapshot."""
        children: dict[str, Any] = {
            f"{member.member_id:x}": _v2_directory(
                f"/0/members/{member.member_id:x}",
                {
                    name: _v2_leaf(f"/0/members/{member.member_id:x}/{name}", document)
                    for name, document in _v2_attributes(member).items()
                },
            )
            for member in self.members
        }
        cluster = {
            "members": _v2_directory("/0/members", children),
            "removed_members": _v2_directory("/0/removed_members", {}),
            "version": _v2_leaf("/0/version", self.cluster_version),
        }
        roots = {"0": _v2_directory("/0", cluster), "1": _v2_directory("/1", {})}
        document = {
            "Root": _v2_directory("/", roots),
            "WatcherHub": {
                "EventHistory": {
                    "Queue": {
                        "Events": [None] * _V2_EVENT_HISTORY,
                        "Size": 0,
                        "Front": 0,
                        "Back": 0,
                        "Capacity": _V2_EVENT_HISTORY,
                    },
                    "StartIndex": 0,
                    "LastIndex": 0,
                    "DuplicateCount": 0,
                }
            },
            "CurrentIndex": applied_index,
            "Stats": {},
            "CurrentVersion": 2,
        }
        return _go_json(document).encode()


def _v2_attributes(member: Member) -> dict[str, str]:
    raft: dict[str, Any] = {"peerURLs": list(member.peer_urls)}
    if member.is_learner:
        raft["isLearner"] = True
    own = {"name": member.name, "clientURLs": list(member.client_urls)}
    return {
        "raftAttributes": _go_json(raft),
        "attributes": _go_json(own),
    }


def _v2_directory(path: str, children: dict[str, Any]) -> dict[str, Any]:
    return {
        "Path": path,
        "CreatedIndex": 0,
        "ModifiedIndex": 0,
        "ExpireTime": _NO_TIME,
        "Value": "",
        "Children": children,
    }


def _v2_leaf(path: str, value: str) -> dict[str, Any]:
    return _v2_directory(path, {}) | {"Value": value, "Children": None}
