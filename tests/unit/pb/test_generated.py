"""The generated modules are what `make protos` makes of the sources."""

import re
import runpy
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
GENCODE = re.compile(r"^# Protobuf Python Version: (.*)$", re.MULTILINE)


def version(module: Path) -> str:
    match = GENCODE.search(module.read_text())
    assert match is not None, f"{module} was not made by protoc"
    return match[1]


def test_generated_modules_are_those_of_the_sources(tmp_path: Path) -> None:
    pytest.importorskip("grpc_tools", reason="grpcio-tools is not installed")
    generate = runpy.run_path(str(ROOT / "protos" / "generate.py"))["generate"]
    written: list[Path] = generate(tmp_path)
    kept = ROOT / "miniet" / "pb"
    if version(tmp_path / "miniet/pb/kv_pb2.py") != version(kept / "kv_pb2.py"):
        pytest.skip("grpcio-tools is not the version that pyproject.toml pins")

    assert {path.name for path in written} == {
        path.name for path in kept.glob("*_pb2.py*")
    }
    for path in written:
        assert path.read_text() == (kept / path.name).read_text(), (
            f"{path.name} is stale: run `make protos`"
        )
