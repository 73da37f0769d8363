"""Names of positions, and runs of entries as a leader sends them."""

from collections.abc import Sequence
from dataclasses import dataclass

from miniet.raft.messages import Entry


@dataclass(slots=True, frozen=True)
class EntryId:
    """A position and the term it was filled in: equal ids, equal logs up to there."""

    term: int = 0
    index: int = 0

    @classmethod
    def of(cls, entry: Entry) -> "EntryId":
        """Return the id of `entry`."""
        return cls(entry.term, entry.index)


@dataclass(slots=True, frozen=True)
class LogSlice:
    """Entries that follow `prev` in the log of the leader of `term`.

    Invariant of a well-formed one, see `is_valid`: indexes run on from `prev`, terms
    never fall, none exceeds `term`.
    """

    term: int
    prev: EntryId
    entries: Sequence[Entry]

    @property
    def last_index(self) -> int:
        """Index of the last entry, or of `prev` if there is none."""
        return self.prev.index + len(self.entries)

    @property
    def last_entry_id(self) -> EntryId:
        """Id of the last entry, or `prev` if there is none."""
        return EntryId.of(self.entries[-1]) if self.entries else self.prev

    def is_valid(self) -> bool:
        """Say whether the slice is well formed; what was sent need not be."""
        index, term = self.prev.index, self.prev.term
        for entry in self.entries:
            index += 1
            if entry.index != index or entry.term < term:
                return False
            term = entry.term
        return term <= self.term
