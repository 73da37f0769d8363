"""Names and numbers of the messages: `schema.txt` beside this file says which."""

from pathlib import Path

from google.protobuf.descriptor_pb2 import FileDescriptorProto

from tests.support.messages import modules
from tests.support.schema import describe

SCHEMA = Path(__file__).with_name("schema.txt")


def ours() -> set[str]:
    lines = set[str]()
    for module in modules():
        if module.DESCRIPTOR.package == "miniet":
            continue  # the one service of our own
        file = FileDescriptorProto()
        module.DESCRIPTOR.CopyToProto(file)
        lines.update(describe(file))
    return lines


def etcds() -> set[str]:
    lines = SCHEMA.read_text().splitlines()
    return {line for line in lines if line and not line.startswith("#")}


def test_every_item_of_etcds_schema_is_there() -> None:
    assert sorted(etcds() - ours()) == []


def test_nothing_is_there_that_etcd_does_not_have() -> None:
    assert sorted(ours() - etcds()) == []
