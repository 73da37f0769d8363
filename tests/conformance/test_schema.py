"""The schema inside the etcd program of this machine is part of ours.

Go programs carry the descriptors of their messages, gzipped, in their data.
"""

import re
import shutil
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from google.protobuf.descriptor_pb2 import FileDescriptorProto
from google.protobuf.message import DecodeError

from tests.support.messages import modules
from tests.support.schema import describe

GZIP = re.compile(rb"\x1f\x8b\x08")
FILE_BYTES_MAX = 1 << 17


def descriptors_inside(program: bytes) -> Iterator[FileDescriptorProto]:
    for match in GZIP.finditer(program):
        start = match.start()
        try:
            raw = zlib.decompressobj(wbits=31).decompress(
                program[start : start + FILE_BYTES_MAX]
            )
            file = FileDescriptorProto.FromString(raw)
        except (zlib.error, DecodeError):
            continue
        if file.name.endswith(".proto"):
            yield file


@pytest.mark.etcd
def test_every_message_of_the_installed_etcd_is_ours_too() -> None:
    path = shutil.which("etcd")
    if path is None:
        pytest.skip("no etcd on this machine")
    ours, packages = set[str](), set[str]()
    for module in modules():
        file = FileDescriptorProto()
        module.DESCRIPTOR.CopyToProto(file)
        ours.update(describe(file))
        packages.add(file.package)
    theirs = {
        line
        for file in descriptors_inside(Path(path).read_bytes())
        if file.package in packages
        for line in describe(file)
    }
    if not theirs:
        pytest.skip(f"{path} carries no descriptors (a script, or stripped)")
    assert sorted(theirs - ours) == []
    assert len(theirs) > 500
