"""Writers and the keeper: the calls that change and read the server."""

import threading
from collections import Counter
from collections.abc import Callable, Sequence
from random import Random
from typing import Any
from zlib import crc32

from miniet.pb import rpc_pb2
from tests.soak.ledger import WAIT_SECONDS_MAX, Acknowledged, Ledger, now_s
from tests.soak.settings import WRITER_KEYS, Settings
from tests.support.api_client import ApiClient, CallRefused, Refusal, StreamCall

LEASES_MAX = 6
_COMPACTED = "etcdserver: mvcc: required revision has been compacted"
_EXPECTED = {
    ("OUT_OF_RANGE", _COMPACTED),
    ("NOT_FOUND", "etcdserver: requested lease not found"),
}


class Worker:
    """A client that does one step after the other until it is told to stop."""

    def __init__(self, name: str, endpoint: str, ledger: Ledger, rng: Random) -> None:
        # Not a thread itself: that has methods of the names of steps.
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self.name = name
        self.endpoint = endpoint
        self.ledger = ledger
        self.rng = rng
        self.stopping = threading.Event()
        self.calls: Counter[str] = Counter()
        """Steps by kind, and expected refusals by text."""

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """Let it end after its present step."""
        self.stopping.set()

    def wait_end(self) -> None:
        """Wait for its end; that it does not come is a fault."""
        self._thread.join(WAIT_SECONDS_MAX)
        if self._thread.is_alive():
            self.ledger.fault(f"{self.name} still waits for an answer")

    def _run(self) -> None:
        try:
            self.work()
        except Exception as error:
            self.ledger.fault(f"{self.name}: {type(error).__name__}: {error}")

    def work(self) -> None:
        """Do it all; what is raised is a fault of the server, or of the soak."""
        raise NotImplementedError

    def attempt(self, step: Callable[[], None]) -> None:
        """Do one step; a refusal that belongs to the load is only counted."""
        try:
            step()
        except CallRefused as error:
            refusal = error.refusal
            if (refusal.code, refusal.text) not in _EXPECTED:
                self.ledger.fault(f"{self.name}: {refusal}")
            self.calls[f"refused: {refusal.text}"] += 1


