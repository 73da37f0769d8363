from miniet.report.document import Command, Document, Facts, Heading, Paragraph
from miniet.report.sheet import Column, Scale, Sheet
from miniet.report.text import write

WORDS = "word " * 60


def sheet(*groups: str, cell: str = "1234567890") -> Sheet:
    columns = [Column(name="row", is_text=True)]
    columns += [
        Column(name=f"c{number}", group=group) for number, group in enumerate(groups)
    ]
    return Sheet(title="", columns=columns, rows=[["first", *[cell] * len(groups)]])


def lines(*blocks: object) -> list[str]:
    return write(Document("T", blocks)).splitlines()[3:]  # type: ignore[arg-type]


def test_every_block_keeps_to_80_columns() -> None:
    wide = Sheet(
        title=WORDS,
        columns=[Column(name="a", is_text=True), Column(name="b", is_text=True)],
        rows=[[WORDS, WORDS]],
        note=WORDS,
    )
    blocks = [Heading(WORDS), Paragraph(WORDS), Facts([("name", WORDS)]), wide]
    assert max(map(len, lines(*blocks))) <= 80


def test_command_is_never_broken() -> None:
    command = "etcdctl " + "--option " * 20
    assert f"  {command}" in lines(Command(command))


def test_number_stays_with_its_unit() -> None:
    for length in range(60, 80):
        text = "\n".join(lines(Paragraph("x" * length + " 12.5 MiB of it")))
        assert "12.5 MiB" in text


def test_column_with_nothing_is_left_out() -> None:
    made = Sheet(
        title="",
        columns=[Column(name="row", is_text=True), Column(name="a"), Column(name="b")],
        rows=[["first", "0", "1"], ["second", "-", "2"]],
    )
    assert lines(made)[0].split() == ["row", "b"]


def test_wide_sheet_is_split_between_groups() -> None:
    made = lines(sheet("one", "one", "one", "two", "two", "two", "two"))
    heads = [line.split() for line in made if line.startswith("row")]
    assert heads == [["row", "c0", "c1", "c2"], ["row", "c3", "c4", "c5", "c6"]]


def test_group_stands_once_above_its_columns() -> None:
    made = lines(sheet("one group of two", "one group of two", cell="1"))
    assert made[0].split() == ["one", "group", "of", "two"]


def test_sheet_without_rows_is_left_out() -> None:
    empty = Sheet(title="Nothing", columns=[Column(name="row")], rows=[])
    assert lines(empty) == []


def test_sizes_of_a_sheet_share_a_unit() -> None:
    scale = Scale.of([10, None, -3 << 20])
    assert [scale.cell(size) for size in (3 << 20, 10, 0, None)] == [
        "3.0",
        "0.0",
        "0",
        "-",
    ]
    assert Scale.of([1000]).unit == "KiB"
