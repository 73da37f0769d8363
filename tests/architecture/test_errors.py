"""Every refusal that miniet can utter has its code and its text."""

import importlib
import pkgutil
from collections.abc import Iterator

import miniet
from miniet.errors import RequestError
from miniet.server.rpc_errors import STATUSES


def refusals() -> set[type[RequestError]]:
    """Return all subclasses, after importing everything that could define one."""
    for module in pkgutil.walk_packages(miniet.__path__, "miniet."):
        if not module.name.startswith("miniet.pb.") and module.name not in (
            "miniet.__main__",  # runs when imported
        ):
            importlib.import_module(module.name)
    return set(_below(RequestError))


def _below(kind: type[RequestError]) -> Iterator[type[RequestError]]:
    for subclass in kind.__subclasses__():
        # Tests may have made classes of their own.
        if subclass.__module__.startswith("miniet."):
            yield subclass
        yield from _below(subclass)


def test_every_refusal_has_a_status() -> None:
    without = {
        f"{kind.__module__}.{kind.__qualname__}"
        for kind in refusals()
        if not any(parent in STATUSES for parent in kind.__mro__)
    }
    assert without == set(), "add a row to STATUSES in server/rpc_errors.py"


def test_table_names_only_refusals_of_ours() -> None:
    assert set(STATUSES) <= refusals()
