"""The verdict of `watchers` follows its figures."""

from dataclasses import replace
from typing import Any

from miniet.lab.scenarios import watchers
from miniet.lab.scenarios.watchers import BACKLOG, IDLE, TRACED
from miniet.memory.capture import Capture
from miniet.report.run import Table, Variant
from tests.unit.lab.records import MIB, capture, live_heap, process, variant
from tests.unit.lab.test_costs import traced

# Connections, streams and watchers in all, after each step.
STEPS = ((1, 0, 0), (101, 0, 0), (121, 200, 0), (123, 210, 5_000), (173, 260, 5_050))
EVENTS = 20_000


def idle(
    name: str = IDLE,
    *,
    resident: tuple[int, int, int] = (22_000, 20_000, 500),
    booked: tuple[int, int, int] | None = None,
    live: tuple[int, int, int] | None = None,
) -> Variant:
    """Make a server that takes so much of each thing, by what it shows."""
    stages: dict[str, Capture] = {}
    for step, counts in enumerate(STEPS):

        def total(costs: tuple[int, int, int], held: tuple = counts) -> int:
            return 4 * MIB + sum(n * cost for n, cost in zip(held, costs, strict=True))

        found = capture(
            connection_count=counts[0],
            stream_count=counts[1],
            watcher_count=counts[2],
            watched_key_count=counts[2],
            process=process(total(resident) / MIB),
        )
        if booked is not None:
            found = replace(found, traced=replace(traced(0), other_bytes=total(booked)))
        if live is not None:
            found = replace(found, go=live_heap(total(live) / MIB))
        stages["started" if step == 0 else f"step {step}"] = found
    return variant(name, stages)


def backlog(
    *, peak_mib: float = 220, slow: int = 10, late: int = 14_000, **fields: Any
) -> Variant:
    """Follow watchers that lag and then read."""
    watching = {"connection_count": 11, "stream_count": 10, "watcher_count": 10}
    waiting = {
        "slow_watcher_count": slow,
        "pending_event_count": 1_280,
        "pending_response_count": 1_280,
        "held_event_count": 128,
        "held_event_bytes": 128 * 1_030,
        "put_total": EVENTS,
    }
    from_the_start = {
        "pending_event_count": late,
        "pending_response_count": late // 1_000,
        "held_event_count": late,
        "held_event_bytes": late * 1_030,
        "put_total": EVENTS,
    }
    return variant(
        BACKLOG,
        {
            "watching": capture(**watching, **fields),
            "lagging": capture(**watching, **waiting, process=process(85), **fields),
            "caught up": capture(
                **watching, process=process(135, peak_mib), put_total=EVENTS, **fields
            ),
            "from the start": capture(**watching, **from_the_start, **fields),
        },
    )


def verdict(*variants: Variant) -> str:
    return "\n".join(watchers.explain(variants).verdict)


def table(*variants: Variant) -> Table:
    (found,) = watchers.explain(variants).tables
    return found


def test_prediction_is_held_against_the_article() -> None:
    text = verdict(idle())
    assert "(predicted)" in text
    assert "The article has 17 KB, 18 KB and 350 B" in text
    assert "what is found here is 7." in text


def test_measured_costs_of_a_real_etcd_come_before_the_prediction() -> None:
    text = verdict(idle(live=(34_000, 18_000, 700)))
    assert (
        "a connection costs 34,000 B, a watch stream 18,000 B and a watcher 700 B"
    ) in text
    assert "(measured)" in text
    assert "is 2.0, 1.0 and 2.0 times that" in text


def test_connections_in_c_are_said_to_be_unseen_by_tracemalloc() -> None:
    blind = idle(TRACED, booked=(2_000, 8_000, 490))
    text = verdict(idle(), blind)
    assert "RSS grew by 22,000 B per connection, 20,000 B per stream and 500 B" in text
    assert "sees only 2,000 B of a connection and 8,000 B of a stream" in text


def test_what_tracemalloc_sees_is_not_said_to_be_unseen() -> None:
    text = verdict(idle(), idle(TRACED, booked=(21_000, 8_000, 490)))
    assert "sees only 8,000 B of a stream" in text
    assert "tracemalloc" not in verdict(
        idle(), idle(TRACED, booked=(21_000, 19_000, 490))
    )


def test_table_has_the_article_the_measured_and_each_witness() -> None:
    found = table(idle(), idle(TRACED, booked=(2_000, 8_000, 490)))
    assert [row[1:4] for row in found.rows[:2]] == [
        (17_000, 18_000, 350),
        (119_000, 28_000, 470),
    ]
    assert [row[0] for row in found.rows[2:]] == [
        watchers.PREDICTED,
        watchers.RSS,
        watchers.TRACED_ROW,
    ]
    assert found.rows[-1][1:4] == (2_000, 8_000, 490)


def test_process_that_is_not_known_has_no_row() -> None:
    found = idle()
    stages = [
        replace(stage, capture=replace(stage.capture, process=None))
        for stage in found.stages
    ]
    assert watchers.RSS not in [
        row[0] for row in table(replace(found, stages=stages)).rows
    ]


def test_slow_watcher_costs_when_it_catches_up_not_while_it_lags() -> None:
    text = verdict(backlog())
    assert "10 watchers that did not read fell 20,000 events behind" in text
    assert "1,280 events wait in their streams, 128 different ones" in text
    assert "costs when it catches up, not while it lags" in text
    assert "peaked at 220.0 MiB, 135.0 MiB above the 85.0 MiB before" in text


def test_catching_up_that_took_little_is_not_said_to_cost() -> None:
    text = verdict(backlog(peak_mib=86))
    assert "not while it lags" not in text
    assert "peaked at 86.0 MiB, 1.0 MiB above" in text


def test_watchers_that_kept_up_are_not_called_slow() -> None:
    text = verdict(backlog(slow=0))
    assert text == "No watcher fell behind by 20,000 events."


def test_watcher_from_the_start_is_named_if_more_waits_for_it() -> None:
    assert "14,000 events wait, up to 1,000 in each response" in verdict(backlog())
    assert "oldest event" not in verdict(backlog(late=900))
