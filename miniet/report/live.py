"""A page that is drawn anew while one looks."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.live import Live
from rich.text import Text


@contextmanager
def view(console: Console | None = None) -> Iterator[Callable[[str], None]]:
    """Give a function that draws a page in place of the one before.

    On a terminal the view has the whole screen, and gives it back at the end with
    the last page left behind. Elsewhere only the last page is written.
    """
    console = console or Console(highlight=False, emoji=False)
    shown = ""

    def show(page: str) -> None:
        nonlocal shown
        shown = page
        live.update(Text(page), refresh=True)

    try:
        with Live(
            console=console,
            screen=console.is_terminal,
            auto_refresh=False,
            transient=True,
            vertical_overflow="crop",
        ) as live:
            yield show
    finally:
        console.out(shown, end="")
