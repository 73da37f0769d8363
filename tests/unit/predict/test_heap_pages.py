"""What of Go's heap stays resident, as measured in the case study (MiB)."""

import pytest

from miniet.predict.heap_pages import NOTHING, HeapPages
from miniet.predict.prediction import Band

MIB = 2**20
LIVE = 1_012


def band(mib: float) -> Band:
    return Band(*[round(mib * MIB)] * 3)


def heap(*, gogc: int = 100, keeps_freed: bool = False) -> HeapPages:
    return HeapPages(gogc, keeps_freed=keeps_freed, kept_share=0.5)


def step(
    pages: HeapPages,
    live: float,
    *,
    churn: float = 0,
    burst: float = 0,
    idle_s: float = 0,
) -> Band:
    return pages.step(
        band(live),
        dropped=NOTHING,
        burst=band(burst),
        churn=band(churn),
        idle_s=idle_s,
    )


@pytest.mark.parametrize(("gogc", "measured"), [(100, 1_921), (50, 1_621)])
def test_load_fills_the_heap_up_to_its_goal(gogc: int, measured: int) -> None:
    loaded = step(heap(gogc=gogc), LIVE, churn=7_000)
    assert loaded.low < measured * MIB < loaded.high
    assert loaded.likely == pytest.approx(measured * MIB, rel=0.1)


def test_little_garbage_needs_little_room() -> None:
    assert step(heap(), LIVE, churn=10).likely == (LIVE + 10) * MIB


def test_rest_gives_pages_back() -> None:
    """Measured after 5 minutes: 1,166 to 1,182."""
    pages = heap()
    step(pages, LIVE, churn=7_000)
    assert step(pages, LIVE, idle_s=60).likely > 1_900 * MIB
    rested = step(pages, LIVE, idle_s=240)
    assert rested.likely == pytest.approx(1_175 * MIB, rel=0.02)


def test_pages_freed_with_madv_free_stay_resident() -> None:
    """Measured after 8 minutes: 1,943 of 1,944."""
    pages = heap(keeps_freed=True)
    loaded = step(pages, LIVE, churn=7_000)
    assert step(pages, LIVE, idle_s=480) == loaded


def test_burst_stays_resident_after_it() -> None:
    """Measured: 955 after four ranges of 100 at once, each twice its size."""
    after = step(heap(), 117, churn=800, burst=800)
    assert after.low < 955 * MIB < after.high


def test_forced_collection_lets_pages_go_and_keeps_some() -> None:
    pages = heap()
    step(pages, LIVE, churn=7_000)
    pages.collect()
    after = step(pages, 10)
    assert after.low == 10 * MIB
    assert after.likely == pytest.approx(0.5 * 2 * LIVE * MIB, rel=0.01)


def test_new_process_has_forgotten() -> None:
    pages = heap()
    step(pages, LIVE, churn=7_000)
    pages.restart()
    assert step(pages, 10).likely == 10 * MIB
