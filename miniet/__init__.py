"""etcd's storage rebuilt in Python as a real etcd v3 server.

import miniet

with miniet.Server() as etcd:
    ...  # connect any etcd v3 client to etcd.endpoint

The names below are imported when they are first used: pytest imports this package
at every start, for its plugin, and grpcio with all the rest takes a third of a second.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from miniet.compiled import heed_environment
from miniet.version import MINIET_VERSION

if TYPE_CHECKING:
    from miniet.errors import DataError, InvariantError, MinietError, RequestError
    from miniet.memory.capture import Capture
    from miniet.server.config import Config
    from miniet.server.errors import ConfigError, NotRunningError, StartError
    from miniet.server.server import AsyncServer, Server
    from miniet.server.statistics import ServerStatistics

heed_environment()

__version__ = MINIET_VERSION

__all__ = [
    "AsyncServer",
    "Capture",
    "Config",
    "ConfigError",
    "DataError",
    "InvariantError",
    "MinietError",
    "NotRunningError",
    "RequestError",
    "Server",
    "ServerStatistics",
    "StartError",
    "__version__",
]

_MODULES = {
    "miniet.errors": ("DataError", "InvariantError", "MinietError", "RequestError"),
    "miniet.memory.capture": ("Capture",),
    "miniet.server.config": ("Config",),
    "miniet.server.errors": ("ConfigError", "NotRunningError", "StartError"),
    "miniet.server.server": ("AsyncServer", "Server"),
    "miniet.server.statistics": ("ServerStatistics",),
}
_MODULE_OF = {name: module for module, names in _MODULES.items() for name in names}


def __getattr__(name: str) -> object:
    if name not in _MODULE_OF:
        raise AttributeError(f"module 'miniet' has no attribute '{name}'")
    value = getattr(import_module(_MODULE_OF[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
