"""Everything about the package is in pyproject.toml but this: it can be compiled.

    MINIET_COMPILE=1 pip install .

makes C extensions of the modules below with mypyc, which needs a C compiler and
Python's headers. The modules themselves stay beside them, and `MINIET_INTERPRETED=1`
runs those: tracemalloc does not see which compiled line allocates.
"""

import os
from pathlib import Path

from setuptools import setup

_PACKAGES = ("backend", "engine", "lease", "mvcc", "raft", "wal", "watch", "wire")
"""The core, whole."""

_MODULES = (
    "miniet/protowire.py",
    "miniet/server/calls.py",
    "miniet/server/clients.py",
    "miniet/server/cluster.py",
    "miniet/server/convert.py",
    "miniet/server/driver.py",
    "miniet/server/kv.py",
    "miniet/server/lease.py",
    "miniet/server/maintenance.py",
    "miniet/server/open_calls.py",
    "miniet/server/recorders.py",
    "miniet/server/service.py",
    "miniet/server/watch.py",
    "miniet/server/wire_protocol.py",
)
"""The way of a request to the core and back."""

_OPTIONS = (
    "--strict",
    # The compiler's environment has none of the libraries; what comes of them is Any.
    "--ignore-missing-imports",
    "--follow-imports=silent",
    "--allow-subclassing-any",
    "--allow-untyped-decorators",
    "--no-warn-return-any",
    "--no-warn-unused-ignores",
)


def _compiled() -> dict[str, object]:
    try:
        from mypyc.build import mypycify
    except ImportError:
        # The installer asks first what else it needs, then comes again with it.
        return {"setup_requires": ["mypy>=2.4,<3"]}
    modules = list(_MODULES)
    for package in _PACKAGES:
        modules += sorted(map(str, Path("miniet", package).glob("*.py")))
    extensions = mypycify(
        [*_OPTIONS, *modules], opt_level="3", debug_level="0", multi_file=True
    )
    return {"ext_modules": extensions}


setup(**(_compiled() if os.environ.get("MINIET_COMPILE") else {}))
