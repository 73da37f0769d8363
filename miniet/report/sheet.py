"""`Sheet`: a table of finished cells, the same for text and HTML."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from miniet.report.units import KIB, MIB

_NOTHING = {"", "-", "0", "0.0"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """Head and alignment of a column."""

    name: str
    group: str = ""
    """What stands above the names of neighbours that share it."""
    is_text: bool = False
    """Left-aligned and wrapped; numbers are neither."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheet:
    """A table; the first column names the rows."""

    title: str
    columns: Sequence[Column]
    rows: Sequence[Sequence[str]]
    has_total: bool = False
    """The last row is the sum of the ones above it."""
    note: str = ""
    """A sentence or two below."""

    def without_empty_columns(self) -> "Sheet":
        """Leave out the columns that have nothing to say in any row."""
        return self.with_columns(
            position
            for position in range(len(self.columns))
            if not position or any(row[position] not in _NOTHING for row in self.rows)
        )

    def with_columns(self, positions: Iterable[int]) -> "Sheet":
        """Return only the columns at these positions."""
        kept = list(positions)
        return replace(
            self,
            columns=[self.columns[position] for position in kept],
            rows=[[row[position] for position in kept] for row in self.rows],
        )


@dataclass(frozen=True, slots=True)
class Scale:
    """The unit that all sizes of a table share, so that they can be compared."""

    unit: str
    bytes: int
    digits: int = 1
    """After the point."""

    @classmethod
    def of(cls, sizes: Iterable[int | None]) -> "Scale":
        """Choose MiB, or KiB where the largest is below one."""
        largest = max((abs(size) for size in sizes if size is not None), default=0)
        return cls("MiB", MIB) if largest >= MIB else cls("KiB", KIB)

    def whole(self) -> "Scale":
        """Return the same without digits after the point."""
        return replace(self, digits=0)

    def cell(self, size: int | None) -> str:
        """Return a size without its unit; `0` for none, `-` for not known."""
        if size is None:
            return "-"
        return f"{size / self.bytes:,.{self.digits}f}" if size else "0"
