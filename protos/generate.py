"""Generate `miniet/pb/*_pb2.py` and `.pyi` from the `.proto` files beside this one.

    make protos            (or: python protos/generate.py)

Two lines of protoc's output are changed: they put the types into miniet's own
descriptor pool instead of the one that all generated code of a process shares.
There, the types of an etcd client loaded in the same process would clash with
ours, because they have the same names. `miniet/pb/__init__.py` says more.
"""

import argparse
from pathlib import Path

from grpc_tools import protoc

ROOT = Path(__file__).resolve().parent.parent
SOURCES = ROOT / "protos"

OWN_POOL = (
    (
        "from google.protobuf import descriptor_pool as _descriptor_pool\n",
        "from miniet.pb import _pool\n",
    ),
    ("_descriptor_pool.Default()", "_pool.POOL"),
)


def generate(into: Path) -> list[Path]:
    """Write the modules below `into`, as `miniet/pb/...`; return their paths."""
    protos = sorted(SOURCES.glob("miniet/pb/*.proto"))
    names = [path.relative_to(SOURCES).as_posix() for path in protos]
    status = protoc.main(
        ["protoc", f"-I{SOURCES}", f"--python_out={into}", f"--pyi_out={into}", *names]
    )
    if status != 0:
        raise SystemExit(f"protoc failed with status {status}")
    modules = [into / name.replace(".proto", "_pb2.py") for name in names]
    for module in modules:
        module.write_text(in_own_pool(module.read_text()))
    return modules + [module.with_suffix(".pyi") for module in modules]


def in_own_pool(source: str) -> str:
    """Move the types of one generated module into miniet's own pool."""
    for theirs, ours in OWN_POOL:
        if source.count(theirs) != 1:
            raise SystemExit(f"protoc's output has changed, no single {theirs!r}")
        source = source.replace(theirs, ours)
    return source


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--into", type=Path, default=ROOT, help="default: %(default)s")
    generate(parser.parse_args().into)


if __name__ == "__main__":
    main()
