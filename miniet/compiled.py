"""Whether miniet runs as compiled by its setup.py, and how it does not."""

import os
import sys
from collections.abc import Sequence
from importlib.machinery import (
    SOURCE_SUFFIXES,
    FileFinder,
    ModuleSpec,
    SourceFileLoader,
)
from importlib.util import find_spec

INTERPRETED_VARIABLE = "MINIET_INTERPRETED"
"""Set to anything: a compiled miniet runs the modules that it was compiled from."""


class _SourceFinder:
    """Finds miniet's modules where they are source, whatever was compiled of them."""

    @staticmethod
    def find_spec(
        name: str, path: Sequence[str] | None = None, target: object = None
    ) -> ModuleSpec | None:
        for directory in path or () if name.startswith("miniet.") else ():
            finder = FileFinder(directory, (SourceFileLoader, SOURCE_SUFFIXES))
            if (spec := finder.find_spec(name)) is not None:
                return spec
        return None


def heed_environment() -> None:
    """Do as `INTERPRETED_VARIABLE` says; call it before a compiled module is loaded."""
    if os.environ.get(INTERPRETED_VARIABLE):
        sys.meta_path.insert(0, _SourceFinder)


def is_compiled() -> bool:
    """Tell whether the core runs compiled."""
    spec = find_spec("miniet.protowire")
    return spec is not None and not str(spec.origin).endswith(".py")
