"""`Mutation`: one piece of text to be replaced, and the tests that should notice."""

from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutation:
    """One way to break one file."""

    name: str
    """`package/what`, unique."""
    breaks: str
    """What is wrong then, in words."""
    file: str
    """Path below the root."""
    old: str
    """Text that stands there exactly once."""
    new: str
    tests: tuple[str, ...]
    """What to run, as pytest takes it, the likeliest to notice first."""

    @property
    def package(self) -> str:
        """The part of miniet that it breaks."""
        return self.file.split("/")[1]

    def apply(self, root: Path) -> str:
        """Break the file of the tree at `root`; return its text from before.

        Raises:
            ValueError: the old text is not there, or more than once.
        """
        path = root / self.file
        text = path.read_text()
        path.write_text(self.mutated(text))
        return text

    def mutated(self, text: str) -> str:
        """Return the text of the file with the mutation in it; raises as `apply`."""
        count = text.count(self.old)
        if count != 1:
            raise ValueError(
                f"{self.name}: {count} times in {self.file}: {self.old[:200]!r}"
            )
        return text.replace(self.old, self.new)
