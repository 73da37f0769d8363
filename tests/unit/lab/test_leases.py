"""The verdict of `leases` follows its figures."""

from dataclasses import replace

from miniet.lab.costs import cost_of
from miniet.lab.scenarios import leases
from miniet.memory.capture import Capture
from miniet.memory.components import Component
from miniet.report.run import Variant
from tests.unit.lab.records import capture, variant
from tests.unit.lab.test_costs import traced

LEASES = 10_000


def held(count: int, keys: int = 0, queued: int | None = None) -> Capture:
    """Make a lessor that had at most all the leases and keys."""
    return capture(
        lease_count=count,
        lease_count_max=LEASES,
        lease_heap_element_count=count if queued is None else queued,
        keyed_lease_count=min(count, keys),
        attached_key_count=keys,
        attached_key_count_max=keys if count else LEASES,
        attached_key_bytes=24 * keys,
    )


def run(
    *, left: int = 0, queued: int = 0, booked: tuple[int, int, int] | None = None
) -> Variant:
    """Follow leases with a key each; `booked`: in all, when granted and so on."""
    stages = {
        "started": capture(),
        "granted": held(LEASES),
        "attached": held(LEASES, LEASES),
        "revoked": held(left, queued=queued),
    }
    for name, size in zip(stages, (0, *(booked or ())), strict=False):
        if booked:
            found = replace(traced(0), bytes_by_component={"lease": size})
            stages[name] = replace(stages[name], traced=found)
    return variant("1 key per lease", stages)


def verdict(found: Variant) -> str:
    return "\n".join(leases.explain([found]).verdict)


def predicted(found: Variant, name: str, since: str = "started") -> int | None:
    cost = cost_of(found, name, [Component.LEASE], since=since)
    return cost.per(LEASES).predicted


def test_lease_and_key_cost_what_is_predicted_for_each() -> None:
    text = verdict(run())
    lease = predicted(run(), "granted")
    key = predicted(run(), "attached", "granted")
    assert f"A lease takes {lease} B in Go." in text
    assert f"an attached key takes {key} B in Go, besides what the index" in text


def test_python_s_bytes_stand_beside_it() -> None:
    text = verdict(run(booked=(3_180_000, 6_210_000, 890_000)))
    assert "B in Go, 318 B here." in text
    assert "B in Go, 303 B here, besides" in text
    assert f"leaves, of each, {predicted(run(), 'revoked')} B in Go, 89 B here" in text


def test_what_stays_of_revoked_leases_is_explained() -> None:
    text = verdict(run(queued=7))
    assert "Go's maps never shrink, and 7 revoked leases wait in the expiry queue" in (
        text
    )
    assert "queue" not in verdict(run())


def test_leases_that_were_not_revoked_are_counted() -> None:
    text = verdict(run(left=3))
    assert "3 leases were left after revoking" in text
    assert "never shrink" not in text


def test_table_has_a_row_for_each_cost() -> None:
    (table,) = leases.explain([run()]).tables
    assert [row[1] for row in table.rows] == [
        "per lease granted",
        "per key attached",
        "left per lease revoked",
    ]
