"""The verdict of `expensive-range` follows its figures."""

from typing import Any

from miniet.lab.scenarios import expensive_range
from miniet.report.run import Variant
from tests.unit.lab.records import MIB, capture, live_heap, process, variant

WHOLE = {"1 at once": 360, "2 at once": 560, "4 at once": 960, "8 at once": 1760}
LESS = {
    "4 at once, keys_only": 310,
    "4 at once, limit 10": 150,
    "4 at once, count_only": 110,
}


def ranges(read_mib: int | None = 100, **more: Any) -> Variant:
    """Make a run over 100 MiB: of 110 MiB, with peaks of 50 MiB and 2 x replies."""
    unseen = ("backend_read_bytes",) if read_mib is None else ()
    loaded = capture(
        process=process(200), put_bytes_total=100 * MIB, unseen=unseen, **more
    )
    before = capture(process=process(110), unseen=unseen, **more)
    asked = {
        name: capture(
            process=process(120, peak),
            backend_read_bytes=(read_mib or 0) * MIB,
            unseen=unseen,
            **more,
        )
        for name, peak in (WHOLE | LESS).items()
    }
    return variant("ranges", {"loaded": loaded, "restarted": before, **asked})


def verdict(found: Variant) -> str:
    return "\n".join(expensive_range.explain([found]).verdict)


def test_each_further_client_is_told_in_replies() -> None:
    text = verdict(ranges())
    assert "1 client that asks for it takes miniet 1 to 250.0 MiB" in text
    assert "8 at once to 1650.0 MiB" in text
    assert "each further client costs 200.0 MiB, 2.0 times its reply" in text


def test_keys_only_is_shown_to_read_all_values() -> None:
    text = verdict(ranges())
    assert "keys_only, 4 clients: peaks 200.0 MiB above, 24% of the whole" in text
    assert "reads 25.0 MiB of values for each client" in text


def test_keys_only_is_said_to_cost_go_where_it_was_seen_to_read_all() -> None:
    assert "keys_only saves the reply, not the reading" in verdict(ranges())
    for found in (ranges(read_mib=None), ranges(read_mib=0), ranges(go=live_heap(1))):
        assert "not the reading" not in verdict(found)


def test_what_is_read_is_not_told_where_it_is_unseen() -> None:
    assert "of values" not in verdict(ranges(read_mib=None))


def test_go_s_twice_is_told_beside_miniet_only() -> None:
    assert "A Go etcd takes 2 times the replies" in verdict(ranges())
    assert "A Go etcd" not in verdict(ranges(go=live_heap(100)))


def test_peaks_are_those_above_what_was_held() -> None:
    (table,) = expensive_range.explain([ranges()]).tables
    assert [row[:2] for row in table.rows][:2] == [
        ("1 at once", 250),
        ("2 at once", 450),
    ]
    assert len(table.rows) == len(WHOLE | LESS)


def test_without_the_process_only_what_was_read_is_told() -> None:
    bare = ranges()
    stages = {
        stage.name: capture(put_bytes_total=100 * MIB, backend_read_bytes=100 * MIB)
        for stage in bare.stages
    }
    text = verdict(variant("ranges", stages))
    assert "peaks" not in text
    assert "keys_only, 4 clients: reads 25.0 MiB of values for each client" in text
