"""Short ways to write the parts of a txn."""

from typing import Any

from miniet.pb import rpc_pb2


def put(key: bytes, value: bytes = b"", **options: Any) -> rpc_pb2.RequestOp:
    """A put as an operation of a txn."""
    request = rpc_pb2.PutRequest(key=key, value=value, **options)
    return rpc_pb2.RequestOp(request_put=request)


def get(key: bytes, range_end: bytes = b"", **options: Any) -> rpc_pb2.RequestOp:
    """A range as an operation of a txn."""
    request = rpc_pb2.RangeRequest(key=key, range_end=range_end, **options)
    return rpc_pb2.RequestOp(request_range=request)


def delete(key: bytes, range_end: bytes = b"", **options: Any) -> rpc_pb2.RequestOp:
    """A delete as an operation of a txn."""
    request = rpc_pb2.DeleteRangeRequest(key=key, range_end=range_end, **options)
    return rpc_pb2.RequestOp(request_delete_range=request)


def nested(**fields: Any) -> rpc_pb2.RequestOp:
    """A txn as an operation of a txn."""
    return rpc_pb2.RequestOp(request_txn=rpc_pb2.TxnRequest(**fields))


def compare(
    target: str, key: bytes, result: str, operand: Any = None, range_end: bytes = b""
) -> rpc_pb2.Compare:
    """A compare: `compare("VERSION", b"a", "EQUAL", 1)`; no operand: none is set."""
    request = rpc_pb2.Compare(
        target=target, key=key, result=result, range_end=range_end
    )
    if operand is not None:
        setattr(request, _OPERAND_FIELDS[target], operand)
    return request


_OPERAND_FIELDS = {
    "VERSION": "version",
    "CREATE": "create_revision",
    "MOD": "mod_revision",
    "VALUE": "value",
    "LEASE": "lease",
}
