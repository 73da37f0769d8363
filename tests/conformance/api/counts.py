"""How much was compared, so that a run can show that it looked at everything."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Counts:
    """What was compared.

    sequences, commands, readings: sequences begun, their commands, and the calls
        that were made to compare what the servers keep.
    calls, refusals: by the name of the call.
    told: what came on watch streams, by kind.
    """

    sequences: int = 0
    commands: int = 0
    readings: int = 0
    calls: Counter[str] = field(default_factory=Counter)
    refusals: Counter[str] = field(default_factory=Counter)
    told: Counter[str] = field(default_factory=Counter)

    @property
    def operations(self) -> int:
        """All that was asked of both servers."""
        return self.commands + self.readings

    def add(self, other: "Counts") -> None:
        """Add another's."""
        self.sequences += other.sequences
        self.commands += other.commands
        self.readings += other.readings
        self.calls += other.calls
        self.refusals += other.refusals
        self.told += other.told

    def add_told(self, said: Any) -> None:
        """Count a response that came on a watch stream."""
        kinds = {
            "events": len(said.events),
            "previous pairs": sum(event.HasField("prev_kv") for event in said.events),
            "watchers": said.created and not said.canceled,
            "refused watchers": said.created and said.canceled,
            "compaction notices": bool(said.compact_revision),
            "cancellations": said.canceled
            and not (said.created or said.compact_revision),
            "fragments": said.fragment,
            "progress": said.watch_id == -1 and not said.created,
        }
        self.told += Counter({kind: int(count) for kind, count in kinds.items()})

    def __str__(self) -> str:
        return (
            f"{self.sequences:,} sequences, {self.operations:,} operations "
            f"({self.commands:,} drawn, {self.readings:,} readings of what is kept), "
            f"{self.told['events']:,} watch events"
        )

    def table(self) -> str:
        """Write one line per kind of call and of watch response."""
        lines = [
            f"  {name:<18}{count:>10,}{self.refusals[name]:>10,} refused"
            for name, count in self.calls.most_common()
        ]
        lines += [
            f"  {kind:<18}{count:>10,}" for kind, count in self.told.most_common()
        ]
        return "\n".join(lines)
