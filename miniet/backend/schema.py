"""Names in the file: etcd's ten buckets and the well-known keys in them.

| bucket | key | value |
|---|---|---|
| `key` | revision, 17 bytes; a tombstone 18 | encoded `KeyValue` |
| `meta` | `consistent_index` | raft index, 8 bytes big-endian |
| | `scheduledCompactRev`, `finishedCompactRev` | revision, 17 bytes |
| `lease` | lease id, 8 bytes big-endian | encoded lease record |
| `alarm` | encoded `AlarmMember` | empty |
| `members` | member id, hex without padding | JSON |
| `members_removed` | member id, hex without padding | `removed` |
| `cluster` | `clusterVersion` | text, as `3.4.0` |
| `auth` | `authEnabled` | one byte, 0 or 1 |
| | `authRevision` | 8 bytes big-endian, 1 at first |
| `authUsers`, `authRoles` | name | encoded user or role |

The backend gives none of them a meaning, with one exception: `hash` leaves the
consistent index out, because members that hold the same data may differ in it.

Source: etcd v3.4.9 mvcc/kvstore.go, etcdserver/api/membership/store.go,
lease/lessor.go, auth/store.go.
"""

from typing import Final

ALARM: Final = b"alarm"
AUTH: Final = b"auth"
AUTH_ROLES: Final = b"authRoles"
AUTH_USERS: Final = b"authUsers"
CLUSTER: Final = b"cluster"
KEY: Final = b"key"
LEASE: Final = b"lease"
MEMBERS: Final = b"members"
MEMBERS_REMOVED: Final = b"members_removed"
META: Final = b"meta"

BUCKETS: Final = (
    ALARM,
    AUTH,
    AUTH_ROLES,
    AUTH_USERS,
    CLUSTER,
    KEY,
    LEASE,
    MEMBERS,
    MEMBERS_REMOVED,
    META,
)
"""All buckets, in byte order of their names; every file has exactly these."""

CONSISTENT_INDEX_KEY: Final = b"consistent_index"
"""In `META`: index of the last raft entry whose effect the file holds."""

AUTH_REVISION_KEY: Final = b"authRevision"
"""In `AUTH`: etcd refuses to start from a file that lacks it."""

KEY_BYTES_MAX: Final = 511
"""Longest key of any bucket; LMDB's limit. Only names of users and roles can
reach it, all other keys are short and made by the server."""
