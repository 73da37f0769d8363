"""The observer and the followers: watchers of all kinds, each held to the ledger."""

import threading
from random import Random
from typing import Any

from miniet.client import ClientError, EtcdClient
from miniet.client.watch import WatchStream, watcher_of
from tests.soak.ledger import WAIT_SECONDS_MAX, Cursor, Ledger, now_s
from tests.soak.load import Worker
from tests.soak.settings import Settings

_CURSORS_MAX = 3
_RESUMES_MAX = 10
_ALL = (b"\0", b"x")
"""Every key that writers use."""


class Observer(threading.Thread):
    """One watcher of everything, from the first revision to the last."""

    def __init__(self, endpoint: str, ledger: Ledger) -> None:
        super().__init__(name="observer", daemon=True)
        self._ledger = ledger
        self._client = EtcdClient(endpoint)
        self._stream = self._client.watch([watcher_of(*_ALL, start_revision=1)])
        self._stream.wait_created()
        self._is_ending = False

    def run(self) -> None:
        try:
            while True:
                response = self._stream.receive()
                if response.canceled:
                    self._ledger.fault(f"the observer was ended: {response}")
                    return
                self._ledger.observe(response.events)
        except ClientError as error:
            if not self._is_ending:
                self._ledger.fault(f"observer: {error}")

    def close(self) -> None:
        """End the watcher and its connection."""
        self._is_ending = True
        self._stream.cancel()
        self._client.close()
        self.join(WAIT_SECONDS_MAX)


class Follower(Worker):
    """Opens a stream of some watchers, reads it or dawdles, leaves, and comes back.

    Half of the time it comes back for what it has not had: its watchers begin in the
    past, where it stopped.
    """

    def __init__(
        self,
        number: int,
        endpoint: str,
        ledger: Ledger,
        rng: Random,
        settings: Settings,
    ) -> None:
        super().__init__(f"follower {number}", endpoint, ledger, rng)
        self._settings = settings
        self._cursors: list[Cursor] = []
        self._resumes = 0
        self.event_count = 0

    def work(self) -> None:
        while not self.stopping.is_set():
            if not self._cursors or self._resumes >= _RESUMES_MAX:
                self._forget()
                self._cursors = self._new_cursors()
            is_slow = self.rng.random() < 0.3
            end_s = now_s() + self.rng.uniform(0.2, min(20, self._settings.seconds / 5))
            with EtcdClient(self.endpoint) as client:
                stream = self._open(client)
                while now_s() < end_s and not self.stopping.is_set():
                    if not self._take(stream.receive()):
                        break  # the next session begins it anew
                    if is_slow:
                        self.stopping.wait(self.rng.uniform(0, 1))
                stream.cancel()
            if self.rng.random() < 0.5:
                self._resumes += 1
                self.stopping.wait(self.rng.uniform(0, 2))
            else:
                self._forget()

    def finish(self, last_revision: int) -> None:
        """After the load: come back once more, and get all that is still owed."""
        deadline_s = now_s() + WAIT_SECONDS_MAX
        while owed := self._owed(last_revision):
            if now_s() > deadline_s:
                self.ledger.fault(f"{self.name} never heard of {owed}")
                break
            with EtcdClient(self.endpoint) as client:
                stream = self._open(client)
                timer = threading.Timer(deadline_s - now_s(), stream.cancel)
                timer.start()
                try:
                    # One that compaction has ended goes on in another stream.
                    while self._owed(last_revision) and self._take(stream.receive()):
                        pass
                except ClientError as error:
                    self.ledger.fault(f"{self.name}: {error}")
                    break
                finally:
                    timer.cancel()
                    stream.cancel()
        self._forget()

    def _owed(self, last_revision: int) -> str:
        """Say what is still to come up to a revision; nothing if all has."""
        owed = [cursor.wait_owed(last_revision)[:1] for cursor in self._cursors]
        return str(owed) if any(owed) else ""

    def _open(self, client: EtcdClient) -> WatchStream:
        """Begin the watchers, ids 0, 1, ... in the order of the cursors."""
        self.calls["opened"] += 1
        return client.watch(
            watcher_of(c.key, c.range_end, start_revision=c.begin())
            for c in self._cursors
        )

    def _take(self, response: Any) -> bool:
        """Check a response; False if it ends one of the watchers."""
        if response.created:
            if response.canceled:
                self.ledger.fault(f"{self.name}: {response.cancel_reason}")
            return True
        cursor = self._cursors[response.watch_id]
        if response.canceled:
            cursor.skip_to(response.compact_revision)
            self.calls["compacted"] += 1
            return False
        cursor.take(response.events)
        return True

    def _new_cursors(self) -> list[Cursor]:
        """The first is of a busy range, so that the stream never falls silent."""
        writers = range(self._settings.writers)
        prefix = b"w%02d/" % self.rng.choice(writers)
        ranges = [self.rng.choice([_ALL, (prefix, prefix[:-1] + b"0")])]
        for _ in range(self.rng.randrange(_CURSORS_MAX)):
            key = prefix + b"%04d" % self.rng.randrange(100)
            ranges.append(self.rng.choice([(key, b""), (key, prefix + b"~")]))
        newest = self.ledger.revision
        past = self.rng.choice([0, 0, 50, 1000])
        start = max(newest - past, 2)
        return [self.ledger.follow(key, end, start) for key, end in ranges]

    def _forget(self) -> None:
        for cursor in self._cursors:
            self.event_count += cursor.event_count
            self.calls["resumed at a compacted deletion"] += cursor.spared_count
        self._cursors = []
        self._resumes = 0
