"""Sizes that a Go probe measured; see the module for the releases."""

import pytest

from miniet.predict.go_sizes import (
    GO_1_12,
    GO_1_16,
    GO_1_19,
    GO_1_25,
    Go,
    channel_bytes,
    grown_capacity,
    map_bytes,
    mean_capacity,
    next_capacity,
    size_class,
)


@pytest.mark.parametrize(
    ("size", "go", "taken"),
    [
        (0, GO_1_19, 0),
        (1, GO_1_19, 8),
        (17, GO_1_12, 32),
        (17, GO_1_16, 24),
        (100, GO_1_19, 112),
        (129, GO_1_19, 144),
        (1025, GO_1_19, 1152),
        (32_768, GO_1_19, 32_768),
        (40_000, GO_1_19, 40_960),
        (1_048_610, GO_1_19, 1_056_768),
    ],
)
def test_an_allocation_takes_its_size_class(size: int, go: Go, taken: int) -> None:
    assert size_class(size, go) == taken


@pytest.mark.parametrize(
    ("count", "slots"),
    [(100, 135), (1_000, 1_365), (2_000, 2_616), (5_000, 6_030), (10_000, 12_629)],
)
def test_slice_of_log_entries_grows_as_measured(count: int, slots: int) -> None:
    assert grown_capacity(0, count, 72, GO_1_19) == slots


@pytest.mark.parametrize(
    ("count", "go", "slots"),
    [
        (3, GO_1_19, 4),
        (17, GO_1_19, 32),
        (100, GO_1_19, 128),
        (300, GO_1_19, 512),
        (513, GO_1_19, 848),
        (1_000, GO_1_19, 1_280),
        (1_000, GO_1_16, 1_024),
    ],
)
def test_array_of_revisions_grows_as_measured(count: int, go: Go, slots: int) -> None:
    assert grown_capacity(0, count, 16, go) == slots


def test_append_of_more_than_double_gets_just_what_it_needs() -> None:
    assert (
        next_capacity(10, 5_001, 72, GO_1_19) == size_class(5_001 * 72, GO_1_19) // 72
    )


def test_mean_capacity_lies_between_whole_lengths() -> None:
    assert mean_capacity(0, 4.25, 16, GO_1_19) == 5  # three in four 4, one 8


@pytest.mark.parametrize(("count", "taken"), [(0, 48), (1, 192), (9, 336)])
def test_map_of_strings_takes_its_buckets(count: int, taken: int) -> None:
    assert map_bytes(count, 16, 0, GO_1_19) == taken


def test_map_of_go_1_24_doubles_its_groups_at_seven_eighths() -> None:
    full, one_more = (map_bytes(n, 8, 8, GO_1_25) for n in (14, 15))
    assert (full, one_more) == (48 + 288, 48 + 576)


@pytest.mark.parametrize(
    ("slots", "item_bytes", "taken"),
    [(0, 48, 96), (16, 8, 224), (128, 48, 6_240), (1_024, 48, 49_248)],
)
def test_channel_takes_its_slots_at_once(
    slots: int, item_bytes: int, taken: int
) -> None:
    assert channel_bytes(slots, item_bytes, GO_1_19) == taken
