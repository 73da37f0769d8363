"""How long, how much, under which flags."""

from dataclasses import dataclass

WRITER_KEYS = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """One soak; the defaults are those of the long one."""

    seconds: float = 1200.0
    seed: int = 1
    writers: int = 4
    followers: int = 8
    operations_per_s: float = 240.0
    """Of all writers together."""
    value_bytes_max: int = 4096
    lease_ttl_s: int = 4
    """Of leases that nobody renews, too: they run out all the time."""
    snapshot_count: int = 2000
    catchup_entries: int = 500
    retention_s: int = 20
    """Of the periodic compaction; the keeper compacts by revision besides."""

    @property
    def flags(self) -> tuple[str, ...]:
        """The server's."""
        return (
            f"--snapshot-count={self.snapshot_count}",
            f"--experimental-snapshot-catchup-entries={self.catchup_entries}",
            "--auto-compaction-mode=periodic",
            f"--auto-compaction-retention={self.retention_s}s",
        )

    @property
    def period_s(self) -> float:
        """Time between two captures."""
        return min(max(self.seconds / 400, 0.25), 5.0)

    @property
    def keys_max(self) -> int:
        """Keys that writers use."""
        return self.writers * WRITER_KEYS
