"""Commands by which two servers once differed, and what may set them apart again."""

from dataclasses import dataclass

from tests.conformance.api.commands import Command, parse_script


@dataclass(frozen=True)
class Example:
    """One script for `Pair.run_script`, for fresh servers.

    claim: what the answers have in common, as the name of its test.
    why: what differed, or what it stands for.
    """

    claim: str
    why: str
    script: str

    @property
    def commands(self) -> list[Command]:
        """The script, read."""
        return parse_script(self.script)


EXAMPLES = (
    Example(
        "txn-that-wrote-answers-with-its-own-revision",
        "miniet answered with the one before, so that a client which watched from the "
        "next one on heard of its own write.",
        """
        Put key: "a"
        Txn success { request_put { key: "a" } } success { request_range { key: "a" } }
        Txn success { request_delete_range { key: "a" } }
        Txn success { request_txn { success { request_put { key: "b" } } } }
        Txn success { request_delete_range { key: "a" } }
        """,
    ),
    Example(
        "watcher-of-the-past-answers-with-the-revision-of-the-pass",
        "The comparison itself was wrong: a header has the revision at which a pass "
        "read, so a put must come before the watchers and none until they were told.",
        """
        Put key: "a"
        Put key: "b"
        Watch@0 create_request { key: "a" range_end: "c" start_revision: 2 }
        Watch@0 create_request { key: "b" start_revision: 1 prev_kv: true }
        Watch@1 create_request { key: "a" start_revision: 9 }
        Put key: "a" value: "2"
        Put key: "a" value: "3"
        """,
    ),
    Example(
        "marker-is-awaited-by-every-watcher-that-hears-it",
        "The comparison itself was wrong: two watchers of a stream are told of one "
        "put in any order, so it does not end at the first of them.",
        """
        Watch@0 create_request { key: "a" range_end: "\\000" }
        Watch@0 create_request { key: "m" filters: NODELETE prev_kv: true }
        Watch@0 create_request { key: "l" range_end: "n" filters: NOPUT }
        Put key: "m" value: "1"
        DeleteRange key: "a" range_end: "\\000"
        Watch@0 cancel_request { watch_id: 1 }
        Put key: "m" value: "2"
        Watch@0 progress_request { }
        """,
    ),
    Example(
        "watcher-may-begin-where-a-compaction-was-waited-for",
        "The comparison itself was wrong: until a compaction has run, the deletes of "
        "its revision are still told, and only `physical` waits for that.",
        """
        Put key: "a"
        Put key: "b"
        DeleteRange key: "a" range_end: "c"
        Compact revision: 4 physical: true
        Watch@0 create_request { key: "a" range_end: "c" start_revision: 4 }
        Watch@0 create_request { key: "a" range_end: "c" start_revision: 3 }
        Put key: "a"
        """,
    ),
    Example(
        "compaction-at-a-tombstone-drops-it",
        "Releases from 3.4.34 and 3.5.16 on keep one; 3.4.23, 3.5.1 and miniet do not.",
        """
        Put key: "a" value: "1"
        DeleteRange key: "a"
        Put key: "a" value: "2"
        Put key: "b" value: "3"
        DeleteRange key: "a"
        Put key: "c"
        HashKV
        Compact revision: 6 physical: true
        HashKV revision: 6
        HashKV revision: 7
        Range key: "a" range_end: "d" revision: 6
        Watch@0 create_request { key: "\\000" range_end: "\\000" start_revision: 6 }
        Restart
        HashKV
        """,
    ),
    Example(
        "leases-and-what-hangs-on-them-outlive-a-restart",
        "A lease whose id is below zero is lost by 3.5.1; the others must not be.",
        """
        LeaseGrant ID: 1 TTL: 1500
        LeaseGrant ID: 4611686018427387904 TTL: 2500
        Put key: "a" lease: 1
        Put key: "b" lease: 4611686018427387904
        Put key: "a" ignore_lease: true value: "2"
        Restart
        LeaseTimeToLive ID: 1 keys: true
        LeaseKeepAlive ID: 1
        LeaseKeepAlive ID: 2
        LeaseRevoke ID: 1
        Range key: "a" range_end: "c"
        """,
    ),
    Example(
        "large-answers-are-split-alike",
        "Pieces end where one more event would reach the limit, header included.",
        "\n".join(
            [
                *(f'Put key: "a" value: "{"x" * 190_000}"' for _ in range(5)),
                'Watch@0 create_request { key: "a" start_revision: 1 fragment: true }',
                'Watch@1 create_request { key: "a" start_revision: 2 fragment: true '
                "prev_kv: true }",
                'Watch@1 create_request { key: "a" start_revision: 2 }',
            ]
        ),
    ),
)
