import re
import sys
from html.parser import HTMLParser

import pytest

from miniet.report import html
from miniet.report.document import Command, Document, Facts, Heading, Paragraph
from miniet.report.sheet import Column, Sheet
from tests.unit.report.records import real_run, run

VOID = {"meta"}


class Strict(HTMLParser):
    """Notes tags that are not closed in their order, and all attributes."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def parse(page: str) -> Strict:
    parser = Strict()
    parser.feed(page)
    parser.close()
    assert parser.open == []
    return parser


@pytest.fixture(scope="module")
def page() -> str:
    return html.render(run())


def test_page_is_well_formed(page: str) -> None:
    assert {"h1", "table", "svg", "pre"} <= set(parse(page).tags)


def test_page_refers_to_nothing_outside_of_it(page: str) -> None:
    targets = [
        value or ""
        for name, value in parse(page).attributes
        if name in ("src", "href", "xlink:href", "srcset", "action")
    ]
    assert [target for target in targets if not target.startswith("#")] == []
    assert "@import" not in page
    assert re.findall(r"url\((?!#)", page) == []
    assert {"script", "link", "iframe", "img", "object"}.isdisjoint(parse(page).tags)


def test_references_within_the_page_lead_to_one_element(page: str) -> None:
    ids = [value for name, value in parse(page).attributes if name == "id"]
    wanted = re.findall(r'url\(#([^)]+)\)|href="#([^"]+)"', page)
    assert len(ids) == len(set(ids))
    assert {one or other for one, other in wanted} <= set(ids)


def test_plots_take_on_the_colour_of_the_page(page: str) -> None:
    assert "currentColor" in page
    assert "#010203" not in page


def test_same_run_makes_the_same_page(page: str) -> None:
    assert html.render(run()) == page


def test_run_of_a_real_etcd_has_its_page() -> None:
    assert "etcd 3.4.23" in parse(html.render(real_run())).text


def test_without_matplotlib_the_page_says_how_to_get_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    parsed = parse(html.render(run()))
    assert "plots need matplotlib: pip install 'miniet[plots]'" in parsed.text
    assert "svg" not in parsed.tags


def test_every_text_is_escaped() -> None:
    wild = "<b>&\"'"
    sheet = Sheet(
        title=wild,
        columns=[Column(name=wild, group=wild, is_text=True), Column(name=wild)],
        rows=[[wild, wild]],
        note=wild,
    )
    blocks = [Heading(wild), Paragraph(wild), Facts([(wild, wild)]), Command(wild)]
    parsed = parse(html.write(Document(wild, [*blocks, sheet])))
    assert "b" not in parsed.tags
    assert parsed.text.count(wild) == 14
