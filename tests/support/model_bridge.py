"""Between the model and miniet: the same requests, answers and refusals in both."""

from collections.abc import Callable, Iterable
from typing import Any

from google.protobuf.message import Message

from miniet.engine.errors import KeyNotFoundError
from miniet.engine.results import DeleteRangeResult, PutResult, TxnResult
from miniet.errors import RequestError
from miniet.lease import (
    LeaseExistsError,
    LeaseExpiredError,
    LeaseNotFoundError,
    LeaseTtlTooLargeError,
    NotPrimaryError,
)
from miniet.mvcc import (
    CompactedError,
    FutureRevisionError,
    KeyValue,
    RangeQuery,
    RangeResult,
    SortOrder,
    SortTarget,
)
from miniet.pb import rpc_pb2
from tests.support.model_api import (
    Change,
    Compare,
    CompareTarget,
    DeleteAnswer,
    DeleteRange,
    Operation,
    Put,
    PutAnswer,
    Range,
    RangeAnswer,
    Refusal,
    Refused,
    Txn,
    TxnAnswer,
)

REFUSALS: dict[type[RequestError], Refusal] = {
    CompactedError: Refusal.COMPACTED,
    FutureRevisionError: Refusal.FUTURE_REVISION,
    KeyNotFoundError: Refusal.KEY_NOT_FOUND,
    LeaseNotFoundError: Refusal.LEASE_NOT_FOUND,
    LeaseExistsError: Refusal.LEASE_EXISTS,
    LeaseTtlTooLargeError: Refusal.LEASE_TTL_TOO_LARGE,
    LeaseExpiredError: Refusal.LEASE_EXPIRED,
    NotPrimaryError: Refusal.NOT_PRIMARY,
}


def outcome(call: Callable[[], Any]) -> Any:
    """Return the answer, or the refusal, to a call of the model or of miniet.

    Both come out as tuples and the model's words, so that they can be compared.
    """
    try:
        return plain(call())
    except Refused as refused:
        return refused.refusal
    except RequestError as error:
        return plain(error)


def plain(answer: Any) -> Any:
    """Bring an answer of the model or of miniet into the form of both."""
    match answer:
        case RequestError():
            return REFUSALS[type(answer)]
        case RangeAnswer():
            pairs = [key_value(pair) for pair in answer.pairs]
            return ("range", answer.revision, pairs, answer.count, answer.more)
        case RangeResult():
            pairs = _decoded(answer.kvs)
            return ("range", answer.revision, pairs, answer.count, answer.more)
        case PutAnswer():
            previous = [] if answer.previous is None else [key_value(answer.previous)]
            return ("put", answer.revision, previous)
        case PutResult():
            previous = [] if answer.prev_kv is None else _decoded([answer.prev_kv])
            return ("put", answer.revision, previous)
        case DeleteAnswer():
            previous = [key_value(pair) for pair in answer.previous]
            return ("delete", answer.revision, answer.deleted, previous)
        case DeleteRangeResult():
            previous = _decoded(answer.prev_kvs)
            return ("delete", answer.revision, answer.deleted, previous)
        case TxnAnswer():
            return (answer.revision, *_plain_txn(answer.succeeded, answer.answers))
        case TxnResult():
            return (answer.revision, *_plain_txn(answer.succeeded, answer.responses))
    return answer


def _plain_txn(succeeded: bool, answers: Iterable[Any]) -> tuple[Any, ...]:
    """Leave out the revisions of nested txns, which no client gets."""
    parts = [
        _plain_txn(answer.succeeded, answer.answers)
        if isinstance(answer, TxnAnswer)
        else _plain_txn(answer.succeeded, answer.responses)
        if isinstance(answer, TxnResult)
        else plain(answer)
        for answer in answers
    ]
    return ("txn", succeeded, parts)


def _decoded(kvs: Iterable[bytes]) -> list[KeyValue]:
    return [KeyValue.decode(kv) for kv in kvs]


def key_value(pair: Change) -> KeyValue:
    """Return a pair of the model as miniet decodes it."""
    assert pair.value is not None
    return KeyValue(
        pair.key,
        pair.create_revision,
        pair.revision,
        pair.version,
        pair.value,
        pair.lease,
    )


def query(request: Range) -> RangeQuery:
    """Return a range as the store is asked for it."""
    fields = vars(request) | {
        "sort_order": SortOrder(request.sort_order),
        "sort_target": SortTarget(request.sort_target),
    }
    return RangeQuery(**fields)


def message(request: Operation) -> Message:
    """Return a request as a client sends it."""
    match request:
        case Put():
            return rpc_pb2.PutRequest(**vars(request))
        case DeleteRange():
            return rpc_pb2.DeleteRangeRequest(**vars(request))
        case Range():
            return rpc_pb2.RangeRequest(**vars(request))
        case Txn():
            return rpc_pb2.TxnRequest(
                compare=map(_compare, request.compare),
                success=map(_operation, request.success),
                failure=map(_operation, request.failure),
            )


def _operation(request: Operation) -> rpc_pb2.RequestOp:
    kinds = {
        Put: "request_put",
        DeleteRange: "request_delete_range",
        Range: "request_range",
        Txn: "request_txn",
    }
    fields: dict[str, Any] = {kinds[type(request)]: message(request)}
    return rpc_pb2.RequestOp(**fields)


_OPERANDS = {
    CompareTarget.VERSION: "version",
    CompareTarget.CREATE: "create_revision",
    CompareTarget.MOD: "mod_revision",
    CompareTarget.VALUE: "value",
    CompareTarget.LEASE: "lease",
}


def _compare(compare: Compare) -> rpc_pb2.Compare:
    fields: dict[str, Any] = {
        "key": compare.key,
        "range_end": compare.range_end,
        "result": compare.result,
        "target": compare.target,
        _OPERANDS[CompareTarget(compare.target)]: compare.operand,
    }
    return rpc_pb2.Compare(**fields)
