"""A protobuf schema as sorted lines of text, to compare and to read.

Three shapes of line, names in full:

    etcdserverpb.RangeRequest.limit = 3 int64
    etcdserverpb.RangeRequest.SortOrder.ASCEND = 1
    /etcdserverpb.KV/Range etcdserverpb.RangeRequest -> etcdserverpb.RangeResponse
"""

from collections.abc import Iterable, Iterator

from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    EnumDescriptorProto,
    FieldDescriptorProto,
    FileDescriptorProto,
)


def describe(file: FileDescriptorProto) -> Iterator[str]:
    """Walk the lines of one file: messages, enums, methods."""
    for message in file.message_type:
        yield from _message(message, f"{file.package}.{message.name}", file.syntax)
    for enum in file.enum_type:
        yield from _enum(enum, f"{file.package}.{enum.name}")
    for service in file.service:
        for method in service.method:
            takes = "stream " * method.client_streaming + method.input_type[1:]
            gives = "stream " * method.server_streaming + method.output_type[1:]
            yield f"/{file.package}.{service.name}/{method.name} {takes} -> {gives}"


def _message(message: DescriptorProto, name: str, syntax: str) -> Iterator[str]:
    yield name
    oneofs = [oneof.name for oneof in message.oneof_decl]
    for field in message.field:
        yield f"{name}.{field.name} = {' '.join(_field(field, oneofs, syntax))}"
    for nested in message.nested_type:
        yield from _message(nested, f"{name}.{nested.name}", syntax)
    for enum in message.enum_type:
        yield from _enum(enum, f"{name}.{enum.name}")


def _field(
    field: FieldDescriptorProto, oneofs: list[str], syntax: str
) -> Iterable[str]:
    yield str(field.number)
    if field.label == field.LABEL_REPEATED:
        yield "repeated"
    elif syntax != "proto3":
        yield "optional"
    yield field.type_name[1:] or field.Type.Name(field.type)[5:].lower()
    if field.HasField("oneof_index"):
        yield f"in {oneofs[field.oneof_index]}"


def _enum(enum: EnumDescriptorProto, name: str) -> Iterator[str]:
    return (f"{name}.{value.name} = {value.number}" for value in enum.value)
