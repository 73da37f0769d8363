"""Measured runs of real etcds, and the counts that each of their stages had.

A run's parameters say what its clients did; `PlannedMember` keeps the counts of
that. Of what was measured only three things go in: sizes of the backend's file,
its bytes in use, and the events that were pending. No heap or resident figure does.
"""

import json
import re
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from miniet.memory.counts import Counts
from miniet.predict import GoModel, PlannedMember, Prediction, Profile, profile_of
from miniet.predict.planned_member import FILE_BYTES_MIN

DATA = Path(__file__).parent / "data" / "go-memory.json"
KIB = 1024
MIB = 1024 * KIB
CHANNEL_RESPONSES = 128
LOAD_KEY_BYTES = 14
LEASE_KEY_BYTES = 24
EVENT_KEY_BYTES = 16
DEFAULT_IN_FLIGHT = 16
"""Requests at once where a run does not say."""

Parameters = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One measured stage; sizes in bytes, None for what was not taken."""

    stage: str
    rss: int
    map: int | None
    db: int
    in_use: int
    live: int | None
    """HeapAlloc after a forced collection, which came after `rss` was read."""
    pending_events: int
    components: dict[str, int]
    """Of the heap profile; what is below 100 KiB is left out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasuredRun:
    """One process from its start to its end."""

    scenario: str
    version: str
    parameters: Parameters
    node: str
    profile_period: int
    """Bytes of allocation per sample of its heap profiles."""
    samples: tuple[Sample, ...]

    @property
    def profile(self) -> Profile:
        """The profile that stands for its release."""
        return profile_of(self.version)

    @property
    def is_fitted(self) -> bool:
        """Whether it is of the half on which constants were fitted, by checksum."""
        text = json.dumps([self.scenario, self.version, self.node, self.parameters])
        return zlib.crc32(text.encode()) % 2 == 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """A stage beside its prediction."""

    run: MeasuredRun
    sample: Sample
    counts: Counts
    prediction: Prediction
    unknown: str
    """Why its counts are not known; empty if they are."""


def load_runs(path: Path = DATA) -> list[MeasuredRun]:
    """Read all runs."""
    document = json.loads(path.read_text())
    columns = document["columns"]
    return [
        MeasuredRun(
            scenario=run["scenario"],
            version=run["version"],
            parameters=run["params"],
            node=run.get("node", ""),
            profile_period=run["profile_period"],
            samples=tuple(
                _sample(dict(zip(columns, row, strict=False))) for row in run["stages"]
            ),
        )
        for run in document["runs"]
    ]


def judge(run: MeasuredRun) -> Iterator[Judged]:
    """Walk through a run with the model beside it."""
    environment = run.parameters.get("env", {})
    count = run.parameters.get("snapshot_count", "default")
    snapshot_count = None if count == "default" else count
    model = GoModel(
        run.profile,
        snapshot_count=snapshot_count,
        gogc=int(environment.get("GOGC", 100)),
        madvdontneed={"madvdontneed=0": 0, "madvdontneed=1": 1}.get(
            environment.get("GODEBUG", "")
        ),
        peer_count=run.parameters.get("nodes", 1) - 1,
    )
    player = _Player(run, model, snapshot_count)
    following = (*run.samples[1:], run.samples[-1])
    for sample, after in zip(run.samples, following, strict=True):
        idle_s = player.play(sample)
        counts = player.counts(sample)
        yield Judged(
            run=run,
            sample=sample,
            counts=counts,
            prediction=model.step(counts, idle_s=idle_s),
            unknown=player.unknown(sample, after),
        )
        if sample.live is not None:
            model.collect()


def _sample(row: dict[str, Any]) -> Sample:
    def size(name: str) -> int | None:
        value = row.get(name)
        return None if value is None else int(value) * KIB

    return Sample(
        stage=row["stage"],
        rss=row["rss"] * KIB,
        map=size("map"),
        db=row["db"] * KIB,
        in_use=row["in_use"] * KIB,
        live=size("live"),
        pending_events=row.get("pending_events") or 0,
        components={
            name: value * KIB for name, value in row.get("components", {}).items()
        },
    )


