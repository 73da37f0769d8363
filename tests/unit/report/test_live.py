from io import StringIO

from rich.console import Console

from miniet.report.live import view


def shown(*pages: str, is_terminal: bool) -> str:
    """What a view of these pages writes."""
    file = StringIO()
    console = Console(
        file=file, force_terminal=is_terminal, width=80, height=5, highlight=False
    )
    with view(console) as show:
        for page in pages:
            show(page)
    return file.getvalue()


def test_file_gets_the_last_page_alone() -> None:
    assert shown("first\n", "last\n", is_terminal=False) == "last\n"


def test_terminal_gets_every_page_and_keeps_the_last() -> None:
    written = shown("first\n", "last\n", is_terminal=True)
    assert "first" in written
    assert written.endswith("last\n")


def test_brackets_of_a_page_are_no_markup() -> None:
    assert shown("[bold]12 MiB[/bold]\n", is_terminal=False) == "[bold]12 MiB[/bold]\n"


def test_page_longer_than_the_terminal_is_whole_at_the_end() -> None:
    page = "".join(f"line {number}\n" for number in range(20))
    assert shown(page, is_terminal=True).endswith(page)
