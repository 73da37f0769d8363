"""Every refusal that miniet can utter has its code and its text."""

import importlib
import inspect
import pkgutil
from collections.abc import Iterator
from pathlib import Path

import pytest

import miniet
from miniet.errors import RequestError
from miniet.server.rpc_errors import STATUSES
from tests.architecture.sources import ROOT

# Refusals without a row, on purpose. Where one did reach a client, it would arrive as
# Unknown with its own text.
NOT_FOR_CLIENTS = {
    # Between the engine and its components.
    "miniet.lease.errors.LeaseExpiredError",
    "miniet.backend.errors.KeySizeError",
    "miniet.raft.errors.CompactedError",
    "miniet.raft.errors.SnapshotOutOfDateError",
    "miniet.raft.errors.SnapshotTemporarilyUnavailableError",
    "miniet.raft.errors.StepLocalMessageError",
    "miniet.raft.errors.StepPeerNotFoundError",
    "miniet.raft.errors.StorageError",
    "miniet.raft.errors.UnavailableError",
    "miniet.raft.errors.UnsupportedConfigurationError",
    # A defragmentation that failed: etcd, too, sends the file system's own words.
    "miniet.backend.errors.BackendBusyError",
    "miniet.backend.errors.DefragmentError",
    # It brings its own status.
    "miniet.server.rpc_errors.CallError",
}


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


def _place(kind: type[RequestError]) -> str:
    file = Path(inspect.getfile(kind)).relative_to(ROOT)
    return f"{file}:{inspect.getsourcelines(kind)[1]}"


def test_every_refusal_has_a_status() -> None:
    without = [
        f"{_place(kind)}: {kind.__name__} has no row in STATUSES of "
        "miniet/server/rpc_errors.py (errors: every refusal is mapped)"
        for kind in refusals()
        if f"{kind.__module__}.{kind.__qualname__}" not in NOT_FOR_CLIENTS
        and not any(parent in STATUSES for parent in kind.__mro__)
    ]
    if without:
        pytest.fail("\n".join(sorted(without)), pytrace=False)


def test_table_names_only_refusals_of_ours() -> None:
    assert set(STATUSES) <= refusals()
