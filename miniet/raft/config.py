"""`RaftConfig`: how one node runs."""

from dataclasses import dataclass

from miniet.raft.ports import RandomSource


@dataclass(slots=True, frozen=True)
class RaftConfig:
    """How one node runs.

    Raises:
        ValueError: a field is out of its range.
    """

    id: int
    """Own id; not 0."""

    random: RandomSource
    """Draws the election timeouts."""

    election_ticks: int = 10
    """A follower that hears nothing campaigns after this many ticks, up to less
    than twice as many."""

    applied: int = 0
    """Last index that the application has applied; 0 = hand out again all that
    follows the snapshot."""

    ready_committed_bytes_max: int = 1024 * 1024
    """Encoded bytes of committed entries handed out and not confirmed; one entry
    may exceed it."""

    uncommitted_bytes_max: int = 0
    """Payload bytes of proposals not confirmed as applied, above which a leader
    drops further ones; 0 = no limit."""

    def __post_init__(self) -> None:
        if not 0 < self.id < 1 << 64:
            raise ValueError(f"a node id is a positive 64-bit number: {self.id}")
        if self.election_ticks < 2:
            raise ValueError(f"election_ticks must exceed 1: {self.election_ticks}")
        if self.ready_committed_bytes_max <= 0:
            raise ValueError("ready_committed_bytes_max must be positive")
        if self.applied < 0 or self.uncommitted_bytes_max < 0:
            raise ValueError("applied and uncommitted_bytes_max cannot be negative")
