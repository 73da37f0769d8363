"""The gauges of memory: each is documented, and each reads a field that exists."""

from dataclasses import fields, replace

from miniet.memory.components import Component
from miniet.memory.counts import Counts
from miniet.memory.traced import Traced
from miniet.server.memory import Glance
from miniet.server.memory_metrics import ITEMS, MemoryCollector

TRACED = Traced(
    since_s=1.0,
    frame_count=8,
    bytes_by_component=dict.fromkeys(Component, 7),
    blocks_by_component=dict.fromkeys(Component, 1),
    other_bytes=9,
    other_blocks=1,
    peak_bytes=100,
    tracer_bytes=10,
    lines={},
)
# Every field another number.
COUNTS = Counts(**{spec.name: n for n, spec in enumerate(fields(Counts))})
GLANCE = Glance(COUNTS, 4096, True, TRACED, 1234.5)


def samples(glance: Glance | None) -> dict[tuple[str, ...], float]:
    collector = MemoryCollector()
    collector.glance = glance
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in collector.collect()
        for sample in family.samples
    }


def test_every_payload_and_kind_is_shown_with_its_count() -> None:
    shown = samples(GLANCE)
    for component in Component:
        name = ("miniet_memory_payload_bytes", component)
        assert shown[name] == COUNTS.payload_bytes(component)
    for component, kind, field in ITEMS:
        assert shown["miniet_memory_items", component, kind] == getattr(COUNTS, field)


def test_bytes_and_counts_are_not_mixed() -> None:
    assert not any("bytes" in field for _, _, field in ITEMS)


def test_every_family_has_a_help_text_and_a_unit_or_items() -> None:
    collector = MemoryCollector()
    collector.glance = GLANCE
    families = list(collector.collect())
    assert len({family.name for family in families}) == len(families) == 6
    for family in families:
        assert len(family.documentation) > 20
        assert family.documentation.endswith(".")
        assert family.name.startswith("miniet_memory_")


def test_what_is_booked_is_shown_with_the_time_of_the_reading() -> None:
    shown = samples(GLANCE)
    assert shown["miniet_memory_booked_bytes", "raft"] == 7
    assert shown["miniet_memory_booked_bytes", "other"] == 9
    assert shown["miniet_memory_booked_timestamp_seconds",] == 1234.5


def test_what_is_not_known_is_left_out() -> None:
    unknown = replace(GLANCE, mapped_bytes=None, traced=None)
    left_out = {name for name, *_ in samples(GLANCE)}
    left_out -= {name for name, *_ in samples(unknown)}
    assert left_out == {
        "miniet_memory_mapped_bytes",
        "miniet_memory_booked_bytes",
        "miniet_memory_booked_timestamp_seconds",
    }
    assert samples(None) == {}
