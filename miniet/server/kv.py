"""The service `etcdserverpb.KV`."""

from miniet.engine import quota, txn, validation
from miniet.engine.requests import (
    PutRequest,
    RequestKind,
    delete_range_request,
    range_query,
    read_put,
    txn_request,
)
from miniet.engine.results import TxnResult
from miniet.pb import rpc_pb2
from miniet.server.convert import (
    Headers,
    delete_range_response,
    put_response,
    range_response,
    txn_response,
)
from miniet.server.driver import Driver
from miniet.server.methods import Kind, Method
from miniet.server.service import Service


class KvService(Service):
    """Range, put, delete, txn and compaction."""

    def __init__(self, driver: Driver, headers: Headers, txn_ops_max: int) -> None:
        super().__init__(driver, headers)
        self._txn_ops_max = txn_ops_max

    def methods(self) -> list[Method]:
        """Return the rows of this service."""
        return [
            Method(
                "/etcdserverpb.KV/Put",
                rpc_pb2.PutRequest,
                Kind.UNARY,
                self.put,
                parse=read_put,
            ),
            *(
                Method(f"/etcdserverpb.KV/{name}", request_type, Kind.UNARY, handler)
                for name, request_type, handler in (
                    ("Range", rpc_pb2.RangeRequest, self.range),
                    ("DeleteRange", rpc_pb2.DeleteRangeRequest, self.delete_range),
                    ("Txn", rpc_pb2.TxnRequest, self.txn),
                    ("Compact", rpc_pb2.CompactionRequest, self.compact),
                )
            ),
        ]

    async def range(self, request: rpc_pb2.RangeRequest) -> bytes:
        """Read keys, linearizably unless the request says serializable."""
        query = range_query(request)
        validation.check_range(query)
        if not query.serializable:
            await self._driver.read_point()
        result = self._engine.store.read().range(query)
        return range_response(self._header(result.revision), result)

    async def put(self, request: tuple[bytes, PutRequest]) -> bytes:
        """Write one key."""
        body, record = request
        self._engine.check_quota(quota.put_cost_bytes(record))
        validation.check_put(record)
        result = await self._driver.propose(RequestKind.PUT, body, record)
        return put_response(self._header(result.revision), result)

    async def delete_range(self, request: rpc_pb2.DeleteRangeRequest) -> bytes:
        """Delete keys."""
        record = delete_range_request(request)
        validation.check_range(record)
        result = await self._driver.propose(
            RequestKind.DELETE_RANGE, request.SerializeToString(), record
        )
        return delete_range_response(self._header(result.revision), result)

    async def txn(self, request: rpc_pb2.TxnRequest) -> bytes:
        """Compare, then carry out one of two branches; only ranges: like a read."""
        record = txn_request(request)
        self._engine.check_quota(quota.txn_cost_bytes(record))
        validation.check_txn(record, self._txn_ops_max)
        result: TxnResult
        if txn.is_read_only(record):
            if not txn.is_serializable(record):
                await self._driver.read_point()
            result = txn.execute(record, self._engine.store, self._engine.lessor)
        else:
            result = await self._driver.propose(
                RequestKind.TXN, request.SerializeToString(), record
            )
        return txn_response(self._header(result.revision), result)

    async def compact(self, request: rpc_pb2.CompactionRequest) -> bytes:
        """Forget history; with `physical`, wait until it is out of the backend."""
        result = await self._driver.propose(
            RequestKind.COMPACTION, request.SerializeToString()
        )
        return self._header(result.revision)
