"""A load described by flags or a file, turned into stages of counts."""

import re
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

from miniet.memory.counts import Counts
from miniet.predict.planned_member import PlannedMember
from miniet.predict.profiles import Profile
from miniet.releases import CATCHUP_ENTRIES

RESTS = (("after 1 min", 60.0), ("after 6 min", 300.0))
"""Rests at the end: before and after freed memory is given back."""
AT_LEAST_ONE = ("keys", "key_size", "puts_per_txn", "in_flight")
REQUEST_BYTES_MAX = 2**31 - 1
"""Lengths in gRPC-Go and protobuf are signed, of 32 bits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedStage:
    """One step of a load, and the counts after it."""

    name: str
    counts: Counts
    idle_s: float = 0.0
    """Rest right before."""
    is_restarted: bool = False
    """The process was started anew to come here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """What clients do, in order: put, lease, watch, range, delete, compact, rest.

    Sizes are bytes; what is 0 or False is not done.

    Raises:
        ValueError: a setting is below 0, or below 1 where nothing makes no sense, or
            a request is larger than any --max-request-bytes allows.
    """

    puts: int = 0
    keys: int = 1
    key_size: int = 16
    value_size: int = 128
    puts_per_txn: int = 1
    in_flight: int = 1
    snapshot_count: int = 0
    """0 for the release's default."""
    catch_up: int = CATCHUP_ENTRIES
    leases: int = 0
    """Granted before the puts; the keys are attached to them."""
    connections: int = 1
    streams: int = 0
    watchers: int = 0
    range_watchers: int = 0
    ranges: int = 0
    """Ranges over all keys, at once."""
    deletes: int = 0
    compact: bool = False
    defragment: bool = False
    restart: bool = False
    rest: bool = False
    """Rest for a minute, then for five more."""

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read it from a TOML file of these names; sizes may be text, as `1MiB`.

        Raises:
            ValueError: the file is no TOML, or has a name or a value that is wrong.
            OSError: it cannot be read.
        """
        try:
            return cls._of(tomllib.loads(path.read_text(encoding="utf-8")))
        except UnicodeDecodeError:
            raise ValueError(f"{path}: this is no text") from None
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from None

    @classmethod
    def _of(cls, document: dict[str, Any]) -> Self:
        kinds = {name: type(value) for name, value in asdict(cls()).items()}
        for name, value in document.items():
            if name not in kinds:
                raise ValueError(f"no such setting of a workload: {name}")
            if name.endswith("_size") and isinstance(value, str):
                document[name] = value = parse_size(value)
            if type(value) is not kinds[name]:
                raise ValueError(f"{name} must be {_NAMES[kinds[name]]}: {value!r}")
        return cls(**document)

    def __post_init__(self) -> None:
        for name, value in asdict(self).items():
            if value < (name in AT_LEAST_ONE):
                least = "at least 1" if name in AT_LEAST_ONE else "0 or more"
                raise ValueError(f"{name} must be {least}: {value}")
        if self.puts_per_txn * (self.key_size + self.value_size) > REQUEST_BYTES_MAX:
            raise ValueError(
                "a put of this size, or a transaction of as many, is refused by every "
                "etcd: gRPC has no messages above 2 GiB"
            )

    def stages(self, profile: Profile) -> Iterator[PlannedStage]:
        """Walk through it under one release."""
        member = PlannedMember(
            profile,
            snapshot_count=self.snapshot_count or None,
            catch_up=self.catch_up,
        )
        yield PlannedStage(name="empty", counts=member.counts())
        member.connect(connections=self.connections)
        for name, is_wanted, act in self._acts(member):
            if is_wanted:
                act()
                yield PlannedStage(
                    name=name,
                    counts=member.counts(),
                    is_restarted=name == "restarted",
                )
        if self.rest:
            for name, seconds in RESTS:
                yield PlannedStage(name=name, counts=member.counts(), idle_s=seconds)

    def _acts(
        self, member: PlannedMember
    ) -> Iterator[tuple[str, int, Callable[[], None]]]:
        response = min(self.puts, self.keys) * (self.key_size + self.value_size)
        yield (
            "connected",
            self.connections > 1,
            lambda: member.connect(connections=self.connections),
        )
        yield (
            "leases granted",
            self.leases,
            lambda: member.grant(self.leases, in_flight=self.in_flight),
        )
        yield "loaded", self.puts, lambda: self._put(member)
        yield "watching", self.streams, lambda: self._watch(member)
        yield (
            "ranges answered",
            self.ranges,
            lambda: member.range_at_once(self.ranges, response),
        )
        yield "deleted", self.deletes, lambda: member.delete(self.deletes)
        yield "compacted", self.compact, member.compact
        yield "defragmented", self.defragment, member.defragment
        yield "restarted", self.restart, member.restart

    def _put(self, member: PlannedMember) -> None:
        member.put(
            self.puts,
            keys=self.keys,
            key_bytes=self.key_size,
            value_bytes=self.value_size,
            per_txn=self.puts_per_txn,
            in_flight=self.in_flight,
            is_leased=self.leases > 0,
        )

    def _watch(self, member: PlannedMember) -> None:
        member.connect(
            connections=self.connections,
            streams=self.streams,
            watchers=self.watchers,
            range_watchers=self.range_watchers,
            key_bytes=self.key_size,
        )


_NAMES = {int: "a whole number", bool: "true or false"}
_UNITS = {"": 1, "k": 2**10, "m": 2**20, "g": 2**30}


def parse_size(text: str) -> int:
    """Read a number of bytes: `1024`, `16KiB`, `1M`.

    Raises:
        ValueError: it is no such number.
    """
    found = re.fullmatch(r"(\d{1,15})\s*(b|(?:([kmg])(?:i?b)?))?", text.strip().lower())
    if not found:
        raise ValueError(f"{text!r} is no size: write 1024, 16KiB or 1MiB")
    return int(found[1]) * _UNITS[found[3] or ""]
