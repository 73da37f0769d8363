"""Opens data directories named on standard input and says, a line each, what it found.

In a process of its own, so that a damaged file which ends it is seen to do so.
"""

import json
import sys
from pathlib import Path
from typing import Any

from miniet.errors import DataError
from miniet.mvcc import KeyValue, RangeQuery
from tests.conformance.crash.member import Member


def outcome(data_dir: Path) -> dict[str, Any]:
    """Open a member, use it, and return its state, or why it was refused."""
    try:
        with Member(data_dir) as member:
            return {"state": state_of(member)}
    except DataError as error:
        return {
            "refused": str(error),
            "path": error.path,
            "offset": error.offset,
            "remedy": error.remedy,
        }
    except Exception as error:
        return {"crashed": repr(error)}


def state_of(member: Member) -> dict[str, Any]:
    """Return all that a client can see, then write and check the backend's pages."""
    engine = member.engine
    pairs = engine.store.read().range(RangeQuery(key=b"\0", range_end=b"\0")).kvs
    state = {
        "revision": engine.store.current_revision,
        "pairs": {
            pair.key.hex(): [
                pair.value.hex(),
                pair.create_revision,
                pair.mod_revision,
                pair.version,
                pair.lease,
            ]
            for pair in map(KeyValue.decode, pairs)
        },
        "leases": {lease.id: lease.ttl_s for lease in engine.lessor.leases()},
        "alarms": engine.alarms.matching(0),
        "members": [each.to_json().decode() for each in engine.membership.members],
        "version": engine.membership.cluster_version,
        "hash": engine.store.hash_by_revision(0).hash,
    }
    # Pages that are wrongly taken for free would be written over now.
    for _ in range(10):
        member.put(2)
        member.backend.commit()
    member.backend._check()
    return state


if __name__ == "__main__":
    for line in sys.stdin:
        sys.stdout.write(json.dumps(outcome(Path(line.rstrip("\n")))) + "\n")
        sys.stdout.flush()