class _Player:
    """Does to a planned member what was done to the measured one.

    Every stage of every run is one of the patterns in `_STAGES`.
    """

    def __init__(
        self, run: MeasuredRun, model: GoModel, snapshot_count: int | None
    ) -> None:
        self._run = run
        self._p = p = run.parameters
        self._model = model
        self._member = PlannedMember(run.profile, snapshot_count=snapshot_count)
        self._done = 0  # puts of the load that is counted by its total
        self._rested = 0
        self._opened = FILE_BYTES_MIN
        self._is_opening = False
        self._watcher_count = 0
        self._in_flight = p.get("concurrency", DEFAULT_IN_FLIGHT)

    def play(self, sample: Sample) -> float:
        """Do what leads to the stage; return the seconds of rest in it."""
        for pattern, act in _STAGES:
            found = re.fullmatch(pattern, sample.stage)
            if found:
                rest = act(self, *found.groups())
                return float(rest or 0)
        raise ValueError(f"no way to reach the stage {sample.stage!r}")

    def counts(self, sample: Sample) -> Counts:
        """The member's counts, with what was measured of the file and of events."""
        counts = self._member.counts()
        if self._is_opening:
            self._opened, self._is_opening = sample.db, False
        events = sample.pending_events
        watchers = max(1, self._watcher_count)
        distinct = events // watchers
        size = EVENT_KEY_BYTES + self._p.get("value_size", 0)
        return replace(
            counts,
            backend_size_bytes=sample.db,
            backend_in_use_bytes=sample.in_use,
            backend_opened_bytes=self._opened,
            pending_event_count=events,
            pending_response_count=min(events, CHANNEL_RESPONSES * watchers),
            held_event_count=distinct,
            held_event_bytes=distinct * size,
        )

    def unknown(self, sample: Sample, after: Sample) -> str:
        """Why the counts may not be those that the process had; empty if they are."""
        if self._member.is_cut_open:
            return "chance decides whether the raft log had been cut"
        if after.pending_events > 1.2 * sample.pending_events > 0:
            return "events piled up while they were measured"
        return ""

    def nothing(self) -> None:
        """Only time has passed."""

    def rest(self, seconds: str) -> int:
        """`idle 300s` counts from the same moment as `idle 60s`."""
        passed = int(seconds) - self._rested
        self._rested = int(seconds)
        return passed

    def rest_more(self, seconds: str) -> int:
        return int(seconds)

    def put_up_to(self, total: str) -> None:
        self._put(int(total) - self._done)
        self._done = int(total)

    def put_watched(self, total: str) -> None:
        if self._p["how"] != "history":
            self._follow(self._p["slow_watchers"])
        self.put_up_to(total)

    def small_puts_up_to(self, total: str) -> None:
        done = self._done if self._rested < 0 else 0
        self._rested = -1
        self._member.put(
            int(total) - done,
            keys=1000,
            key_bytes=LOAD_KEY_BYTES,
            value_bytes=128,
            in_flight=self._in_flight,
        )
        self._done = int(total)

    def load(self) -> None:
        p = self._p
        if "revisions" in p:
            self._put(p["keys"] * p["revisions"])
        else:
            self._put(p.get("puts", p["keys"]) - self._done)

    def put_each(self, times: str) -> None:
        wanted = 1 if times == "one more put" else int(times.split()[0])
        self._put(self._p["keys"] * (wanted - self._rested))
        self._rested = wanted

    def compact(self) -> None:
        self._member.compact()

    def defragment(self) -> None:
        self._member.defragment()
        self._is_opening = True

    def restart(self) -> None:
        self._member.restart()
        self._model.restart()
        self._is_opening = True

    def page_out(self) -> None:
        self._model.page_out()

    def delete_all(self) -> None:
        self._member.delete(self._p["keys"])

    def delete_half(self) -> None:
        self._member.delete(self._p["keys"] // 2, per_txn=100)

    def read_all(self) -> None:
        p = self._p
        self._member.read(self._member.counts().key_count * p["value_size"])

    def watch(self) -> None:
        p = self._p
        streams, watchers = p["total_streams"], p["total_watchers"]
        is_range = p["kind"] == "prefix"
        self._member.connect(
            connections=p["conns"],
            streams=streams,
            watchers=0 if is_range else watchers,
            range_watchers=watchers if is_range else 0,
            watched_keys=1 if p["kind"] == "same" else None,
        )

    def close(self) -> None:
        self._member.connect(connections=0)

    def watch_history(self, seconds: str) -> int:
        self._follow(self._p["slow_watchers"])
        return int(seconds) - 5

    def _follow(self, count: int) -> None:
        self._watcher_count = count
        self._member.connect(connections=count, streams=count, range_watchers=count)

    def read_events(self) -> None:
        p = self._p
        self._member.read(p["events"] * p["value_size"])

    def grant(self) -> None:
        self._member.grant(self._p["leases"])

    def attach(self) -> None:
        p = self._p
        count = p["leases"] * p["keys_per_lease"]
        self._member.put(
            count,
            keys=count,
            key_bytes=LEASE_KEY_BYTES,
            value_bytes=8,
            per_txn=100,
            is_leased=not p["control_without_lease"],
        )

    def revoke(self) -> None:
        self._member.revoke_all()

    def ranges(self) -> None:
        p = self._p
        keys = {"limit=10": 10, "count_only": 0}.get(p["mode"], p["keys"])
        size = keys * p["value_size"]
        response = 1700 if p["mode"] == "keys_only" else size
        self._member.range_at_once(p["concurrent"], response, read_bytes=size)

    def more_ranges(self) -> None:
        for _ in range(3):
            self.ranges()

    def hold(self, seconds: str) -> int:
        p = self._p
        size = p["keys"] * p["value_size"]
        if seconds == "8":
            self._member.range_at_once(p["concurrent"], size)
        self._member.hold_responses(p["concurrent"] * size)
        return 0 if seconds == "8" else 32

    def take(self) -> None:
        self._member.hold_responses(0)

    def _put(self, count: int) -> None:
        p = self._p
        self._member.put(
            count,
            keys=p["keys"],
            key_bytes=p.get("key_len", LOAD_KEY_BYTES),
            value_bytes=p["value_size"],
            per_txn=100 if p.get("mode") == "txn100" else 1,
            in_flight=self._in_flight,
        )


_STAGES: tuple[tuple[str, Callable[..., int | None]], ...] = (
    (r"empty|base|before restart|before ranges|forced gc", _Player.nothing),
    (r"2s later, forced gc", _Player.nothing),
    (r"put (\d+)", _Player.put_up_to),
    (r"(\d+) events", _Player.put_watched),
    (r"loaded", _Player.load),
    (r"compacted|mvcc-compacted|.* compacted|and compacted again", _Player.compact),
    (r"compacted, then (one more put|\d+ more puts) per key", _Player.put_each),
    (r"defragmented", _Player.defragment),
    (r"restarted.*", _Player.restart),
    (r"idle (\d+)s", _Player.rest),
    (r"forced gc \+ (\d+)s", _Player.rest_more),
    (r"after (\d+) more puts of 128 B", _Player.small_puts_up_to),
    (r"all keys deleted", _Player.delete_all),
    (r"half of the keys deleted", _Player.delete_half),
    (r"all keys read.*", _Player.read_all),
    (r"db mapping paged out.*", _Player.page_out),
    (r"watching", _Player.watch),
    (r"closed", _Player.close),
    (r"watching from revision 1 without reading, \+(\d+)s", _Player.watch_history),
    (r"watchers read everything", _Player.read_events),
    (r"granted", _Player.grant),
    (r"keys attached", _Player.attach),
    (r"revoked", _Player.revoke),
    (r"after ranges", _Player.ranges),
    (r"three further rounds", _Player.more_ranges),
    (r"answers not read, \+(\d+)s", _Player.hold),
    (r"answers read", _Player.take),
)
"""How each stage is reached; the first pattern that fits counts."""
