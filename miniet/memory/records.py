"""Records as JSON: a dataclass is an object with its fields as keys, and back.

Reading is strict, because what it reads may be a file that somebody has edited: what
does not fit is refused with the place where it stands, as `process.resident_bytes`.
"""

import types
from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, fields, is_dataclass
from enum import StrEnum
from functools import cache
from typing import Any, TypeVar, Union, cast, get_args, get_origin, get_type_hints

Record = TypeVar("Record")


def to_json(value: Any) -> Any:
    """Return a record, or what records consist of, as `json.dumps` takes it."""
    if is_dataclass(value):
        return {spec.name: to_json(getattr(value, spec.name)) for spec in fields(value)}
    if isinstance(value, Mapping):
        return {str(key): to_json(part) for key, part in value.items()}
    if isinstance(value, str) or not isinstance(value, Sequence):
        return value
    return [to_json(part) for part in value]


def from_json(record: type[Record], document: Any, where: str = "") -> Record:
    """Take back what `to_json` made.

    Args:
        record: a dataclass; its annotations say what is expected.
        document: what `json.loads` returned.
        where: what the document is a part of, for messages: `stages[2]`.
    Raises:
        ValueError: it does not fit; in one line, with the field.
    """
    return cast(Record, _read(record, document, where))


def _read(hint: Any, value: Any, where: str) -> Any:
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        return _read_union(arguments, value, where)
    if isinstance(origin, type) and issubclass(origin, Mapping):
        _expect(isinstance(value, dict), where, "an object", value)
        key_hint, part_hint = arguments
        return {
            _read(key_hint, key, where): _read(part_hint, part, _below(where, key))
            for key, part in value.items()
        }
    if isinstance(origin, type) and issubclass(origin, Sequence):
        _expect(isinstance(value, list), where, "a list", value)
        parts = enumerate(value)
        return tuple(_read(arguments[0], part, f"{where}[{n}]") for n, part in parts)
    if is_dataclass(hint):
        return _read_record(hint, value, where)
    if isinstance(hint, type) and issubclass(hint, StrEnum):
        _expect(value in list(hint), where, f"a {hint.__name__.lower()}", value)
        return hint(value)
    expected, holds = _SCALARS[hint]
    _expect(holds(value), where, expected, value)
    return value


def _read_union(hints: tuple[Any, ...], value: Any, where: str) -> Any:
    """Read a scalar that may have several types, or a record that may be absent."""
    if value is None and type(None) in hints:
        return None
    hints = tuple(hint for hint in hints if hint is not type(None))
    for hint in hints:
        if hint in _SCALARS and _SCALARS[hint][1](value):
            return value
    return _read(hints[0], value, where)


def _read_record(record: Any, value: Any, where: str) -> Any:
    _expect(isinstance(value, dict), where, "an object", value)
    hints = _hints(record)
    for name in value.keys() - hints.keys():
        raise ValueError(f"{_below(where, name)}: there is no such field")
    for spec in fields(record):
        has_default = (spec.default, spec.default_factory) != (MISSING, MISSING)
        if spec.name not in value and not has_default:
            raise ValueError(f"{_below(where, spec.name)}: it is missing")
    return record(
        **{
            name: _read(hints[name], part, _below(where, name))
            for name, part in value.items()
        }
    )


@cache
def _hints(record: type) -> dict[str, Any]:
    return get_type_hints(record)


def _expect(holds: bool, where: str, expected: str, value: Any) -> None:
    if not holds:
        found = repr(value)
        found = found if len(found) <= 40 else f"{found[:37]}..."
        raise ValueError(f"{where or 'document'}: {expected} is expected, not {found}")


def _below(where: str, name: Any) -> str:
    return f"{where}.{name}" if where else str(name)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


_SCALARS: dict[Any, tuple[str, Callable[[Any], bool]]] = {
    int: ("a whole number", lambda value: _is_number(value) and type(value) is int),
    float: ("a number", _is_number),
    str: ("a text", lambda value: isinstance(value, str)),
    bool: ("true or false", lambda value: isinstance(value, bool)),
}
