"""From a command line and an environment to a `Config`, by the rules of Go's flags.

Click's rules differ where it shows: Go takes one dash or two, the last of repeated
flags, any next word as a value, and a switch's value only after `=`.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from miniet.server.config import FIELD_OF_FLAG, Config
from miniet.server.errors import ConfigError, UsageError
from miniet.server.flags import BOOL, Flag, environment_name
from miniet.server.unsupported import (
    UNSUPPORTED,
    UNSUPPORTED_SWITCHES,
    asks_for_nothing,
)

FLAG_OF_NAME: dict[str, Flag] = {
    name: flag for flag in FIELD_OF_FLAG for name in flag.names
}
"""Every name a supported flag goes by."""

QUESTIONS = frozenset(("help", "h", "version"))
"""Switches that ask instead of setting something."""

_SWITCHES = (UNSUPPORTED_SWITCHES | QUESTIONS) | {
    name for name, flag in FLAG_OF_NAME.items() if flag.kind is BOOL
}

_KNOWN = FLAG_OF_NAME.keys() | UNSUPPORTED | QUESTIONS

_FLAG_OF_VARIABLE = {
    environment_name(name): flag for name, flag in FLAG_OF_NAME.items()
}

_UNSUPPORTED_OF_VARIABLE = {environment_name(name): name for name in UNSUPPORTED}


def split_arguments(arguments: Sequence[str]) -> list[tuple[str, str]]:
    """Take a command line apart into (flag name, value as written).

    A switch that stands alone has the value `true`; `QUESTIONS` are switches too, and
    nothing after a cry for help is looked at.

    Raises:
        UsageError: a flag that etcd does not have either, or without its value.
        ConfigError: an argument that is no flag.
    Source: Go's package flag, FlagSet.parseOne.
    """
    pairs = []
    words = iter(arguments)
    for word in words:
        if word == "--":
            for word in words:
                raise ConfigError(f"'{word}' is not a valid flag")
            break
        if len(word) < 2 or word[0] != "-":
            raise ConfigError(f"'{word}' is not a valid flag")
        name, equals, text = word.removeprefix("-").removeprefix("-").partition("=")
        if not name or name[0] == "-":
            raise UsageError(f"bad flag syntax: {word}")
        if name in ("help", "h"):
            return [(name, "true")]
        if name not in _KNOWN:
            raise UsageError(f"flag provided but not defined: -{name}")
        if not equals and name in _SWITCHES:
            text = "true"
        elif not equals:
            following = next(words, None)
            if following is None:
                raise UsageError(f"flag needs an argument: -{name}")
            text = following
        pairs.append((name, text))
    return pairs


def read_config(
    arguments: Sequence[tuple[str, str]], environment: Mapping[str, str]
) -> tuple[Config, list[str]]:
    """Make the configuration that flags and `ETCD_*` variables ask for.

    Args:
        arguments: as `split_arguments` returns them, `QUESTIONS` left out.
        environment: all variables; an empty one is not set, but still in conflict
            with its flag.
    Returns:
        The configuration, and a warning for each `ETCD_*` variable that means
        nothing.
    Raises:
        UsageError: a flag's value is of another kind.
        ConfigError: anything else that is wrong, or not supported by miniet.
    """
    values = _read_arguments(arguments)
    set_by_flag = set(values)
    warnings = []
    for variable, text in environment.items():
        if variable in _UNSUPPORTED_OF_VARIABLE:
            name = _UNSUPPORTED_OF_VARIABLE[variable]
            if text and not asks_for_nothing(name, text):
                raise ConfigError(f"{variable} is not supported by miniet")
        elif variable not in _FLAG_OF_VARIABLE:
            if variable.startswith("ETCD_"):
                warnings.append(f"unrecognized environment variable {variable}={text}")
        elif (flag := _FLAG_OF_VARIABLE[variable]) in set_by_flag:
            raise ConfigError(
                f'conflicting environment variable "{variable}" is shadowed by '
                "corresponding command-line flag (either unset environment variable "
                "or disable flag)"
            )
        elif text:
            values[flag] = _parse_variable(flag, variable, text)
    return _config_of(values), warnings


def _read_arguments(arguments: Sequence[tuple[str, str]]) -> dict[Flag, Any]:
    values: dict[Flag, Any] = {}
    for name, text in arguments:
        if name in FLAG_OF_NAME:
            flag = FLAG_OF_NAME[name]
            values[flag] = _parse_argument(flag, name, text)
        elif not asks_for_nothing(name, text):
            raise ConfigError(f"--{name} is not supported by miniet")
    return values


def _parse_argument(flag: Flag, name: str, text: str) -> Any:
    try:
        return flag.kind.parse(text)
    except ValueError as error:
        value = json.dumps(text, ensure_ascii=False)
        if flag.kind is BOOL:
            raise UsageError(
                f"invalid boolean value {value} for -{name}: {error}"
            ) from None
        raise UsageError(f"invalid value {value} for flag -{name}: {error}") from None


def _parse_variable(flag: Flag, variable: str, text: str) -> Any:
    try:
        return flag.kind.parse(text)
    except ValueError as error:
        value = json.dumps(text, ensure_ascii=False)
        raise ConfigError(f"invalid value {value} for {variable}: {error}") from None


def _config_of(values: dict[Flag, Any]) -> Config:
    fields = {FIELD_OF_FLAG[flag]: value for flag, value in values.items()}
    config = Config(**fields)
    # Only here: a program that sets listen_client_urls means those, a user who sets
    # the flag has often not thought of the name that clients reach the server by.
    if "listen_client_urls" in fields and "advertise_client_urls" not in fields:
        raise ConfigError(
            "--advertise-client-urls is required when --listen-client-urls is set "
            "explicitly"
        )
    return config
