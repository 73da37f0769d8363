"""What a seed decides before anything happens."""

from dataclasses import dataclass
from random import Random
from typing import Any

from miniet.server.config import Config


@dataclass(frozen=True)
class Plan:
    """The shape of one run.

    lies: whether it ends with a disk whose syncs said yes and were lost.
    calls: made by each client, with `pause_s` between them on average.
    fault_pause_s: mean time between two faults.
    segment_bytes: size of the log's segments, small enough to be cut now and then.
    is_compacted_by_itself: whether the server compacts unasked.
    """

    config: Config
    lies: bool
    clients: int
    calls: int
    pause_s: float
    watchers: int
    fault_pause_s: float
    segment_bytes: int
    is_compacted_by_itself: bool

    @classmethod
    def of(cls, random: Random) -> "Plan":
        """Choose one."""
        retention = random.choice(
            ({},) * 6
            + (
                {"auto_compaction_mode": "periodic", "auto_compaction_retention": "3s"},
                {"auto_compaction_mode": "revision", "auto_compaction_retention": "20"},
            )
        )
        return cls(
            config=_config(random, retention),
            lies=random.random() < 0.12,
            clients=random.choice((1, 3, 5)),
            calls=random.choice((10, 25, 50)),
            pause_s=random.choice((0.005, 0.05, 0.3)),
            watchers=random.choice((1, 3)),
            fault_pause_s=random.choice((0.1, 0.5, 2.0)),
            segment_bytes=random.choice((4_000, 16_000, 64_000)),
            is_compacted_by_itself=bool(retention),
        )


def _config(random: Random, retention: dict[str, str]) -> Config:
    """Choose settings: those of everyone, or small ones that make much happen."""
    settings: dict[str, Any] = dict(retention)
    if random.random() < 0.5:
        settings["snapshot_count"] = random.choice((3, 10, 40))
        settings["snapshot_catchup_entries"] = random.choice((1, 5, 20))
        settings["max_snapshots"] = settings["max_wals"] = random.choice((1, 2, 5))
    if random.random() < 0.5:
        settings["backend_batch_interval_s"] = random.choice((0.01, 1.0, 60.0))
        settings["backend_batch_limit"] = random.choice((1, 5, 10_000))
    if random.random() < 0.5:
        settings["compaction_batch_limit"] = random.choice((1, 5))
    if random.random() < 0.3:
        settings["enable_lease_checkpoint"] = True
        settings["enable_lease_checkpoint_persist"] = random.random() < 0.5
    if random.random() < 0.2:
        settings["initial_election_tick_advance"] = False
    if random.random() < 0.2:
        settings["profile"] = "3.6"
    if random.random() < 0.3:
        settings["watch_progress_notify_interval_s"] = 0.5
    return Config(quota_backend_bytes=64 << 20, **settings)
