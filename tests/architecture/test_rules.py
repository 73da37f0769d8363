"""Each rule finds its breach in a made-up tree, and lets its neighbour pass."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.architecture import rules
from tests.architecture.sources import read_tree

Rule = Callable[[rules.Modules], Iterator[str]]

LONG_BODY = "def f():\n" + "    pass\n" * 60
AWAITING = "async def f(x):\n    try:\n        x()\n    {where}:\n        await x\n"
LONG_DOCSTRING = 'def f():\n    """Say.\n' + "\n" * 60 + '    """\n    pass\n'

# (name, rule, {file: source}, file:line of the breach or None)
CASES: list[tuple[str, Rule, dict[str, str], str | None]] = [
    (
        "core imports core",
        rules.foreign_imports,
        {"mvcc/store.py": "\nfrom miniet.lease import Lessor\n"},
        "mvcc/store.py:2",
    ),
    (
        "core imports core by the root",
        rules.foreign_imports,
        {"raft/log.py": "from miniet import mvcc\n", "mvcc/__init__.py": ""},
        "raft/log.py:1",
    ),
    (
        "core imports the public face",
        rules.foreign_imports,
        {"raft/log.py": "from miniet import __version__\n"},
        "raft/log.py:1",
    ),
    (
        "relative import leaves the package",
        rules.foreign_imports,
        {"raft/log.py": "from ..wal import Wal\n"},
        "raft/log.py:1",
    ),
    (
        "import for typing counts too",
        rules.foreign_imports,
        {
            "lease/lessor.py": "from typing import TYPE_CHECKING\n"
            "if TYPE_CHECKING:\n    import miniet.mvcc\n"
        },
        "lease/lessor.py:3",
    ),
    (
        "wal imports more than messages",
        rules.foreign_imports,
        {"wal/wal.py": "from miniet.raft.log import RaftLog\n"},
        "wal/wal.py:1",
    ),
    (
        "engine imports generated code",
        rules.foreign_imports,
        {"engine/apply.py": "from miniet.pb import rpc_pb2\n"},
        "engine/apply.py:1",
    ),
    (
        "a package without a row",
        rules.foreign_imports,
        {"attic/box.py": "import miniet.raft\n"},
        "attic/box.py:1",
    ),
    (
        "arrows of the drawing",
        rules.foreign_imports,
        {
            "watch/stream.py": "from miniet.mvcc.kv import Event\n",
            "wal/wal.py": "from miniet.raft.messages import Entry\n",
            "engine/engine.py": "from miniet import lease, protowire\n",
            "engine/requests.py": "from miniet.pb import rpc_pb2\n",
            "server/kv.py": "from miniet.engine import Engine\n",
            "mvcc/store.py": "from .txn import ReadTxn\nimport miniet.errors\n",
            "cli.py": "import miniet.report\n",
            "lease/__init__.py": "",
            "protowire.py": "",
        },
        None,
    ),
    (
        "asyncio outside the server",
        rules.forbidden_libraries,
        {"engine/engine.py": "import asyncio.events\n"},
        "engine/engine.py:1",
    ),
    (
        "lmdb outside the backend",
        rules.forbidden_libraries,
        {"server/bootstrap.py": "from lmdb import Environment\n"},
        "server/bootstrap.py:1",
    ),
    (
        "a checksum in the wrong module",
        rules.forbidden_libraries,
        {"mvcc/store.py": "from crc32c import crc32c\n"},
        "mvcc/store.py:1",
    ),
    (
        "a library nobody decided on",
        rules.forbidden_libraries,
        {"report/text.py": "import numpy\n"},
        "report/text.py:1",
    ),
    (
        "the core reads the wall clock",
        rules.forbidden_libraries,
        {"lease/lessor.py": "from time import monotonic\n"},
        "lease/lessor.py:1",
    ),
    (
        "the core rolls its own dice",
        rules.forbidden_libraries,
        {"raft/raft.py": "import random\n"},
        "raft/raft.py:1",
    ),
    (
        "libraries in their packages",
        rules.forbidden_libraries,
        {
            "server/driver.py": "import asyncio, grpc, threading, time\n",
            "backend/backend.py": "import lmdb, os\n",
            "mvcc/hash.py": "from crc32c import crc32c\n",
            "raft/raft.py": "from random import Random\n",
            "engine/engine.py": "import logging\n",
            "clock.py": "import time\n",
        },
        None,
    ),
    (
        "the core opens a file",
        rules.opened_files,
        {"mvcc/store.py": "x = 1\nopen('f')\n"},
        "mvcc/store.py:2",
    ),
    (
        "an edge opens a file; a core's method is called open",
        rules.opened_files,
        {"wal/wal.py": "open('f')\n", "mvcc/store.py": "self.open()\n"},
        None,
    ),
    (
        "import in a method",
        rules.imports_in_functions,
        {"wal/wal.py": "class A:\n    async def f(self):\n        import os\n"},
        "wal/wal.py:3",
    ),
    (
        "optional dependency in a function",
        rules.imports_in_functions,
        {"report/plot.py": "def f():\n    from matplotlib import pyplot\n"},
        None,
    ),
    (
        "two modules import each other",
        rules.import_cycles,
        {
            "raft/a.py": "from miniet.raft import b\n",
            "raft/b.py": "from .a import A\n",
        },
        "raft/b.py:1",
    ),
    (
        "module imports from its own package's face",
        rules.import_cycles,
        {
            "raft/__init__.py": "from miniet.raft.log import RaftLog\n",
            "raft/log.py": "from miniet.raft import Entry\n",
        },
        "raft/log.py:1",
    ),
    (
        "cycle for typing only",
        rules.import_cycles,
        {
            "raft/a.py": "from miniet.raft.b import B\n",
            "raft/b.py": "if TYPE_CHECKING:\n    from miniet.raft.a import A\n",
        },
        None,
    ),
    (
        "the server prints",
        rules.prints,
        {"server/server.py": "def f():\n    print('x')\n"},
        "server/server.py:2",
    ),
    ("the command line prints", rules.prints, {"cli.py": "print('x')\n"}, None),
    (
        "a kept NamedTuple",
        rules.unslotted_records,
        {"mvcc/kv.py": "class R(NamedTuple):\n    main: int\n"},
        "mvcc/kv.py:1",
    ),
    (
        "a dataclass with a dictionary",
        rules.unslotted_records,
        {"mvcc/kv.py": "@dataclass(frozen=True)\nclass R:\n    main: int\n"},
        "mvcc/kv.py:2",
    ),
    (
        "a slotted dataclass",
        rules.unslotted_records,
        {"mvcc/kv.py": "@dataclass(slots=True)\nclass R:\n    main: int\n"},
        None,
    ),
    (
        "a long module",
        rules.long_modules,
        {"raft/raft.py": "x = 1\n" * 501},
        "raft/raft.py:1",
    ),
    (
        "a long module with its reason",
        rules.long_modules,
        {
            "raft/__init__.py": '"""Raft.\n\n`raft.py` is over 500 lines: why."""\n',
            "raft/raft.py": "x = 1\n" * 501,
            "raft/log.py": "x = 1\n" * 500,
        },
        None,
    ),
    ("a long function", rules.long_functions, {"cli.py": LONG_BODY}, "cli.py:1"),
    (
        "a long docstring",
        rules.long_functions,
        {"cli.py": LONG_DOCSTRING},
        None,
    ),
    (
        "compiled coroutine waits in a finally",
        rules.waits_in_handlers,
        {"server/driver.py": AWAITING.format(where="finally")},
        "server/driver.py:5",
    ),
    (
        "compiled coroutine waits in an except",
        rules.waits_in_handlers,
        {"engine/engine.py": AWAITING.format(where="except OSError")},
        "engine/engine.py:5",
    ),
    (
        "interpreted coroutine waits in an except",
        rules.waits_in_handlers,
        {"server/server.py": AWAITING.format(where="except OSError")},
        None,
    ),
    (
        "compiled coroutine leaves a context that waits",
        rules.waits_in_handlers,
        {"server/kv.py": "async def f(x):\n    async with x:\n        pass\n"},
        "server/kv.py:2",
    ),
    (
        "compiled coroutine waits where errors come from",
        rules.waits_in_handlers,
        {
            "server/kv.py": "async def f(x):\n    try:\n        await x\n"
            "    except OSError:\n        raise\n    finally:\n        x()\n"
        },
        None,
    ),
]


@pytest.mark.parametrize(
    ("rule", "files", "place"),
    [case[1:] for case in CASES],
    ids=[case[0] for case in CASES],
)
def test_rule_finds_its_breach_and_nothing_else(
    rule: Rule, files: dict[str, str], place: str | None, tmp_path: Path
) -> None:
    for name, source in files.items():
        path = tmp_path / "miniet" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(source)

    breaches = list(rule(read_tree(tmp_path)))

    if place is None:
        assert breaches == []
    else:
        [breach] = breaches
        assert breach.startswith(f"{tmp_path}/miniet/{place}: ")