class Writer(Worker):
    """Writes keys of its own, reads all kinds of ranges, and holds leases."""

    def __init__(
        self,
        number: int,
        endpoint: str,
        ledger: Ledger,
        rng: Random,
        settings: Settings,
    ) -> None:
        super().__init__(f"writer {number}", endpoint, ledger, rng)
        self._prefix = b"w%02d/" % number
        self._settings = settings
        # Values of own keys that hold no lease: nobody else changes those.
        self._known: dict[bytes, bytes | None] = {}
        self._leases: list[int] = []
        self._client = ApiClient(endpoint)
        self._renewals: StreamCall | None = None

    def work(self) -> None:
        pause_s = self._settings.writers / self._settings.operations_per_s
        steps = {
            self._put: 50,
            self._delete: 8,
            self._delete_range: 2,
            self._txn: 12,
            self._read_known: 8,
            self._range: 12,
            self._grant: 4,
            self._renew: 6,
            self._revoke: 1,
            self._reconnect: 1,
        }
        due_s = now_s()
        try:
            while not self.stopping.wait(max(due_s - now_s(), 0)):
                due_s = max(due_s, now_s() - 1) + pause_s
                (step,) = self.rng.choices(list(steps), list(steps.values()))
                self.calls[step.__name__.removeprefix("_")] += 1
                self.attempt(step)
        finally:
            self._client.close()

    # Writes

    def _put(self) -> None:
        key, value = self._key(), self._value()
        lease = self.rng.choice([0, 0, *self._leases])
        self._known.pop(key, None)
        answer = self._client.call("Put", key=key, value=value, lease=lease)
        if not lease:
            self._known[key] = value
        self._acknowledge(answer, [(key, value)])

    def _delete(self) -> None:
        key = self._key()
        self._known[key] = None
        answer = self._client.call("DeleteRange", key=key)
        self._acknowledge(answer, deleted=answer.deleted)

    def _delete_range(self) -> None:
        begin = self.rng.randrange(WRITER_KEYS - 10)
        keys = [self._numbered(begin + n) for n in range(10)]
        self._known |= dict.fromkeys(keys)
        end = self._numbered(begin + 10)
        answer = self._client.call(
            "DeleteRange", key=keys[0], range_end=end, prev_kv=self.rng.random() < 0.5
        )
        self._acknowledge(answer, deleted=answer.deleted)

    def _txn(self) -> None:
        """Two puts and a deletion, by turns in the success and the failure branch."""
        numbers = self.rng.sample(range(WRITER_KEYS), 3)
        first, second, third = map(self._numbered, numbers)
        compare = rpc_pb2.Compare(key=first, target=rpc_pb2.Compare.VERSION)
        compare.result = self.rng.choice(
            [rpc_pb2.Compare.GREATER, rpc_pb2.Compare.EQUAL]
        )
        request = rpc_pb2.TxnRequest(compare=[compare])
        puts = [(first, self._value()), (second, self._value())]
        for branch in (request.success, request.failure):
            for key, value in puts:
                put = rpc_pb2.PutRequest(key=key, value=value)
                branch.add().request_put.MergeFrom(put)
            branch.add().request_delete_range.key = third
            branch.add().request_range.key = second
        answer = self._client.send("Txn", request)
        self._known |= {**dict(puts), third: None}
        deleted = answer.responses[2].response_delete_range.deleted
        self._acknowledge(answer, puts, deleted)
        if answer.responses[3].response_range.kvs[0].value != puts[1][1]:
            self.ledger.fault(f"{self.name}: a txn does not see its own put")

    def _acknowledge(
        self, answer: Any, puts: Sequence[tuple[bytes, bytes]] = (), deleted: int = 0
    ) -> None:
        if puts or deleted:
            written = tuple((key, crc32(value)) for key, value in puts)
            self.ledger.acknowledge(
                answer.header.revision, Acknowledged(written, deleted)
            )

    # Reads

    def _read_known(self) -> None:
        """A linearizable read of a key that nobody else writes."""
        if not self._known:
            return
        key = self.rng.choice(list(self._known))
        answer = self._client.call("Range", key=key)
        found = answer.kvs[0].value if answer.kvs else None
        if found != self._known[key]:
            self.ledger.fault(f"{self.name}: {key!r} is not as it was written")

    def _range(self) -> None:
        limit = self.rng.choice([0, 0, 1, 20])
        oldest = max(self.ledger.revision - 8000, 1)
        past = self.rng.randint(oldest, max(self.ledger.revision, 1))
        answer = self._client.call(
            "Range",
            key=self.rng.choice([self._prefix, b"\0"]),
            range_end=self._prefix[:-1] + b"0",
            limit=limit,
            revision=self.rng.choice([0, 0, past]),
            sort_order=self.rng.randrange(3),
            sort_target=self.rng.randrange(5),
            serializable=self.rng.random() < 0.3,
            keys_only=self.rng.random() < 0.3,
            count_only=self.rng.random() < 0.2,
        )
        if 0 < limit < len(answer.kvs) or answer.count < len(answer.kvs):
            self.ledger.fault(f"{self.name}: {len(answer.kvs)} of {answer.count} pairs")

    # Leases and connections

    def _grant(self) -> None:
        if len(self._leases) >= LEASES_MAX:
            # Left alone from here on: it runs out, and takes its keys along.
            self._leases.pop(0)
        answer = self._client.call("LeaseGrant", TTL=self._settings.lease_ttl_s)
        self._leases.append(answer.ID)

    def _renew(self) -> None:
        if not self._leases:
            return
        if self._renewals is None:
            self._renewals = self._client.keep_alive()
        lease = self.rng.choice(self._leases)
        self._renewals.send(rpc_pb2.LeaseKeepAliveRequest(ID=lease))
        if self._renewals.receive().TTL == 0:
            self._leases.remove(lease)

    def _revoke(self) -> None:
        if self._leases:
            lease = self._leases.pop(self.rng.randrange(len(self._leases)))
            self._client.call("LeaseRevoke", ID=lease)

    def _reconnect(self) -> None:
        self._client.close()
        self._client, self._renewals = ApiClient(self.endpoint), None

    def _key(self) -> bytes:
        return self._numbered(self.rng.randrange(WRITER_KEYS))

    def _numbered(self, number: int) -> bytes:
        return self._prefix + b"%04d" % number

    def _value(self) -> bytes:
        size = self.rng.choice((8, 100, 100, 500, self._settings.value_bytes_max))
        return self.rng.randbytes(size)


class Keeper(Worker):
    """What an operator does now and then: compact, defragment, save, hash."""

    def __init__(
        self, endpoint: str, ledger: Ledger, rng: Random, settings: Settings
    ) -> None:
        super().__init__("keeper", endpoint, ledger, rng)
        # Ten rounds in a short run, one each six seconds in a long one.
        self._pause_s = min(settings.seconds / 10, 6.0)
        self._kept = int(settings.operations_per_s * settings.retention_s / 2)

    def work(self) -> None:
        steps = (self._compact, self._save, self._compact, self._hash, self._defragment)
        turn = 0
        with ApiClient(self.endpoint) as client:
            while not self.stopping.wait(self._pause_s):
                step = steps[turn % len(steps)]
                turn += 1
                self.calls[step.__name__.removeprefix("_")] += 1
                self.attempt(lambda: step(client))  # noqa: B023 (called at once)

    def _compact(self, client: ApiClient) -> None:
        revision = self.ledger.revision - self._kept
        if revision > 0:
            physical = self.rng.random() < 0.5
            client.call("Compact", revision=revision, physical=physical)

    def _save(self, client: ApiClient) -> None:
        parts = client.snapshot()
        if not parts or parts[-1].remaining_bytes:
            self.ledger.fault("keeper: a snapshot ended too soon")

    def _hash(self, client: ApiClient) -> None:
        client.call("HashKV")

    def _defragment(self, client: ApiClient) -> None:
        client.call("Defragment")


def is_compacted(endpoint: str, revision: int) -> bool:
    """Ask whether compaction has come to a revision: the one before is gone then."""
    with ApiClient(endpoint) as client:
        try:
            client.call("Range", key=b"\0", revision=revision - 1, count_only=True)
        except CallRefused as error:
            return error.refusal == Refusal("OUT_OF_RANGE", _COMPACTED)
    return False
