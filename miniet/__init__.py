"""etcd's storage rebuilt in Python as a real etcd v3 server.

import miniet

with miniet.Server() as etcd:
    ...  # connect any etcd v3 client to etcd.endpoint
"""

from miniet.errors import DataError, InvariantError, MinietError, RequestError
from miniet.server.config import Config
from miniet.server.errors import ConfigError, NotRunningError, StartError
from miniet.server.server import AsyncServer, Server
from miniet.server.statistics import ServerStatistics

__version__ = "0.1.0"

__all__ = [
    "AsyncServer",
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
