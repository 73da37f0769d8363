"""Stand-in for the server's start, so that the command line can be built on it.

TODO(server): to be replaced by the module that runs a member until it is stopped.
"""

from miniet.server.config import Config
from miniet.server.errors import ConfigError


def run(config: Config) -> None:
    """Run a member until it is told to stop."""
    raise ConfigError(f"this version cannot serve yet ({config.data_path})")
