"""`leases` on miniet and on a real etcd."""

import pytest

from miniet.lab.figures import counts_of
from miniet.lab.scenarios import leases
from tests.support.lab_runs import MINIET, TARGETS, run

SCALE = 0.01
LEASES = 20


@pytest.mark.slow
@TARGETS
def test_leases_and_keys_come_and_go(target: str) -> None:
    result = run(leases, target, SCALE)
    assert len(result.variants) == len(leases.KEYS_EACH)
    for variant, keys_each in zip(result.variants, leases.KEYS_EACH, strict=True):
        assert counts_of(variant, "granted").lease_count == LEASES
        attached = counts_of(variant, "attached")
        assert attached.attached_key_count == LEASES * keys_each
        assert attached.attached_key_bytes == LEASES * keys_each * 24
        assert attached.keyed_lease_count == LEASES
        revoked = counts_of(variant, "revoked")
        assert (revoked.lease_count, revoked.attached_key_count) == (0, 0)
        assert revoked.lease_count_max == LEASES
    (table,) = result.tables
    assert ("Python" in table.columns) == (target == MINIET)
    costs = {row[:2]: row[2] for row in table.rows}
    assert 250 < int(costs["1 key per lease", "per lease granted"]) < 450
