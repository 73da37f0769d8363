"""The service `etcdserverpb.Maintenance`."""

import asyncio
import hashlib
from time import monotonic

from miniet.backend import (
    Backend,
    BackendBusyError,
    BoltSnapshot,
    ReadTx,
    hash_buckets,
)
from miniet.engine import VERSION
from miniet.engine.errors import BadLeaderTransfereeError
from miniet.engine.requests import AlarmType, RequestKind
from miniet.pb import rpc_pb2
from miniet.server.convert import Headers, response
from miniet.server.driver import Driver
from miniet.server.methods import Kind, Method, Stream
from miniet.server.recorders import Durations
from miniet.server.service import Service

_BUSY_PAUSE_S = 0.05
_ALARM_NAMES = {int(kind): kind.name for kind in AlarmType}

MEMORY_ONLY = "miniet: memory-only, nothing is kept when the server stops"


class MaintenanceService(Service):
    """Looking after this member: status, alarms, hashes, defragmentation."""

    def __init__(
        self,
        driver: Driver,
        headers: Headers,
        backend: Backend,
        durations: Durations,
        *,
        is_durable: bool,
    ) -> None:
        super().__init__(driver, headers)
        self._backend = backend
        self._durations = durations
        self._is_durable = is_durable

    def methods(self) -> list[Method]:
        """Return the rows of this service."""
        unary = (
            ("Alarm", rpc_pb2.AlarmRequest, self.alarm),
            ("Status", rpc_pb2.StatusRequest, self.status),
            ("Defragment", rpc_pb2.DefragmentRequest, self.defragment),
            ("Hash", rpc_pb2.HashRequest, self.hash),
            ("HashKV", rpc_pb2.HashKVRequest, self.hash_kv),
            ("MoveLeader", rpc_pb2.MoveLeaderRequest, self.move_leader),
        )
        return [
            *(
                Method(
                    f"/etcdserverpb.Maintenance/{name}",
                    request_type,
                    Kind.UNARY,
                    handler,
                )
                for name, request_type, handler in unary
            ),
            Method(
                "/etcdserverpb.Maintenance/Snapshot",
                rpc_pb2.SnapshotRequest,
                Kind.SERVER_STREAM,
                self.snapshot,
            ),
        ]

    async def alarm(self, request: rpc_pb2.AlarmRequest) -> bytes:
        """Ask for, raise or lift alarms; the answer has no header, as in 3.4."""
        result = await self._driver.propose(
            RequestKind.ALARM, request.SerializeToString()
        )
        answer = rpc_pb2.AlarmResponse()
        for member_id, kind in result.alarms:
            answer.alarms.add(memberID=member_id, alarm=kind)
        return answer.SerializeToString()

    async def status(self, request: rpc_pb2.StatusRequest) -> bytes:
        """Tell how this member is; works without a leader."""
        engine = self._engine
        backend = self._backend.statistics()
        answer = rpc_pb2.StatusResponse(
            version=VERSION,
            dbSize=backend.size_bytes,
            dbSizeInUse=backend.size_in_use_bytes,
            leader=engine.leader_id,
            raftIndex=engine.committed_index,
            raftTerm=engine.term,
            raftAppliedIndex=engine.applied_index,
        )
        if not engine.leader_id:
            answer.errors.append("etcdserver: no leader")
        for member_id, kind in engine.alarms.matching(AlarmType.NONE):
            answer.errors.append(f"memberID:{member_id} alarm:{_alarm_name(kind)} ")
        if not self._is_durable:
            answer.errors.append(MEMORY_ONLY)
        return response(self._header(), answer)

    async def defragment(self, request: rpc_pb2.DefragmentRequest) -> bytes:
        """Give free pages back to the file system; the answer has no header."""
        while not self._try_defragment():  # noqa: ASYNC110 (readers tell nobody)
            await asyncio.sleep(_BUSY_PAUSE_S)
        return b""

    def _try_defragment(self) -> bool:
        """Do it, unless a snapshot or hash still reads the old file."""
        begun_s = monotonic()
        try:
            self._backend.defragment()
        except BackendBusyError:
            return False
        self._durations.backend_defrag_s.observe(monotonic() - begun_s)
        return True

    async def hash(self, request: rpc_pb2.HashRequest) -> bytes:
        """Hash the whole backend."""
        begun_s = monotonic()
        with self._read_tx() as read_tx:
            value = await self._driver.in_thread(lambda: hash_buckets(read_tx))
        self._durations.hash_s.observe(monotonic() - begun_s)
        return response(self._header(), rpc_pb2.HashResponse(hash=value))

    async def hash_kv(self, request: rpc_pb2.HashKVRequest) -> bytes:
        """Hash the key space as of a revision."""
        begun_s = monotonic()
        job = self._engine.store.prepare_hash(request.revision)
        header = self._header()
        with self._read_tx() as read_tx:
            value = await self._driver.in_thread(lambda: job.run(read_tx))
        self._durations.hash_kv_s.observe(monotonic() - begun_s)
        return response(
            header,
            rpc_pb2.HashKVResponse(hash=value, compact_revision=job.compact_revision),
        )

    async def move_leader(self, request: rpc_pb2.MoveLeaderRequest) -> bytes:
        """Hand leadership to the only member there is, which has it."""
        if request.targetID != self._engine.leader_id:
            raise BadLeaderTransfereeError(request.targetID)
        return b""

    async def snapshot(self, stream: Stream) -> None:
        """Stream the backend as a bbolt file, then its SHA-256."""
        begun_s = monotonic()
        with self._read_tx() as read_tx:
            file = await self._driver.in_thread(lambda: BoltSnapshot(read_tx))
            remaining = file.size_bytes
            digest = hashlib.sha256()
            for blob in file:
                remaining -= len(blob)
                digest.update(blob)
                await stream.send(
                    rpc_pb2.SnapshotResponse(
                        remaining_bytes=remaining, blob=blob
                    ).SerializeToString()
                )
        await stream.send(
            rpc_pb2.SnapshotResponse(blob=digest.digest()).SerializeToString()
        )
        self._durations.backend_snapshot_s.observe(monotonic() - begun_s)

    def _read_tx(self) -> ReadTx:
        """Open a read of everything applied so far, for a thread to use."""
        self._backend.commit()
        return self._backend.read_tx()


def _alarm_name(kind: int) -> str:
    return _ALARM_NAMES.get(kind, str(kind))
