"""Opens data directories named on standard input and says, a line each, what it found.

In a process of its own, so that a damaged file which ends it is seen to do so.
"""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from miniet.errors import DataError
from miniet.mvcc import KeyValue, RangeQuery
from tests.conformance.crash.member import Member

_ROOT = Path(__file__).parents[3]

Outcome = dict[str, Any]
"""`state`, or `refused` with `path`, `offset` and `remedy`, or `crashed`."""


class Opener:
    """Opens members in a process that may die of it."""

    def __init__(self) -> None:
        self._start()

    def _start(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.conformance.crash.opening"],
            cwd=_ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )

    def open(self, data_dir: Path) -> Outcome:
        """Return the state of the member, or why it was refused."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{data_dir}\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            ended = self._process.wait()
            self._start()
            return {"crashed": f"the process ended with {ended}"}
        outcome: Outcome = json.loads(line)
        return outcome

    def close(self) -> None:
        self._process.communicate()


def outcome(data_dir: Path) -> Outcome:
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
