"""Why a server does not start. No request, so neither a status nor a gRPC text."""

from miniet.errors import MinietError


class ConfigError(MinietError):
    """A setting, or two together, cannot be. The message names it; change it."""


class UsageError(ConfigError):
    """The command line cannot be read: an unknown flag, a value of another kind."""


class NotRunningError(MinietError):
    """The server was not started, or has stopped. Start it first."""


class StartError(MinietError):
    """The server cannot start here and now: an address or a file is in use."""
