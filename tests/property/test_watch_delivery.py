"""Random writes, compactions, watchers and slow readers against the model.

A watcher must hear of all changes ever made those that it asked for, in order,
nothing missing, nothing twice, or be told that a compaction took them away. The
client checks order, headers, ids and progress notices of each response as it comes;
here is what must hold when all is quiet.
"""

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from miniet.mvcc import EventType
from tests.property.machines import effort
from tests.support.watch_rig import Change, Client, Heard, Rig

KEYS = st.sampled_from([b"a", b"ab", b"b", b"c"])
ENDS = st.sampled_from([b"", b"", b"\x00", b"b", b"ab"])
VALUES = st.sampled_from([b"1", b"x" * 60, None])
WRITES = st.dictionaries(KEYS, VALUES, min_size=1, max_size=4)
PLACES = st.integers(0, 99)
OPTIONS = st.fixed_dictionaries(
    {},
    optional={
        "progress_notify": st.booleans(),
        "no_put": st.booleans(),
        "no_delete": st.booleans(),
        "prev_kv": st.booleans(),
        "fragment": st.booleans(),
        "watch_id": st.integers(0, 3),
    },
)


class WatchDelivery(RuleBasedStateMachine):
    """Small limits, so that every one of them is met all the time."""

    def __init__(self) -> None:
        super().__init__()
        self.rig = Rig(
            buffer_responses_max=3,
            watch_batch_revisions_max=3,
            watchers_per_sync_max=2,
            pass_events_max=5,
            fragment_bytes=200,
            progress_interval_s=1.0,
        )
        self.clients: list[Client] = []
        self.compactions = self.rig.model.compactions

    def client(self, place: int) -> Client:
        """One of three clients, or a new one in the place of a closed one."""
        if len(self.clients) < 3:
            self.clients.append(self.rig.client())
        return self.clients[place % len(self.clients)]

    @rule(changes=WRITES)
    def write(self, changes: dict[bytes, bytes | None]) -> None:
        self.rig.write(changes)

    @rule(place=PLACES)
    def compact(self, place: int) -> None:
        store = self.rig.store
        lowest = max(store.compact_revision + 1, 1)
        if lowest <= store.current_revision:
            revision = lowest + place % (store.current_revision + 1 - lowest)
            self.rig.begin_compaction(revision)

    @rule()
    def step_compaction(self) -> None:
        self.rig.store.step_compaction(batch_limit=2)

    @rule(place=PLACES, key=KEYS, end=ENDS, start=st.integers(-12, 3), options=OPTIONS)
    def create(
        self, place: int, key: bytes, end: bytes, start: int, options: dict[str, int]
    ) -> None:
        """`start` counts from the current revision; -12 stands for 0, from now on."""
        client = self.client(place)
        if not client.stream.accepts_requests:
            return
        first = 0 if start == -12 else max(self.rig.store.current_revision + start, 1)
        client.create(key, end, start_revision=first, **options)

    @rule(place=PLACES, watch_id=st.integers(0, 5))
    def cancel(self, place: int, watch_id: int) -> None:
        client = self.client(place)
        if client.stream.accepts_requests:
            client.cancel(watch_id)

    @rule(place=PLACES)
    def request_progress(self, place: int) -> None:
        client = self.client(place)
        if client.stream.accepts_requests:
            client.stream.request_progress()

    @rule(place=PLACES, limit=st.integers(1, 4))
    def read(self, place: int, limit: int) -> None:
        client = self.client(place)
        client.read(limit)
        self.check_previous(client)

    @rule()
    def step_unsynced(self) -> None:
        self.rig.watch.step_unsynced()

    @rule()
    def step_victims(self) -> None:
        self.rig.watch.step_victims()

    @rule()
    def tick(self) -> None:
        self.rig.clock.advance(0.6)
        self.rig.watch.step_progress()

    @rule(place=PLACES)
    def close(self, place: int) -> None:
        client = self.client(place)
        client.stream.close()
        self.clients.remove(client)

    @rule(changes=st.lists(WRITES, max_size=3), reset_first=st.booleans())
    def receive_snapshot(
        self, changes: list[dict[bytes, bytes | None]], reset_first: bool
    ) -> None:
        """Changes that reach this member without a word to its watchers."""
        if reset_first:
            self.rig.watch.reset()
        self.rig.store.on_changes = None
        for each in changes:
            self.rig.write(each)
        self.rig.store.on_changes = self.rig.watch.notify
        if not reset_first:
            self.rig.watch.reset()

    @rule()
    def quiet(self) -> None:
        """Everybody reads until nothing more comes."""
        busy = True
        while busy:
            busy = any(client.drain() for client in self.clients)
        assert not self.rig.watch.has_unsynced
        assert not self.rig.watch.has_victims
        assert self.rig.watch.statistics().held_event_count == 0
        for client in self.clients:
            self.check_previous(client)
            for heard in client.heard.values():
                self.check_heard(client, heard)

    def check_heard(self, client: Client, heard: Heard) -> None:
        got = [change.plain for change in heard.changes]
        expected = client.expected(heard)
        if heard.start_revision in self.compactions:
            # Deletions of that revision are gone, unless it came too late.
            got = self.without_first_deletions(heard, got)
            expected = self.without_first_deletions(heard, expected)
        if heard.compact_revision is None:
            assert got == expected
            heard.complete_to = self.rig.store.current_revision
            return
        assert got == expected[: len(got)]
        assert heard.compact_revision in self.compactions
        assert heard.start_revision <= heard.compact_revision
        # Whoever had everything before a compaction cannot be refused for it.
        assert heard.compact_revision > heard.complete_to

    @staticmethod
    def without_first_deletions(heard: Heard, changes: list[Change]) -> list[Change]:
        return [
            change
            for change in changes
            if change.revision > heard.start_revision or change.type == EventType.PUT
        ]

    def check_previous(self, client: Client) -> None:
        """A previous pair is the right one; without a compaction it is there."""
        for heard in client.heard.values():
            for change in heard.changes:
                before = self.rig.value_before(change)
                if not heard.request.prev_kv:
                    assert change.previous is None
                elif not (change.previous is None and self.compactions):
                    assert change.previous == before

    @invariant()
    def accounts_agree(self) -> None:
        self.rig.check()
        for client in self.clients:
            assert bool(client.call_count) or not client.stream.has_output


TestWatchDelivery = WatchDelivery.TestCase
TestWatchDelivery.settings = effort(45, 50)
