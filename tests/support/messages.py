"""All of miniet's message classes, and random messages of each."""

import importlib
import pkgutil
from random import Random
from types import ModuleType
from typing import Any

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

from miniet import pb

EDGES = {
    FieldDescriptor.CPPTYPE_INT64: (0, 1, -1, 127, 128, 2**63 - 1, -(2**63)),
    FieldDescriptor.CPPTYPE_UINT64: (0, 1, 127, 128, 2**64 - 1),
    FieldDescriptor.CPPTYPE_UINT32: (0, 1, 2**32 - 1),
    FieldDescriptor.CPPTYPE_BOOL: (False, True),
}
DEPTH_MAX = 4


def modules() -> list[ModuleType]:
    """Return the generated modules, imported."""
    return [
        importlib.import_module(f"miniet.pb.{module.name}")
        for module in pkgutil.iter_modules(pb.__path__)
        if module.name.endswith("_pb2")
    ]


def message_classes() -> list[type[Message]]:
    """Return every message class that stands at the top of a module."""
    return [
        GetMessageClass(descriptor)
        for module in modules()
        for descriptor in module.DESCRIPTOR.message_types_by_name.values()
    ]


def random_message(descriptor: Descriptor, random: Random, depth: int = 0) -> Message:
    """Set about half of the fields, zeros and extremes among the values."""
    message = GetMessageClass(descriptor)()
    for field in descriptor.fields:
        if random.random() < 0.5 or depth == DEPTH_MAX:
            continue
        if field.is_repeated:
            values = [_value(field, random, depth) for _ in range(random.randrange(3))]
            getattr(message, field.name).extend(values)
        elif field.message_type is not None:
            getattr(message, field.name).CopyFrom(_value(field, random, depth))
        else:
            setattr(message, field.name, _value(field, random, depth))
    return message


def _value(field: FieldDescriptor, random: Random, depth: int) -> Any:
    if field.message_type is not None:
        return random_message(field.message_type, random, depth + 1)
    if field.enum_type is not None:
        return random.choice(field.enum_type.values).number
    if field.type == FieldDescriptor.TYPE_STRING:
        return random.choice(("", "name", "Ünïcödé"))
    if field.type == FieldDescriptor.TYPE_BYTES:
        return random.randbytes(random.choice((0, 1, 127, 128, 300)))
    return random.choice(EDGES[field.cpp_type])
