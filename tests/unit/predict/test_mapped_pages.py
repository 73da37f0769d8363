"""When pages of the backend's file come in, as measured (MiB)."""

from dataclasses import replace

from miniet.memory.counts import Counts
from miniet.predict.mapped_pages import MappedPages

MIB = 2**20
LOADED = Counts(
    put_total=100_000,
    put_bytes_total=100_000 * 10_272,
    backend_size_bytes=1_175 * MIB,
    backend_in_use_bytes=1_174 * MIB,
    backend_opened_bytes=20_480,
)


def test_loading_hardly_maps_pages_in() -> None:
    """Measured: 14 of 1,175."""
    loaded = MappedPages().step(LOADED, is_populated=True)
    assert loaded.low < 14 * MIB < loaded.high < 80 * MIB


def test_reading_everything_maps_everything_in() -> None:
    pages = MappedPages()
    pages.step(LOADED, is_populated=True)
    read = replace(LOADED, backend_read_bytes=1_000 * MIB)
    now = pages.step(read, is_populated=False)
    assert (now.likely > 1_000 * MIB, now.high) == (True, 1_175 * MIB)


def test_start_maps_the_whole_file_in() -> None:
    started = replace(
        LOADED, put_total=0, put_bytes_total=0, backend_opened_bytes=1_175 * MIB
    )
    now = MappedPages().step(started, is_populated=True)
    assert now.low == now.high == 1_175 * MIB


def test_compaction_goes_over_what_it_drops() -> None:
    """Measured: 850 of 1,183 after the case study's compaction, 485 before."""
    pages = MappedPages()
    pages.step(LOADED, is_populated=True)
    compacted = replace(LOADED, backend_in_use_bytes=MIB, compact_revision=100)
    now = pages.step(compacted, is_populated=False)
    assert now.low < 850 * MIB < now.high
    assert now.high == 1_175 * MIB


def test_kernel_may_take_the_pages_back() -> None:
    pages = MappedPages()
    pages.step(replace(LOADED, backend_opened_bytes=1_175 * MIB), is_populated=True)
    pages.page_out()
    now = pages.step(LOADED, is_populated=False)
    assert (now.low, now.high) == (0, 0)
