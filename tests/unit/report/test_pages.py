import pytest

from tests.unit.report.pages import GOLDEN, PAGES


@pytest.mark.parametrize("name", PAGES)
def test_page_is_the_golden_one(name: str) -> None:
    assert PAGES[name]() == (GOLDEN / f"{name}.txt").read_text("utf-8")


@pytest.mark.parametrize("name", PAGES)
def test_page_is_ascii_of_80_columns(name: str) -> None:
    page = PAGES[name]()
    assert page.isascii()
    assert max(map(len, page.splitlines())) <= 80
