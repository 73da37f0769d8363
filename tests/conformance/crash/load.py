"""Clients that write, each on its own keys, and remember what was acknowledged."""

import threading
from random import Random

import grpc

from miniet.pb import rpc_pb2
from tests.conformance.crash.history import Change, History, Write
from tests.support.etcd_calls import EtcdCalls, refusal_of

KEYS_PER_CLIENT = 12
LEASES_PER_CLIENT = 3
LEASE_TTL_S = 3600


class Client(threading.Thread):
    """Makes one call after the other until the server is gone."""

    def __init__(
        self, endpoint: str, number: int, history: History, random: Random
    ) -> None:
        super().__init__(daemon=True)
        self._endpoint = endpoint
        self._prefix = b"%d/" % number
        self._random = random
        self._compact_below = history.revision
        # What this client's keys and leases are by what it heard: nobody else's.
        self._lease_of = {
            key: pair.lease
            for key, pair in history.pairs.items()
            if key.startswith(self._prefix)
        }
        self._leases = [lease for lease in history.leases if lease >> 32 == number + 1]
        self._number = number
        self.acknowledged: list[Write] = []
        self.pending: list[Write] = []
        """At most one: sent and not answered."""
        self.error: BaseException | None = None

    def run(self) -> None:
        with EtcdCalls(self._endpoint) as calls:
            try:
                while True:
                    self._step(calls)
            except grpc.RpcError as error:
                if refusal_of(error).code != "UNAVAILABLE":
                    self.error = error
            except BaseException as error:
                self.error = error

    def _step(self, calls: EtcdCalls) -> None:
        steps = (
            (self._put, 60),
            (self._txn, 15),
            (self._delete_key, 10),
            (self._grant, 6),
            (self._revoke, 4),
            (self._compact, 3),
            (self._defragment, 2),
        )
        (step,) = self._random.choices(
            [step for step, _ in steps], [weight for _, weight in steps]
        )
        step(calls)

    def _put(self, calls: EtcdCalls) -> None:
        key, lease = self._key(), self._random.choice([0, *self._leases])
        write = self._begin([(key, self._value(), lease)])
        write.revision = calls.put(key, write.changes[0][1] or b"", lease)
        self._end(write)

    def _txn(self, calls: EtcdCalls) -> None:
        """Put two keys and delete a third if the first is as this client left it."""
        first, second, third = self._random.sample(range(KEYS_PER_CLIENT), 3)
        keys = [self._prefix + b"%d" % number for number in (first, second, third)]
        request = rpc_pb2.TxnRequest()
        compare = request.compare.add(key=keys[0])
        compare.target = rpc_pb2.Compare.VERSION
        compare.version = 0
        compare.result = (
            rpc_pb2.Compare.GREATER
            if keys[0] in self._lease_of
            else rpc_pb2.Compare.EQUAL
        )
        changes: list[Change] = []
        for key in keys[:2]:
            value = self._value()
            request.success.add().request_put.MergeFrom(
                rpc_pb2.PutRequest(key=key, value=value)
            )
            changes.append((key, value, 0))
        request.success.add().request_delete_range.key = keys[2]
        if keys[2] in self._lease_of:
            changes.append((keys[2], None, 0))
        write = self._begin(changes)
        answer = calls.txn(request)
        assert answer.succeeded
        write.revision = answer.header.revision
        self._end(write)

    def _delete_key(self, calls: EtcdCalls) -> None:
        key = self._key()
        write = self._begin([(key, None, 0)] if key in self._lease_of else [])
        answer = calls.delete(key)
        assert answer.deleted == len(write.changes)
        write.revision = answer.header.revision
        self._end(write)

    def _grant(self, calls: EtcdCalls) -> None:
        if len(self._leases) == LEASES_PER_CLIENT:
            return
        lease = self._number + 1 << 32 | self._random.getrandbits(32)
        write = self._begin([], grants=lease)
        calls.grant(lease, LEASE_TTL_S)
        self._leases.append(lease)
        self._end(write)

    def _revoke(self, calls: EtcdCalls) -> None:
        if not self._leases:
            return
        lease = self._random.choice(self._leases)
        attached = sorted(key for key, held in self._lease_of.items() if held == lease)
        write = self._begin([(key, None, 0) for key in attached], revokes=lease)
        write.revision = calls.revoke(lease)
        self._leases.remove(lease)
        self._end(write)

    def _compact(self, calls: EtcdCalls) -> None:
        # Only what was checked before: the check reads the rest of the history.
        revision = self._random.randint(1, self._compact_below)
        try:
            calls.compact(revision, physical=self._random.random() < 0.5)
        except grpc.RpcError as error:
            if refusal_of(error).code != "OUT_OF_RANGE":  # another was quicker
                raise

    def _defragment(self, calls: EtcdCalls) -> None:
        calls.defragment()

    def _key(self) -> bytes:
        return self._prefix + b"%d" % self._random.randrange(KEYS_PER_CLIENT)

    def _value(self) -> bytes:
        """A value that no other write has, of one byte to some pages."""
        size = self._random.choice((1, 1, 100, 100, 1000, 10_000))
        return self._random.randbytes(8) + bytes(size)

    def _begin(self, changes: list[Change], grants: int = 0, revokes: int = 0) -> Write:
        write = Write(changes, grants, revokes)
        self.pending = [write]
        return write

    def _end(self, write: Write) -> None:
        """The server has answered: from here on the write must be there."""
        self.acknowledged.append(write)
        self.pending = []
        for key, value, lease in write.changes:
            if value is None:
                del self._lease_of[key]
            else:
                self._lease_of[key] = lease
